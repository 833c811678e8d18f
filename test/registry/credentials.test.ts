// SPDX-License-Identifier: Apache-2.0
// The credentials file, users in URIs, and passwords that are typed: what is found, where it goes, who can see it.
import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { enrootBinary, start, until } from "../harness/index.ts";
import {
  basic,
  credentials,
  expectImport,
  giveToken,
  guarded,
  login,
  password,
  plainImage,
  realm,
  type Scene,
  scene,
} from "./fixture.ts";
import { digestOf } from "./scripted-image.ts";
import type { Script } from "./scripted-registry.ts";

const image = plainImage();
const digest = `${digestOf(image.manifest)}\n`;
const wantsBasic = guarded(() => ['Basic realm="x"'], basic);
const header = (user: string, secret: string): string => `Basic ${btoa(`${user}:${secret}`)}`;
const asBob = ({ registry }: Scene): string => registry.uri.replace("docker://", "docker://bob@");

describe("the file", () => {
  test.each<[string, (host: string) => string]>([
    [
      "with macros and comments",
      (host) =>
        `# machine ${host} login eve password no\nmacdef init\n machine ${host} login eve password no\n\nmachine ${host} # mine\n login bob password ${password} # not password x\n`,
    ],
    ["with a quoted password", (host) => `machine ${host} login "bob" password "s3cret\\-pass"\n`],
    ["with an account", (host) => `machine ${host} account login login bob password ${password}\n`],
    [
      "with a default that comes first",
      (host) => `default login eve password no\nmachine ${host} login bob password ${password}\n`,
    ],
    [
      "with an entry that has no password",
      (host) => `machine ${host} login bob\nmachine ${host} login bob password ${password}\n`,
    ],
  ])("%s", async (_, text) => {
    await using here = await scene(image, wantsBasic);
    await credentials(here, text(here.registry.name));
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(digest);
  });

  test("with an entry that names no user: it is for the URI's", async () => {
    await using here = await scene(image, wantsBasic);
    await credentials(here, `machine ${here.registry.name} password ${password}\n`);
    expect(await here.box.ok(["digest", asBob(here)])).toBe(digest);
  });

  test("a quoted password may begin with a dollar sign", async () => {
    await using here = await scene(
      image,
      guarded(() => ['Basic realm="x"'], header("bob", "$HOME")),
    );
    await credentials(here, `machine ${here.registry.name} login bob password "$HOME"\n`);
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(digest);
  });

  test("$oauthtoken is a user as it is written", async () => {
    await using here = await scene(
      image,
      guarded(() => ['Basic realm="x"'], header("$oauthtoken", password)),
    );
    await credentials(here, `machine ${here.registry.name} login $oauthtoken password ${password}\n`);
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(digest);
    expect(await here.box.ok(["digest", here.registry.uri.replace("//", "//$oauthtoken@")])).toBe(digest);
  });

  test("a shell that makes nothing of $oauthtoken is told of", async () => {
    await using here = await scene(image);
    const result = await here.box.enroot(["digest", here.registry.uri.replace("//", "//@")]);
    expect(result).toMatchObject({ status: 0, stdout: digest });
    expect(result.stderr).toContain("[WARN] No user in the URI");
  });

  test("unreadable is an error, absent is none", async () => {
    await using here = await scene(image);
    const path = await credentials(here, login(here));
    await here.box.run(["chmod", "000", path]);
    const result = await here.box.enroot(["digest", here.registry.uri]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain(`Could not read ${path}: permission denied`);
    await here.box.run(["rm", path]);
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(digest);
  });
});

describe("a password from a command", () => {
  async function pulled(
    text: string,
    script: Script = wantsBasic,
  ): Promise<{ here: Scene; stderr: string; status: number | null }> {
    const here = await scene(image, script);
    await credentials(here, `machine ${here.registry.name} password ${text} login bob\n`);
    const { stderr, status } = await here.box.enroot(["digest", here.registry.uri], {
      env: { PASS: password },
    });
    return { here, stderr, status };
  }

  test.each([
    ["a variable", "$PASS"],
    ["a variable with a default", "${NOT_SET:-s3cret-pass}"],
    ["a command with quotes, spaces and parentheses", `$(printf '%s' "$(echo "$PASS" | sed 's/(x)/ y/')")`],
    ["a command that would read what follows it", "$(cat; printf %s $PASS)"],
  ])("%s", async (_, text) => {
    const { here, status, stderr } = await pulled(text);
    await using _here = here;
    expect({ status, stderr: stderr.includes("[ERROR]") }).toEqual({ status: 0, stderr: false });
  });

  test.each([
    ["fails", "$(echo half; exit 3)", /status 3/],
    ["is missing", "$(no-such-command)", /no-such-command: command not found/],
    ["prints nothing", "$(true)", /it is empty/],
    ["cannot be read", "$(s3cret-pass;;)", /not a word that a shell can read/],
  ])("that %s is an error", async (_, text, pattern) => {
    const { here, status, stderr } = await pulled(text);
    await using _here = here;
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(pattern) });
    expect(stderr).not.toContain(password);
  });

  test("is in no argument of a process", async () => {
    const look = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; done 2> /dev/null";
    await using here = await scene(image, wantsBasic);
    await credentials(
      here,
      `machine ${here.registry.name} login bob password $(${look} > ${here.box.work}/seen; : hidden-word; printf %s $PASS)\n`,
    );
    await here.box.ok(["digest", here.registry.uri], { env: { PASS: password } });
    const seen = await readFile(`${here.box.work}/seen`, "utf8");
    expect(seen).toContain("digest docker://");
    expect(seen).not.toContain("hidden-word");
    expect(seen).not.toContain(password);
  });

  test("is run once, however often tokens are renewed", async () => {
    const script: Script = (asked) => {
      if (asked.url.pathname === "/token") return Response.json({ token: `t${asked.count}`, expires_in: 1 });
      return asked.request.headers.has("authorization")
        ? undefined
        : new Response("{}", { status: 401, headers: { "www-authenticate": realm(asked) } });
    };
    await using here = await scene(image, script);
    await credentials(
      here,
      `machine ${here.registry.name} login bob password $(echo run >> ${here.box.home}/runs; printf x)\n`,
    );
    await expectImport(here);
    expect(here.registry.asked.filter(({ url }) => url.pathname === "/token").length).toBeGreaterThan(1);
    expect((await here.box.run(["cat", `${here.box.home}/runs`])).stdout).toBe("run\n");
  });
});

describe("a password in the URI", () => {
  test("works, is warned of, and is in no output and no image", async () => {
    await using here = await scene(image, wantsBasic);
    const uri = here.registry.uri.replace("docker://", `docker://bob:${password}@`);
    const result = await here.box.enroot(["import", "-o", "a.sqsh", uri], { env: { ENROOT_DEBUG: "y" } });
    expect(result.status).toBe(0);
    expect(result.stderr).toContain("[WARN] A password in a URI");
    expect(result.stdout + result.stderr).not.toContain(password);
    expect((await here.box.run(["unsquashfs", "-cat", "a.sqsh", "etc/rc"])).stdout).not.toContain(password);
  });

  test("is in no message about a wrong reference", async () => {
    await using here = await scene(image);
    for (const uri of [
      `docker://bob:${password}@x#Y`,
      `dokcer://bob:${password}@x#y`,
      `docker:bob:${password}@x#y`,
    ]) {
      const result = await here.box.enroot(["digest", uri]);
      expect(result).toMatchObject({ status: 1, stdout: "" });
      expect(result.stderr).not.toContain(password);
    }
  });
});

describe("on a terminal", () => {
  test("the password of the URI's user is asked for, and not shown", async () => {
    await using here = await scene(image, wantsBasic);
    const child = here.box.start(["digest", asBob(here)], { tty: true, stdin: "pipe" });
    await until("the question", () => child.stdout().includes(`Password of bob for ${here.registry.name}: `));
    await child.write(`${password}\n`);
    const { status, stdout } = await child.exited;
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining(digest.trim()) });
    expect(stdout).not.toContain(password);
  });

  test("an interrupt ends the question, and the terminal shows again what is typed", async () => {
    await using here = await scene(image, wantsBasic);
    const show = 'enroot=$1 uri=$2; trap : INT; "$enroot" digest "$uri"; stty -a | grep -o "[ -]echo "';
    const argv = ["sh", "-c", show, "sh", enrootBinary(), asBob(here)];
    const child = start(argv, here.box.env, { tty: true, stdin: "pipe" });
    await until("the question", () => child.stdout().includes("Password of bob"));
    await child.write("\u0003");
    expect((await child.exited).stdout).toMatch(/ echo /);
  });
});

describe("token servers", () => {
  // An HTTP proxy stands in for any host: the registry and its token server are one script.
  const anywhere = (script: Script): Promise<Scene> => scene(image, script);
  const via = ({ registry }: Scene): Record<string, string> => ({ http_proxy: `http://${registry.name}` });
  const tokens =
    (host: string, wanted: string): Script =>
    ({ url, request }) =>
      url.host === host && request.headers.get("authorization") === wanted
        ? Response.json({ token: "t0ken" })
        : new Response("", { status: 401 });

  test.each([
    ["nvcr.io", "http://authn.nvidia.com/token", "nvcr.io", "docker://nvcr.io#test/image"],
    ["nvcr.io", "http://authn.nvidia.com/token", "authn.nvidia.com", "docker://bob@nvcr.io#test/image"],
    ["Docker Hub", "http://auth.docker.io/token", "registry-1.docker.io", "docker://test/image"],
    ["Docker Hub", "http://auth.docker.io/token", "index.docker.io", "docker://test/image"],
    [
      "Docker Hub",
      "http://auth.docker.io/token",
      "https://index.docker.io/v1/",
      "docker://docker.io/test/image",
    ],
    ["Docker Hub", "http://auth.docker.io/token", "auth.docker.io", "docker://index.docker.io#test/image"],
    [
      "GitLab",
      "http://gitlab.example.org/token",
      "registry.example.org",
      "docker://registry.example.org:5050/test/image",
    ],
  ])("of %s, %s, with an entry for %s", async (_, url, machine, uri) => {
    const script = guarded(
      () => [`Bearer realm="${url}",service="s"`],
      "Bearer t0ken",
      tokens(new URL(url).host, basic),
    );
    await using here = await anywhere(script);
    await credentials(here, `machine ${machine} login bob password ${password}\n`);
    expect(await here.box.ok(["digest", uri], { env: via(here) })).toBe(digest);
  });

  test("with an entry of their own get that one", async () => {
    const script = guarded(
      () => ['Bearer realm="http://auth.example.org/token"'],
      "Bearer t0ken",
      tokens("auth.example.org", basic),
    );
    await using here = await anywhere(script);
    await credentials(
      here,
      `machine registry.example.org login bob password no\nmachine auth.example.org login bob password ${password}\n`,
    );
    expect(
      await here.box.ok(["digest", "docker://registry.example.org#test/image"], { env: via(here) }),
    ).toBe(digest);
  });

  test.each([
    ["another site", "http://evil.example/token", "registry.example.org"],
    ["a neighbour below a shared domain", "http://evil.co.uk/token", "registry.corp.co.uk"],
  ])("of %s get no password", async (_, url, registry) => {
    await using here = await anywhere(guarded(() => [`Bearer realm="${url}"`], "x", giveToken));
    await credentials(here, `machine ${registry} login bob password ${password}\n`);
    const result = await here.box.enroot(["digest", `docker://${registry}#test/image`], { env: via(here) });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain("wants its password sent to another site");
    expect(here.registry.asked.some(({ url }) => url.pathname === "/token")).toBeFalse();
  });

  test("that belong to another registry are asked nothing in its user's name", async () => {
    await using here = await anywhere(
      guarded(() => ['Bearer realm="http://auth.docker.io/token"'], "x", giveToken),
    );
    await credentials(here, `machine auth.docker.io login bob password ${password}\n`);
    const result = await here.box.enroot(["digest", "docker://bob@evil.example#test/image"], {
      env: via(here),
    });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(here.registry.asked.some(({ url }) => url.pathname === "/token")).toBeFalse();
  });

  test("exchange an identity token", async () => {
    let form: URLSearchParams | undefined;
    const exchange: Script = async ({ request }) => {
      form = new URLSearchParams(await request.text());
      return request.method === "POST"
        ? Response.json({ access_token: "t0ken" })
        : new Response("", { status: 405 });
    };
    await using here = await scene(
      image,
      guarded((asked) => [realm(asked)], "Bearer t0ken", exchange),
    );
    await credentials(here, `machine ${here.registry.name} login <token> password refresh-me\n`);
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(digest);
    expect(Object.fromEntries(form ?? [])).toEqual({
      grant_type: "refresh_token",
      service: "registry",
      scope: "repository:test/image:pull",
      client_id: "enroot",
      refresh_token: "refresh-me",
    });
  });

  test("are asked once for many requests that wait", async () => {
    await using here = await scene(
      image,
      guarded((asked) => [realm(asked)], "Bearer t0ken", giveToken),
    );
    await expectImport(here);
    expect(here.registry.asked.filter(({ url }) => url.pathname === "/token")).toHaveLength(1);
  });
});

test("nothing is sent to a registry that asks for nothing", async () => {
  await using here = await scene(image);
  await credentials(here, login(here));
  const { stderr } = await expectImport(here);
  expect(here.registry.asked.some(({ request }) => request.headers.has("authorization"))).toBeFalse();
  expect(stderr).toContain("[INFO] Permission granted");
});
