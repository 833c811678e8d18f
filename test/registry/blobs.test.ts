// SPDX-License-Identifier: Apache-2.0
// Blobs that do not come as they should.
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { testUser, until } from "../harness/index.ts";
import { archive } from "./archive.ts";
import { errorLines, expectImport, expectRefusal, fileOf, importIt, plainImage, scene } from "./fixture.ts";
import { digestOf, scriptedImage } from "./scripted-image.ts";
import type { Asked } from "./scripted-registry.ts";

const tar = archive([{ name: "greeting", data: "hello\n" }]);
const noise = randomBytes(300_000);
const bigTar = archive([
  { name: "greeting", data: "hello\n" },
  { name: "noise", data: noise },
]);
const bigImage = scriptedImage([{ tar: bigTar }]);
const bigBlob = gzipSync(bigTar);
const isLayer = (asked: Asked): boolean => asked.kind === "blob" && asked.reference === digestOf(bigBlob);
const bytes = (data: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(data);

/** A body that breaks off. */
function broken(data: Uint8Array): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(data);
      controller.close();
    },
  });
}

describe("transfer", () => {
  test("a body that breaks off is resumed by a range", async () => {
    const ranges: (string | null)[] = [];
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked)) return undefined;
      const range = asked.request.headers.get("range");
      ranges.push(range);
      if (range === null) return new Response(broken(bigBlob.subarray(0, 100_000)));
      const from = Number(/\d+/.exec(range)?.[0]);
      const headers = { "content-range": `bytes ${from}-${bigBlob.length - 1}/${bigBlob.length}` };
      return new Response(bytes(bigBlob.subarray(from)), { status: 206, headers });
    });
    await expectImport(here);
    expect(ranges).toEqual([null, "bytes=100000-"]);
  });

  test("a range that is ignored starts the blob again", async () => {
    await using here = await scene(bigImage, (asked) =>
      isLayer(asked) && asked.count === 0 ? new Response(broken(bigBlob.subarray(0, 100_000))) : undefined,
    );
    await expectImport(here);
  });

  test.each([416, 400, 412])("a range that cannot be served (%d) starts the blob again", async (status) => {
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked)) return undefined;
      if (asked.count === 0) return new Response(broken(bigBlob.subarray(0, 100_000)));
      return asked.request.headers.has("range") ? new Response(null, { status }) : undefined;
    });
    await expectImport(here);
  });

  test("a blob that has changed behind a range (another ETag) starts again", async () => {
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked)) return undefined;
      const old = { etag: '"old"' };
      if (asked.count === 0) return new Response(broken(randomBytes(100_000)), { headers: old });
      if (!asked.request.headers.has("range")) return undefined;
      const range = `bytes 100000-${bigBlob.length - 1}/${bigBlob.length}`;
      const headers = { etag: '"new"', "content-range": range };
      return new Response(bytes(bigBlob.subarray(100_000)), { status: 206, headers });
    });
    await expectImport(here);
    const ranges = here.registry.asked.filter(isLayer).map(({ request }) => request.headers.get("range"));
    expect(ranges).toEqual([null, "bytes=100000-", null]);
  });

  test("a connection that breaks off often is good enough as long as it brings something", async () => {
    const long = scriptedImage([
      {
        tar: archive([
          { name: "greeting", data: "hello\n" },
          { name: "noise", data: randomBytes(9 << 20) },
        ]),
        compression: "none",
      },
    ]);
    const piece = 1_200_000;
    await using here = await scene(long, ({ kind, reference, request }) => {
      const blob = kind === "blob" ? long.blobs.get(reference) : undefined;
      if (!blob || blob.length < piece) return undefined;
      const from = Number(/\d+/.exec(request.headers.get("range") ?? "0")?.[0]);
      const headers = { "content-range": `bytes ${from}-${blob.length - 1}/${blob.length}` };
      return new Response(
        broken(blob.subarray(from, from + piece)),
        from > 0 ? { status: 206, headers } : {},
      );
    });
    await expectImport(here);
  });

  test("a layer that cannot be had ends the wait for the others", async () => {
    const other = { tar: archive([{ name: "other", data: "x" }]) };
    const image = scriptedImage([other, { tar: bigTar }]);
    await using here = await scene(image, (asked) => {
      if (isLayer(asked))
        return new Promise((resolve) =>
          asked.request.signal.addEventListener("abort", () => resolve(undefined)),
        );
      if (asked.kind !== "blob" || asked.reference !== digestOf(gzipSync(other.tar))) return undefined;
      return new Response("{}", { status: 404 });
    });
    await expectRefusal(here, /No such blob/, { ENROOT_CONNECT_TIMEOUT: "0" });
  });

  test("a body that drips is ended by ENROOT_TRANSFER_TIMEOUT", async () => {
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked)) return undefined;
      const drops = new ReadableStream({
        async pull(controller) {
          await Bun.sleep(50);
          controller.enqueue(bigBlob.subarray(0, 1));
        },
      });
      return new Response(drops);
    });
    await expectRefusal(here, /broke off: it took longer than ENROOT_TRANSFER_TIMEOUT allows/, {
      ENROOT_TRANSFER_TIMEOUT: "1",
    });
  });

  test("a large blob takes no more memory than a small one", async () => {
    const size = 400 << 20;
    const piece = Buffer.alloc(1 << 20, "enroot");
    const image = scriptedImage([{ tar }], {
      edit: (manifest) => ({ ...manifest, layers: [{ mediaType: "", digest: digestOf("large"), size }] }),
    });
    let sent = 0;
    await using here = await scene(image, ({ reference }) => {
      if (reference !== digestOf("large")) return undefined;
      const body = new ReadableStream({
        // The last piece never comes: then there is time to look.
        pull(controller) {
          if (sent >= size - piece.length) return new Promise<void>(() => {});
          sent += piece.length;
          controller.enqueue(piece);
          return undefined;
        },
      });
      return new Response(body);
    });
    const child = here.box.start(["import", "-o", "a.sqsh", here.registry.uri]);
    const part = `${here.box.cache}/blobs/sha256/${digestOf("large").slice(7)}.${testUser().uid}.part`;
    await until(
      "all but the last bytes",
      async () => (await Bun.file(part).exists()) && Bun.file(part).size >= size - 2 * piece.length,
    );
    const peak = /^VmHWM:\s*(\d+) kB$/m.exec(await Bun.file(`/proc/${child.pid}/status`).text())?.[1];
    child.kill("SIGTERM");
    expect(await child.exited).toMatchObject({ signal: "SIGTERM" });
    expect(Number(peak)).toBeLessThan(256 << 10);
  });

  test("another range than was asked for is not used", async () => {
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked)) return undefined;
      if (asked.count === 0) return new Response(broken(bigBlob.subarray(0, 100_000)));
      const headers = { "content-range": `bytes 5-${bigBlob.length - 1}/${bigBlob.length}` };
      return new Response(bytes(bigBlob.subarray(5)), { status: 206, headers });
    });
    await expectRefusal(here, /another range/);
  });

  test("a body that always breaks off is an error", async () => {
    await using here = await scene(bigImage, (asked) =>
      isLayer(asked) ? new Response(broken(bigBlob.subarray(0, 50_000))) : undefined,
    );
    await expectRefusal(here, /broke off after 50000 of/);
  });

  test("a body that is longer than it should be is an error", async () => {
    await using here = await scene(bigImage, (asked) =>
      isLayer(asked) ? new Response(Buffer.concat([bigBlob, Buffer.alloc(1000)])) : undefined,
    );
    await expectRefusal(here, /sends more than the/);
  });

  test("other bytes of the same length are an error, and are not kept", async () => {
    await using here = await scene(bigImage, (asked) =>
      isLayer(asked) ? new Response(bytes(Buffer.alloc(bigBlob.length, 1))) : undefined,
    );
    await expectRefusal(here, /Digest mismatch/);
    const cached = (await here.box.run(["ls", `${here.box.cache}/blobs/sha256`])).stdout;
    expect(cached).not.toContain(digestOf(bigBlob).slice(7));
  });

  test("Content-Encoding: gzip on a blob changes nothing: digests are of the bytes on the wire", async () => {
    await using here = await scene(bigImage, (asked) =>
      isLayer(asked) ? new Response(bytes(bigBlob), { headers: { "content-encoding": "gzip" } }) : undefined,
    );
    await expectImport(here);
  });

  test("at most ENROOT_MAX_CONNECTIONS blobs at once", async () => {
    const layers = Array.from({ length: 8 }, (_, index) => ({
      tar: archive([{ name: `f${index}`, data: `${index}` }]),
    }));
    let now = 0;
    let most = 0;
    await using here = await scene(scriptedImage([{ tar }, ...layers]), async ({ kind, count }) => {
      if (kind !== "blob" || count > 0) return undefined;
      most = Math.max(most, ++now);
      await Bun.sleep(20);
      now--;
      return undefined;
    });
    await expectImport(here, { ENROOT_MAX_CONNECTIONS: "3" });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });
});

describe("compression", () => {
  const half = Math.floor(tar.length / 2);
  const stored: Record<string, Uint8Array> = {
    "gzip with several members": Buffer.concat([
      gzipSync(tar.subarray(0, half)),
      gzipSync(tar.subarray(half)),
    ]),
    "gzip with zeros after it": Buffer.concat([gzipSync(tar), Buffer.alloc(700)]),
    "zstd with several frames": Buffer.concat([
      zstdCompressSync(tar.subarray(0, half)),
      zstdCompressSync(tar.subarray(half)),
    ]),
    "zstd with a skippable frame": Buffer.concat([
      Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]),
      zstdCompressSync(tar),
    ]),
    "zstd under a gzip media type": zstdCompressSync(tar),
    "no compression under a gzip media type": tar,
  };
  test.each(Object.entries(stored))("%s", async (_, data) => {
    await using here = await scene(scriptedImage([{ stored: data, tar }]));
    await expectImport(here);
  });

  test("gzip under a plain media type", async () => {
    const mediaType = "application/vnd.oci.image.layer.v1.tar";
    await using here = await scene(scriptedImage([{ stored: gzipSync(tar), tar, mediaType }]));
    await expectImport(here);
  });

  test("the Docker media type of zstd layers", async () => {
    const mediaType = "application/vnd.docker.image.rootfs.diff.tar.zstd";
    await using here = await scene(scriptedImage([{ stored: zstdCompressSync(tar), tar, mediaType }]));
    await expectImport(here);
  });

  test.each([
    ["gzip", gzipSync(bigTar)],
    ["zstd", zstdCompressSync(bigTar)],
  ])("a truncated %s layer with a right digest is an error", async (_, data) => {
    await using here = await scene(
      scriptedImage([{ stored: data.subarray(0, data.length - 5000), tar: bigTar }]),
    );
    await expectRefusal(here, /damaged or truncated|is truncated/);
  });

  test("a layer that is not what its diffID says is an error", async () => {
    await using here = await scene(scriptedImage([{ stored: gzipSync(bigTar), tar }]));
    await expectRefusal(here, /Digest mismatch: the layer/);
  });

  test("an empty layer", async () => {
    await using here = await scene(scriptedImage([{ tar }, { tar: archive([]) }]));
    await expectImport(here);
  });

  test("the same layer twice", async () => {
    await using here = await scene(scriptedImage([{ tar }, { tar }]));
    await expectImport(here);
  });

  test("an image of 150 layers", async () => {
    const layers = Array.from({ length: 149 }, (_, index) => ({
      tar: archive([{ name: `d/${index}`, data: `${index}` }]),
    }));
    await using here = await scene(scriptedImage([{ tar }, ...layers]));
    await expectImport(here);
    expect(await fileOf(here, "d/148")).toBe("148");
  });

  test("an encrypted layer is refused", async () => {
    const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    await using here = await scene(scriptedImage([{ stored: gzipSync(tar), tar, mediaType }]));
    await expectRefusal(here, /encrypted layers/);
  });
});

test("foreign layers are asked of the registry, never of their urls", async () => {
  const image = scriptedImage([{ tar }], {
    edit: (manifest) => ({
      ...manifest,
      layers: (manifest["layers"] as object[]).map((layer) => ({
        ...layer,
        urls: ["http://127.0.0.1:1/stolen"],
      })),
    }),
  });
  await using here = await scene(image);
  await expectImport(here);
});

test("nothing is fetched when the output is there already", async () => {
  await using here = await scene(plainImage());
  await here.box.run(["touch", "a.sqsh"]);
  const result = await importIt(here);
  expect(result.status).toBe(1);
  expect(errorLines(result)).toHaveLength(1);
  expect(here.registry.asked).toEqual([]);
});
