// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { imageKind } from "../../../src/image/kind.ts";
import { parseStreamHead } from "../../../src/image/zfs-stream.ts";

/** A first record: kind of stream, features, type of dataset, and the snapshots' numbers. */
function head({ kind = 1n, features = 0n, type = 2, to = 7n, from = 0n, magic = 0x2f5bacbacn } = {}): Buffer {
  const bytes = Buffer.alloc(312);
  bytes.writeBigUInt64LE(magic, 8);
  bytes.writeBigUInt64LE(kind | (features << 2n), 16);
  bytes.writeUInt32LE(type, 32);
  bytes.writeBigUInt64LE(to, 40);
  bytes.writeBigUInt64LE(from, 48);
  return bytes;
}

test("a stream is told from its first bytes", () => {
  expect(imageKind(head())).toBe("stream");
  expect(imageKind(head({ magic: 1n }))).toBe("unknown");
});

test("the snapshots' numbers are read", () => {
  expect(parseStreamHead(head({ to: 2n ** 63n, from: 5n }), "x")).toEqual({
    toGuid: 2n ** 63n,
    fromGuid: 5n,
  });
});

describe("refused is", () => {
  test.each([
    ["a stream with properties or several datasets", head({ kind: 2n }), "one ZFS file system"],
    ["a volume", head({ type: 3 }), "one ZFS file system"],
    ["an encrypted file system", head({ features: 1n << 24n }), "encrypted"],
    ["another file", head({ magic: 1n }), "Not a stream of ZFS"],
    ["an incomplete record", head().subarray(0, 40), "Not a stream of ZFS"],
    ["an empty file", Buffer.alloc(0), "Not a stream of ZFS"],
  ])("%s", (_, bytes, words) => {
    expect(() => parseStreamHead(bytes, "FILE")).toThrow(words);
  });
});
