// SPDX-License-Identifier: Apache-2.0
// Blobs that do not come as they should.
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { testUser } from "../harness/index.ts";
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

  test("a range that cannot be served (416) starts the blob again", async () => {
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked)) return undefined;
      if (asked.count === 0) return new Response(broken(bigBlob.subarray(0, 100_000)));
      return asked.request.headers.has("range") ? new Response(null, { status: 416 }) : undefined;
    });
    await expectImport(here);
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

  test("a partial blob of an earlier run is used", async () => {
    await using here = await scene(bigImage, (asked) => {
      if (!isLayer(asked) || asked.request.headers.has("range")) return undefined;
      return new Response(broken(bigBlob.subarray(0, 100_000)));
    });
    await here.box.run(["sh", "-c", `mkdir -p ${here.box.cache}/blobs/sha256`]);
    const part = `${here.box.cache}/blobs/sha256/${digestOf(bigBlob).slice(7)}.${testUser().uid}.part`;
    await here.box.run(["sh", "-c", `cat > ${part}`], { stdin: bigBlob.subarray(0, 200_000) });
    await expectImport(here);
    const ranges = here.registry.asked.filter(isLayer).map(({ request }) => request.headers.get("range"));
    expect(ranges).toEqual(["bytes=200000-"]);
  });

  test("a cached blob that others may write is hashed again", async () => {
    await using here = await scene(bigImage);
    await expectImport(here);
    const cached = `${here.box.cache}/blobs/sha256/${digestOf(bigBlob).slice(7)}`;
    await here.box.run([
      "sh",
      "-c",
      `rm a.sqsh; chmod 666 ${cached}; printf x | dd of=${cached} conv=notrunc`,
    ]);
    await expectImport(here);
    expect(here.registry.asked.filter(isLayer)).toHaveLength(2);
  });

  test("a second import fetches no blob", async () => {
    await using here = await scene(bigImage);
    await expectImport(here);
    await here.box.run(["rm", "a.sqsh"]);
    const result = await expectImport(here);
    expect(result.stderr).toContain("Found all layers in cache");
    expect(here.registry.asked.filter(isLayer)).toHaveLength(1);
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
