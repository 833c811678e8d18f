// SPDX-License-Identifier: Apache-2.0
// Settings of transfers, against a registry that does what is asked of it.
import { expect, test } from "bun:test";
import { sandbox } from "../harness/index.ts";
import { freePort } from "../harness/port.ts";
import { scriptedImage } from "../registry/scripted-image.ts";
import { type Asked, answer, type Script, serveImage } from "../registry/scripted-registry.ts";
import { files } from "./surroundings.ts";

// Empty archives of different lengths: equal ones would be one blob.
const layers = Array.from({ length: 8 }, (_, index) => ({ tar: new Uint8Array(10240 * (index + 1)) }));
const image = scriptedImage(layers, { config: { Env: ["PATH=/bin"] } });

/** Imports from a registry with a script. */
async function imported(script: Script, env: Readonly<Record<string, string>>) {
  await using registry = serveImage(image, script);
  await using box = await sandbox({ env: { ...registry.env, ...env } });
  const { status } = await box.enroot(["import", "-o", "image.sqsh", registry.uri]);
  return { status, made: await files(box, box.work), temporary: await files(box, box.temp) };
}

const done = { status: 0, made: "image.sqsh\n", temporary: "" };

test("what fails once is tried again as often as ENROOT_TRANSFER_RETRIES says", async () => {
  const busy: Script = ({ kind, count }: Asked) =>
    kind === "blob" && count === 0 ? new Response("busy", { status: 503 }) : undefined;
  expect(await imported(busy, { ENROOT_TRANSFER_RETRIES: "3" })).toEqual(done);
});

test("a transfer that takes longer than ENROOT_TRANSFER_TIMEOUT is given up, and leaves nothing", async () => {
  const silent: Script = ({ kind }: Asked) =>
    kind === "blob" ? new Promise<undefined>(() => {}) : undefined;
  const { status, made, temporary } = await imported(silent, { ENROOT_TRANSFER_TIMEOUT: "1" });
  expect({ failed: status !== 0, made, temporary }).toEqual({ failed: true, made: "", temporary: "" });
});

test("no more blobs are fetched at a time than ENROOT_MAX_CONNECTIONS says", async () => {
  let now = 0;
  let most = 0;
  const counted: Script = async (asked: Asked) => {
    if (asked.kind !== "blob") return undefined;
    most = Math.max(most, ++now);
    await Bun.sleep(100); // long enough that all that may come at once do
    now--;
    return answer(image, asked);
  };
  expect(await imported(counted, { ENROOT_MAX_CONNECTIONS: "2" })).toEqual(done);
  expect(most).toBeLessThanOrEqual(2);
});

test("proxies of the environment are used, but not for the hosts of no_proxy", async () => {
  const proxy = `http://127.0.0.1:${freePort()}`;
  const { status, made } = await imported(() => undefined, { http_proxy: proxy });
  expect({ failed: status !== 0, made }).toEqual({ failed: true, made: "" });
  expect(await imported(() => undefined, { http_proxy: proxy, no_proxy: "127.0.0.1" })).toEqual(done);
});

test("a token is not handed to the place that blobs are redirected to", async () => {
  const seen: (string | null)[] = [];
  await using elsewhere = serveImage(image, ({ request }) => {
    seen.push(request.headers.get("authorization"));
    return undefined;
  });
  const script: Script = ({ url, request, kind }: Asked) => {
    if (url.pathname === "/token") return Response.json({ token: "the-token" });
    if (request.headers.get("authorization") === null) {
      const challenge = `Bearer realm="http://${url.host}/token",service="test",scope="repository:test/image:pull"`;
      return new Response("", { status: 401, headers: { "www-authenticate": challenge } });
    }
    if (kind !== "blob") return undefined;
    return Response.redirect(`http://localhost:${elsewhere.port}${url.pathname}`, 307);
  };
  expect(await imported(script, {})).toEqual(done);
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set(seen)).toEqual(new Set([null]));
});
