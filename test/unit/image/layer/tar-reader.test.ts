// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { EnrootError } from "../../../../src/errors.ts";
import { archive, type Member } from "../../../registry/archive.ts";
import { readArchive } from "./layers.ts";
import { randomNumbers } from "./random.ts";

const long = `${"d".repeat(150)}/${"e".repeat(150)}`;
const members: readonly Member[] = [
  { name: "dir/", flag: "5", mode: 0o1777 },
  { name: "dir/file", data: "hello", mtime: 12345 },
  { name: "pax", data: "x", pax: { path: long, mtime: "1600000000.9", "SCHILY.xattr.user.a": "b=\nc" } },
  { name: "././@LongLink", flag: "L", data: `${long}2\0` },
  { name: "cut", data: "y" },
  { name: "././@LongLink", flag: "K", data: `${long}3\0` },
  { name: "link", flag: "2", link: "cut" },
  { name: "hard", flag: "1", link: "dir/file" },
  { name: "sparse", data: "xy", pax: { "GNU.sparse.map": "1,1,3,1", "GNU.sparse.size": "5" } },
  { name: "last", data: "z".repeat(700) },
];
const tar = archive(members);

async function attempt(bytes: Uint8Array): Promise<number> {
  try {
    return (await readArchive(bytes)).length;
  } catch (error) {
    expect(error).toBeInstanceOf(EnrootError);
    return -1;
  }
}

/** Gives a changed header its checksum, so that what is behind the check is reached. */
function withChecksum(bytes: Buffer, at: number): Buffer {
  const header = bytes.subarray(at - (at % 512), at - (at % 512) + 512);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

describe("an archive", () => {
  test.each([1, 7, 511, 512, 513, 100_000])("is read in pieces of %d bytes", async (chunk) => {
    const found = await readArchive(tar, chunk);
    expect(found.map(({ type, path, data }) => [type, path, data.slice(0, 5)])).toEqual([
      ["directory", "dir/", ""],
      ["file", "dir/file", "hello"],
      ["file", long, "x"],
      ["file", `${long}2`, "y"],
      ["symlink", "link", ""],
      ["hardlink", "hard", ""],
      ["file", "sparse", "xy"],
      ["file", "last", "zzzzz"],
    ]);
    expect(found[2]).toMatchObject({ mtime: 1_600_000_000, xattrs: new Map([["user.a", "b=\nc"]]) });
    expect(found[4]?.link).toBe(`${long}3`);
  });

  test("cut anywhere is whole up to a header, or an error", async () => {
    const counts = new Set<number>();
    for (let end = 0; end <= tar.length; end++) {
      const count = await attempt(tar.subarray(0, end));
      if (end % 512 !== 0 && end < tar.length - 1024) expect([end, count <= 8]).toEqual([end, true]);
      counts.add(count);
    }
    expect([...counts].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("with any byte changed is an archive, or an error", async () => {
    const random = randomNumbers(1);
    for (let round = 0; round < 4000; round++) {
      const bytes = Buffer.from(tar);
      for (let changes = 1 + random(3); changes > 0; changes--) {
        const at = random(bytes.length);
        bytes[at] = random(256);
        withChecksum(bytes, at);
      }
      await attempt(bytes);
    }
  });

  test("of random bytes is an error or nothing", async () => {
    const random = randomNumbers(2);
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(Array.from({ length: random(2000) }, () => random(256)));
      expect(await attempt(bytes)).toBeLessThanOrEqual(0);
    }
  });

  test("whose last block is not filled up is whole", async () => {
    const bare = archive([{ name: "a", data: "abc" }], false);
    expect((await readArchive(bare.subarray(0, 512 + 3)))[0]?.data).toBe("abc");
  });

  test("ends at the first block of zeros", async () => {
    const one = archive([{ name: "a" }], false);
    expect((await readArchive(Buffer.concat([one, Buffer.alloc(512), one]))).length).toBe(1);
  });
});

describe("extended headers", () => {
  test("an empty value takes back a global one", async () => {
    const record = "15 mtime=12345\n";
    const all = archive([
      { name: "g", flag: "g", data: record },
      { name: "a" },
      { name: "b", pax: { mtime: "" } },
    ]);
    expect((await readArchive(all)).map(({ mtime }) => mtime)).toEqual([12345, 1_700_000_000]);
  });

  test("many for one member are too many", async () => {
    const pax = { name: "x", flag: "x", data: `${"1048000 comment="}${"c".repeat(1_048_000 - 17)}\n` };
    expect(await attempt(archive([pax, { name: "a" }]))).toBe(1);
    expect(await attempt(archive([pax, pax, { name: "a" }]))).toBe(-1);
  });

  test("GNU's old sparse header, with what continues it", async () => {
    const bytes = archive([{ name: "s", flag: "S", data: "abcde" }], false);
    const run = (at: number, offset: number): void => {
      bytes.write(`${offset.toString(8).padStart(11, "0")}\0${"1".padStart(11, "0")}\0`, at, "latin1");
    };
    for (let index = 0; index < 4; index++) run(386 + 24 * index, index * 10);
    bytes[482] = 1;
    bytes.write(`${(50).toString(8).padStart(11, "0")}\0`, 483, "latin1");
    const more = Buffer.alloc(512);
    more.write(`${(40).toString(8).padStart(11, "0")}\0${"1".padStart(11, "0")}\0`, 0, "latin1");
    withChecksum(bytes, 0);
    const whole = Buffer.concat([bytes.subarray(0, 512), more, bytes.subarray(512)]);
    expect(await readArchive(whole)).toMatchObject([{ size: 50, stored: 5, data: "abcde" }]);
  });
});
