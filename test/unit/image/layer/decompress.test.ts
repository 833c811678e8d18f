// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { EnrootError } from "../../../../src/errors.ts";
import { compressionOf, decompress } from "../../../../src/image/layer/decompress.ts";

const text = Buffer.from(Array.from({ length: 3000 }, (_, index) => String((index * 7919) % 1009)).join(" "));
const half = text.length / 2;
const skippable = Buffer.concat([Buffer.from([0x5e, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.from("skip")]);
const whole: Readonly<Record<string, Buffer>> = {
  plain: text,
  gzip: gzipSync(text),
  "gzip in members": Buffer.concat([gzipSync(text.subarray(0, half)), gzipSync(text.subarray(half))]),
  "gzip with zeros after it": Buffer.concat([gzipSync(text), Buffer.alloc(1000)]),
  zstd: zstdCompressSync(text),
  "zstd in frames": Buffer.concat([
    zstdCompressSync(text.subarray(0, half)),
    zstdCompressSync(text.subarray(half)),
  ]),
  "zstd with frames to skip": Buffer.concat([skippable, zstdCompressSync(text), skippable]),
};

async function unpack(blob: Buffer, chunk = 1000): Promise<Buffer> {
  const chunks = Array.from({ length: Math.ceil(blob.length / chunk) }, (_, index) =>
    blob.subarray(index * chunk, (index + 1) * chunk),
  );
  const parts: Uint8Array[] = [];
  for await (const part of decompress(Readable.from(chunks), blob.subarray(0, 8))) parts.push(part);
  return Buffer.concat(parts);
}

async function attempt(blob: Buffer): Promise<Buffer | undefined> {
  try {
    return await unpack(blob);
  } catch (error) {
    expect(error).toBeInstanceOf(EnrootError);
    return undefined;
  }
}

describe.each(Object.entries(whole))("%s", (name, blob) => {
  test("is unpacked, in pieces of any size", async () => {
    for (const chunk of [1, 13, 100_000]) expect((await unpack(blob, chunk)).equals(text)).toBe(true);
  });

  test("cut anywhere is never taken for more or other than it is", async () => {
    if (name === "plain") return;
    for (let end = 4; end < blob.length; end += end < 40 || end > blob.length - 40 ? 1 : 97) {
      const found = await attempt(blob.subarray(0, end));
      if (found === undefined) continue;
      // A cut between two members or frames, or within the zeros, is no error by itself: digests tell.
      expect([end, /in|after|skip/.test(name) || found.length === 0]).toEqual([end, true]);
      expect(text.subarray(0, found.length).equals(found)).toBe(true);
    }
  });
});

test("one frame or member that is cut is an error", async () => {
  for (const blob of [whole["gzip"], whole["zstd"]]) {
    for (let end = 4; blob && end < blob.length; end += 11) {
      expect([end, await attempt(blob.subarray(0, end))]).toEqual([end, undefined]);
    }
  }
});

test("what is no frame after one is an error", async () => {
  expect(await attempt(Buffer.concat([zstdCompressSync(text), Buffer.from("rubbish")]))).toBeUndefined();
});

test("other compressions are refused by name", () => {
  const magics = {
    xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
    bzip2: [0x42, 0x5a, 0x68],
    lz4: [4, 0x22, 0x4d, 0x18],
  };
  for (const [name, magic] of Object.entries(magics))
    expect(() => compressionOf(Buffer.from(magic))).toThrow(`compressed with ${name}`);
});
