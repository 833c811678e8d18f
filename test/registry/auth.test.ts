// SPDX-License-Identifier: Apache-2.0
// Who is asked for tokens, what is sent to whom, and what is never sent.
import { describe, expect, test } from "bun:test";
import { expectImport, expectRefusal, plainImage, type Scene, scene } from "./fixture.ts";
import type { Asked, Script } from "./scripted-registry.ts";

const image = plainImage();
const password = "s3cret-pass";

/** Challenges with one header after the other, until a request carries what is expected. */
function guarded(
  headers: (asked: Asked) => string[],
  expected: string,
  tokens: Script = () => undefined,
): Script {
  return (asked) => {
    if (asked.url.pathname === "/token") return tokens(asked);
    if (asked.request.headers.get("authorization") === expected) return undefined;
    const response = new Response("{}", { status: 401 });
    for (const header of headers(asked)) response.headers.append("www-authenticate", header);
    return response;
  };
}

const realm = ({ url }: Asked): string =>
  `Bearer realm="${url.origin}/token",service="registry",scope="repository:test/image:pull"`;
const giveToken: Script = () => Response.json({ token: "t0ken" });

async function credentials({ box }: Scene, text: string): Promise<string> {
  const path = `${box.config}/.credentials`;
  await box.run(["sh", "-c", `umask 077; cat > ${path}`], { stdin: text });
  return path;
}

const login = ({ registry }: Scene, host = registry.name): string =>
  `machine ${host} login bob password ${password}\n`;
const basic = `Basic ${btoa(`bob:${password}`)}`;

describe("challenges", () => {
  const forms: Record<string, (asked: Asked) => string[]> = {
    "a plain one": (asked) => [realm(asked)],
    "two headers, Basic first": (asked) => ['Basic realm="x"', realm(asked)],
    "two in one header": (asked) => [`Basic realm="a, b", ${realm(asked)}`],
    "a comma within the quoted scope": (asked) => [
      `Bearer realm="${asked.url.origin}/token",scope="repository:test/image:pull,push"`,
    ],
    "another case of the scheme": (asked) => [realm(asked).replace("Bearer", "bEaReR")],
    "escaped quotes": (asked) => [`Bearer realm="${asked.url.origin}/token",service="a\\"b"`],
    "no service and no scope": (asked) => [`Bearer realm="${asked.url.origin}/token"`],
    "white space around commas and equals signs": (asked) => [
      `Bearer  realm = "${asked.url.origin}/token" , service=x`,
    ],
  };
  test.each(Object.entries(forms))("%s", async (_, headers) => {
    await using here = await scene(image, guarded(headers, "Bearer t0ken", giveToken));
    await expectImport(here);
    const asked = here.registry.asked.find(({ url }) => url.pathname === "/token");
    expect(asked?.url.searchParams.get("scope")).toBe("repository:test/image:pull");
    expect(asked?.request.headers.has("authorization")).toBeFalse();
  });

  test("none that is known is an error", async () => {
    await using here = await scene(
      image,
      guarded(() => ["Negotiate"], "x"),
    );
    await expectRefusal(here, /no authentication that we know \(negotiate\)/);
  });
});

describe("tokens", () => {
  test("access_token instead of token", async () => {
    await using here = await scene(
      image,
      guarded(
        (a) => [realm(a)],
        "Bearer t0ken",
        () => Response.json({ access_token: "t0ken" }),
      ),
    );
    await expectImport(here);
  });

  test("renewed when one is refused in the middle of a pull", async () => {
    let valid = "first";
    const script: Script = (asked) => {
      if (asked.url.pathname === "/token") return Response.json({ token: valid });
      if (asked.kind === "blob" && valid === "first") valid = "second";
      if (asked.request.headers.get("authorization") === `Bearer ${valid}`) return undefined;
      return new Response("{}", { status: 401, headers: { "www-authenticate": realm(asked) } });
    };
    await using here = await scene(image, script);
    await expectImport(here);
  });

  test("renewed before it is used when it has run out", async () => {
    let given = 0;
    const script: Script = (asked) => {
      if (asked.url.pathname === "/token") return Response.json({ token: `t${++given}`, expires_in: 1 });
      if (asked.request.headers.get("authorization") === `Bearer t${given}`) return undefined;
      return new Response("{}", { status: 401, headers: { "www-authenticate": realm(asked) } });
    };
    await using here = await scene(image, script);
    await expectImport(here);
    const refused = here.registry.asked.filter(
      ({ kind, request }) => kind === "blob" && request.headers.get("authorization") === null,
    );
    expect({ given: given > 1, refused }).toEqual({ given: true, refused: [] });
  });

  test("a server that gives none", async () => {
    await using here = await scene(
      image,
      guarded(
        (a) => [realm(a)],
        "x",
        () => Response.json({ nothing: true }),
      ),
    );
    await expectRefusal(here, /gives no token: invalid answer/);
  });

  test("a server that redirects is not followed", async () => {
    const elsewhere: Script = ({ url }) => Response.redirect(`${url.origin}/elsewhere`);
    await using here = await scene(
      image,
      guarded((a) => [realm(a)], "x", elsewhere),
    );
    await expectRefusal(here, /gives no token: error 302/);
    expect(here.registry.asked.some(({ url }) => url.pathname === "/elsewhere")).toBeFalse();
  });
});

describe("credentials", () => {
  test("go to the registry's own token server", async () => {
    const tokens: Script = ({ request }) =>
      request.headers.get("authorization") === basic
        ? Response.json({ token: "t0ken" })
        : new Response("", { status: 401 });
    await using here = await scene(
      image,
      guarded((a) => [realm(a)], "Bearer t0ken", tokens),
    );
    await credentials(here, login(here));
    await expectImport(here);
  });

  test("go to a registry that wants Basic, over as many requests as it takes", async () => {
    await using here = await scene(
      image,
      guarded(() => ['Basic realm="x"'], basic),
    );
    await credentials(here, login(here));
    await expectImport(here);
  });

  test.each([
    ["without its port", (s: Scene) => login(s, "127.0.0.1")],
    ["over several lines", (s: Scene) => `machine ${s.registry.name}\n  login bob\n  password ${password}\n`],
    ["in another order", (s: Scene) => `machine ${s.registry.name} password ${password} login bob\n`],
    ["quoted", (s: Scene) => `machine ${s.registry.name} login "bob" password "${password}"\n`],
    [
      "after a macro and a comment",
      (s: Scene) => `# mine\nmacdef init\nmachine ${s.registry.name} login eve password wrong\n\n${login(s)}`,
    ],
    ["as the default", () => `default login bob password ${password}\n`],
  ])("are found %s", async (_, text) => {
    await using here = await scene(
      image,
      guarded(() => ['Basic realm="x"'], basic),
    );
    await credentials(here, text(here));
    await expectImport(here);
  });

  test("of the user that the URI names", async () => {
    await using here = await scene(
      image,
      guarded(() => ['Basic realm="x"'], basic),
    );
    await credentials(here, `machine ${here.registry.name} login eve password wrong\n${login(here)}`);
    const uri = here.registry.uri.replace("docker://", "docker://bob@");
    expect(await here.box.ok(["digest", uri])).toMatch(/^sha256:/);
  });

  test("missing for the user that the URI names: says where they belong", async () => {
    await using here = await scene(
      image,
      guarded(() => ['Basic realm="x"'], basic),
    );
    const result = await here.box.enroot(["digest", here.registry.uri.replace("docker://", "docker://bob@")]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain(`No password for user bob of ${here.registry.name}`);
  });

  test("do not go to a token server on another site", async () => {
    await using here = await scene(
      image,
      guarded(({ url }) => [`Bearer realm="http://localhost:${url.port}/token"`], "x"),
    );
    await credentials(here, login(here));
    await expectRefusal(here, /wants its password sent to another site, localhost/);
    expect(here.registry.asked.some(({ url }) => url.pathname === "/token")).toBeFalse();
  });

  test("go there when the file has them for that server too", async () => {
    await using here = await scene(
      image,
      guarded(({ url }) => [`Bearer realm="http://localhost:${url.port}/token"`], "Bearer t0ken", giveToken),
    );
    await credentials(here, `${login(here)}${login(here, "localhost")}`);
    await expectImport(here);
  });

  test("are in no argument of a process, and in no output", async () => {
    await using here = await scene(
      image,
      guarded((a) => [realm(a)], "Bearer t0ken", giveToken),
    );
    await credentials(
      here,
      `machine ${here.registry.name} login bob password $(cat ${here.box.config}/pass)\n`,
    );
    await here.box.run(["sh", "-c", `umask 077; cat > ${here.box.config}/pass`], { stdin: password });
    const result = await expectImport(here, { ENROOT_DEBUG: "y" });
    for (const secret of [password, btoa(`bob:${password}`), "t0ken"]) {
      expect(result.stdout + result.stderr).not.toContain(secret);
    }
  });
});

describe("token servers that are not to be trusted", () => {
  test.each([
    ["a user in the URL", "http://eve:x@127.0.0.1/token"],
    ["the metadata service", "http://169.254.169.254/token"],
    ["another scheme", "file:///etc/passwd"],
    ["nonsense", "::::"],
  ])("%s", async (_, url) => {
    await using here = await scene(
      image,
      guarded(() => [`Bearer realm="${url}"`], "x"),
    );
    await expectRefusal(here, /not to be trusted/);
  });
});

describe("redirects", () => {
  test("to another origin lose the credentials", async () => {
    const seen: (string | null)[] = [];
    await using other = (
      await scene(image, ({ request }) => void seen.push(request.headers.get("authorization")))
    ).registry;
    const script = guarded(() => ['Basic realm="x"'], basic);
    await using here = await scene(image, (asked) => {
      const refused = script(asked);
      if (refused || asked.kind !== "blob") return refused;
      return Response.redirect(`http://${other.name}${asked.url.pathname}?X-Amz-Signature=abc`, 307);
    });
    await credentials(here, login(here));
    await expectImport(here);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((header) => header === null)).toBeTrue();
  });

  test("to the same origin keep them", async () => {
    const script = guarded(() => ['Basic realm="x"'], basic);
    await using here = await scene(image, (asked) => {
      const refused = script(asked);
      if (refused || asked.kind !== "blob" || asked.url.searchParams.has("again")) return refused;
      return Response.redirect(`${asked.url.href}?again=1`, 307);
    });
    await credentials(here, login(here));
    await expectImport(here);
  });

  test("without an end are an error", async () => {
    await using here = await scene(image, ({ url }) => Response.redirect(url.href));
    await expectRefusal(here, /Too many redirects/);
  });

  test("to another scheme are an error", async () => {
    await using here = await scene(image, ({ kind }) =>
      kind === "blob"
        ? new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } })
        : undefined,
    );
    await expectRefusal(here, /redirects to file:/);
  });

  test("signatures of URLs are in no message", async () => {
    await using here = await scene(image, ({ kind, url }) => {
      if (kind !== "blob") return undefined;
      return url.search
        ? new Response("", { status: 500 })
        : Response.redirect(`${url.href}?X-Amz-Signature=abcdef`, 307);
    });
    const result = await expectRefusal(here, /error code: 500/, { ENROOT_DEBUG: "y" });
    expect(result.stdout + result.stderr).not.toContain("abcdef");
  });
});
