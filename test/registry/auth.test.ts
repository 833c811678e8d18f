// SPDX-License-Identifier: Apache-2.0
// Who is asked for tokens, what is sent to whom, and what is never sent.
import { describe, expect, test } from "bun:test";
import {
  basic,
  credentials,
  expectImport,
  expectRefusal,
  giveToken,
  guarded,
  login,
  password,
  plainImage,
  realm,
  type Scene,
  scene,
} from "./fixture.ts";
import type { Asked, Script } from "./scripted-registry.ts";

const image = plainImage();

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
