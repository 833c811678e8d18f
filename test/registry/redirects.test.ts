// SPDX-License-Identifier: Apache-2.0
// Where redirects may lead, and what goes along.
import { describe, expect, test } from "bun:test";
import {
  basic,
  credentials,
  expectImport,
  expectRefusal,
  guarded,
  login,
  password,
  plainImage,
  scene,
} from "./fixture.ts";
import { digestOf } from "./scripted-image.ts";
import { serveImage } from "./scripted-registry.ts";

const image = plainImage();

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

  test("to a site that asks for a password get none: its challenge is not the registry's", async () => {
    const seen: (string | null)[] = [];
    await using other = serveImage(
      image,
      ({ url, request }) => {
        seen.push(request.headers.get("authorization"));
        const challenge = `Bearer realm="http://${url.host}/token", Basic realm="x"`;
        return new Response("{}", { status: 401, headers: { "www-authenticate": challenge } });
      },
      { hostname: "127.0.0.2" },
    );
    const script = guarded(() => ['Basic realm="x"'], basic);
    await using here = await scene(image, (asked) => {
      const refused = script(asked);
      if (refused || asked.kind !== "blob") return refused;
      return Response.redirect(`http://${other.name}${asked.url.pathname}`, 307);
    });
    await credentials(here, `${login(here)}${login(here, "127.0.0.2")}`);
    const result = await expectRefusal(here, /error code: 401/);
    expect(result.stderr).not.toContain(password);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((header) => header === null)).toBeTrue();
  });

  test("whose address has run out: the registry is asked for another", async () => {
    await using here = await scene(image, ({ kind, url, count }) => {
      if (kind !== "blob" || url.hostname !== "127.0.0.1") return undefined;
      return Response.redirect(`http://127.0.0.2:${store.port}${url.pathname}?expires=${count}`, 307);
    });
    await using store = serveImage(
      image,
      ({ url }) =>
        url.searchParams.get("expires") === "0" ? new Response("expired", { status: 403 }) : undefined,
      { hostname: "127.0.0.2" },
    );
    await expectImport(here);
  });

  test("are followed ten times", async () => {
    await using here = await scene(image, ({ kind, url }) => {
      const hop = Number(url.searchParams.get("hop") ?? 0);
      if (kind !== "manifest" || hop >= 10) return undefined;
      return Response.redirect(`${url.origin}${url.pathname}?hop=${hop + 1}`, 307);
    });
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(`${digestOf(image.manifest)}\n`);
  });
});
