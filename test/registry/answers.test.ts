// SPDX-License-Identifier: Apache-2.0
// Errors of registries, and how often they are asked again.
import { describe, expect, test } from "bun:test";
import { installation } from "../conformance/installation.ts";
import {
  credentials,
  expectImport,
  expectRefusal,
  guarded,
  login,
  plainImage,
  realm,
  scene,
} from "./fixture.ts";

const image = plainImage();

describe("errors", () => {
  test("no such image", async () => {
    await using here = await scene(image, () => Response.json({}, { status: 404 }));
    await expectRefusal(here, /No such image test\/image:latest in 127\.0\.0\.1/);
  });

  test("too many requests: the registry's own words", async () => {
    const errors = [{ code: "TOOMANYREQUESTS", message: "You have reached your pull rate limit" }];
    await using here = await scene(image, () => Response.json({ errors }, { status: 429 }));
    await expectRefusal(here, /Too many requests.*pull rate limit/);
  });

  test("too many requests: how many there may be", async () => {
    const headers = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600" };
    await using here = await scene(image, () => Response.json({}, { status: 429, headers }));
    await expectRefusal(here, /Too many requests.*the limit is 100 in 360 minutes/);
  });

  test("access that is denied: whose it was", async () => {
    await using here = await scene(
      image,
      guarded(
        (asked) => [realm(asked)],
        "none is good",
        () => Response.json({ token: "t0ken" }),
      ),
    );
    const path = await credentials(here, login(here));
    await expectRefusal(
      here,
      new RegExp(`Access denied to image test/image.*another user than bob of ${path}`),
    );
  });

  test("a registry that is not there", async () => {
    await using here = await scene(image);
    const message = async (uri: string): Promise<string> => (await here.box.enroot(["digest", uri])).stderr;
    expect(await message("docker://127.0.0.1:1#test/image")).toContain("127.0.0.1:1: connection refused");
    expect(await message("docker://registry.invalid#test/image")).toContain(
      "registry.invalid: host not found",
    );
  });

  test("a server that speaks something else", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end("220 smtp ready\r\n") },
    });
    await using here = await scene(image);
    const result = await here.box.enroot(["digest", `docker://127.0.0.1:${server.port}#test/image`]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr.trim().split("\n").at(-1)).toMatch(/^\[ERROR\] Could not connect to 127\.0\.0\.1/);
  });

  test("headers without an end", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${"X-Filler: y\r\n".repeat(100_000)}`),
        drain: (socket) => void socket.write("X-Filler: y\r\n".repeat(10_000)),
      },
    });
    await using here = await scene(image);
    const result = await here.box.enroot(["digest", `docker://127.0.0.1:${server.port}#test/image`]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
  });

  test("words that would drive a terminal are cleaned", async () => {
    const errors = [{ message: "\u001b[31mred\nline" }];
    await using here = await scene(image, () => Response.json({ errors }, { status: 500 }));
    const result = await expectRefusal(here, /error code: 500/);
    expect(result.stderr).not.toContain("\u001b");
  });

  test("denied", async () => {
    await using here = await scene(image, () =>
      Response.json({ errors: [{ message: "denied" }] }, { status: 403 }),
    );
    await expectRefusal(here, /Access denied.*denied/);
  });

  test("an answer that never comes", async () => {
    await using here = await scene(
      image,
      ({ request }) =>
        new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(undefined))),
    );
    await expectRefusal(here, /no answer within 1 seconds/, { ENROOT_CONNECT_TIMEOUT: "1" });
  });

  test("a transfer that takes too long", async () => {
    await using here = await scene(image, ({ kind, request }) =>
      kind === "blob"
        ? new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(undefined)))
        : undefined,
    );
    await expectRefusal(here, /Could not connect|broke off/, { ENROOT_TRANSFER_TIMEOUT: "1" });
  });
});

describe("ENROOT_TRANSFER_RETRIES", () => {
  test.each([408, 429, 500, 502, 503, 504])("asks again after %d", async (status) => {
    await using here = await scene(image, ({ kind, count }) =>
      kind === "manifest" && count < 2
        ? new Response("{}", { status, headers: { "retry-after": "0" } })
        : undefined,
    );
    await expectImport(here, { ENROOT_TRANSFER_RETRIES: "2" });
  });

  test("asks no more often than that", async () => {
    await using here = await scene(
      image,
      () => new Response("{}", { status: 503, headers: { "retry-after": "0" } }),
    );
    await expectRefusal(here, /error code: 503/, { ENROOT_TRANSFER_RETRIES: "2" });
    expect(here.registry.asked).toHaveLength(3);
  });

  test("heeds Retry-After as a date", async () => {
    const soon = new Date(Date.now() + 1000).toUTCString();
    await using here = await scene(image, ({ count, kind }) =>
      kind === "manifest" && count === 0
        ? new Response("{}", { status: 503, headers: { "retry-after": soon } })
        : undefined,
    );
    await expectImport(here, { ENROOT_TRANSFER_RETRIES: "1" });
  });

  test("0 asks once", async () => {
    await using here = await scene(image, () => new Response("{}", { status: 503 }));
    await expectRefusal(here, /error code: 503/);
    expect(here.registry.asked).toHaveLength(1);
  });

  test("does not repeat what cannot get better", async () => {
    await using here = await scene(image, () => Response.json({}, { status: 404 }));
    await expectRefusal(here, /No such image/, { ENROOT_TRANSFER_RETRIES: "5" });
    expect(here.registry.asked).toHaveLength(1);
  });
});

describe("proxies", () => {
  test("http_proxy is used, for any name", async () => {
    await using here = await scene(image);
    const env = { http_proxy: `http://${here.registry.name}` };
    const digest = await here.box.ok(["digest", "docker://registry.invalid#test/image"], { env });
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  });

  test("HTTP_PROXY in capitals is not, as a request header could set it", async () => {
    await using here = await scene(image);
    const env = { HTTP_PROXY: `http://${here.registry.name}` };
    const result = await here.box.enroot(["digest", "docker://registry.invalid#test/image"], { env });
    expect(result.stderr).toContain("host not found");
    expect(here.registry.asked).toEqual([]);
  });

  test("one from enroot.conf is used, with its user", async () => {
    let header: string | null = null;
    await using here = await scene(image, ({ request }) => {
      header = request.headers.get("proxy-authorization");
      return undefined;
    });
    const text = `http_proxy http://carol:pw@${here.registry.name}\n`;
    const { enroot } = await installation(here.box, { "enroot.conf": text });
    expect(await enroot(["digest", "docker://registry.invalid#test/image"])).toMatchObject({ status: 0 });
    expect(header as string | null).toBe(`Basic ${btoa("carol:pw")}`);
  });

  test("one that is not there: its password is in no message", async () => {
    await using here = await scene(image);
    const env = { http_proxy: "http://carol:pr0xy-pass@127.0.0.1:1", ENROOT_DEBUG: "y" };
    const result = await here.box.enroot(["digest", "docker://registry.invalid#test/image"], { env });
    expect(result.status).toBe(1);
    expect(result.stderr).not.toContain("pr0xy-pass");
  });

  test.each(["registry.invalid", ".invalid", "*"])("no_proxy %s goes around it", async (pattern) => {
    await using here = await scene(image);
    const env = { http_proxy: `http://${here.registry.name}`, no_proxy: `a.example, ${pattern}` };
    const result = await here.box.enroot(["digest", "docker://registry.invalid#test/image"], { env });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("host not found");
    expect(here.registry.asked).toEqual([]);
  });

  test("a proxy that is not HTTP is refused", async () => {
    await using here = await scene(image);
    await expectRefusal(here, /Unsupported proxy: socks5:/, { all_proxy: "socks5://user:pw@127.0.0.1:1" });
  });
});

describe("the engine's own runtime", () => {
  test("variables and files for it have no effect", async () => {
    await using here = await scene(image);
    const evil = `${here.box.work}/evil.ts`;
    await here.box.run([
      "sh",
      "-c",
      `echo 'require("fs").writeFileSync("${here.box.work}/ran", "")' > ${evil}`,
    ]);
    await here.box.run([
      "sh",
      "-c",
      `printf 'preload = ["./evil.ts"]\\n' > bunfig.toml; echo http_proxy=http://127.0.0.1:1 > .env; echo '{"type":"x"' > package.json`,
    ]);
    const env = {
      BUN_OPTIONS: `--preload ${evil}`,
      BUN_BE_BUN: "1",
      BUN_INSPECT: "ws://127.0.0.1:1",
      NODE_OPTIONS: `--require ${evil}`,
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      NODE_EXTRA_CA_CERTS: "/nonexistent",
    };
    expect(await here.box.ok(["digest", here.registry.uri], { env })).toMatch(/^sha256:/);
    expect((await here.box.run(["ls", "ran"])).status).not.toBe(0);
  });
});
