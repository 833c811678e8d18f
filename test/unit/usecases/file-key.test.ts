// SPDX-License-Identifier: Apache-2.0
// Which digests of files are remembered, and believed.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileKey } from "../../../src/usecases/file-key.ts";
import { temporary } from "../temporary.ts";

// Large, and not written to for a while.
const file = process.execPath;
const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
const other = "0".repeat(64);

let place: ReturnType<typeof temporary>;
let cache = "";
let list = "";

beforeEach(() => {
  place = temporary();
  cache = place.path;
  list = join(cache, `file-digests.${process.geteuid?.()}`);
});

afterEach(() => place[Symbol.dispose]());

/** Has the list say something else, by which it is seen whether it is believed. */
async function alter(change: (line: string) => string): Promise<string> {
  expect(await fileKey(file, cache)).toBe(digest);
  writeFileSync(list, change(readFileSync(list, "utf8")));
  return fileKey(file, cache);
}

test("a file's digest is remembered for the user alone", async () => {
  expect(await alter((text) => text.replace(digest, other))).toBe(other);
  expect(readFileSync(list, "utf8")).toMatch(new RegExp(`^(\\d+ ){5}${other}\\n$`));
});

test.each([0, 1, 2, 3, 4])("not for a file of which field %p is another", async (field) => {
  const increased = (text: string): string =>
    text
      .split(" ")
      .map((word, index) => (index === field ? String(BigInt(word) + 1n) : word))
      .join(" ")
      .replace(digest, other);
  expect(await alter(increased)).toBe(digest);
});

test.each([
  ["", "nothing"],
  ["x\n", "no line"],
  [`1 2 3 4 5 ${other.slice(1)}\n`, "too short a digest"],
])("not by a list with %p (%s)", async (text) => {
  expect(await alter(() => text)).toBe(digest);
});

test("not by a list that others may write, or that is a link", async () => {
  expect(await alter((text) => text.replace(digest, other))).toBe(other);
  chmodSync(list, 0o620);
  expect(await fileKey(file, cache)).toBe(digest);
  expect(await alter((text) => text.replace(digest, other))).toBe(other);
  renameSync(list, `${list}.real`);
  symlinkSync(`${list}.real`, list);
  expect(await fileKey(file, cache)).toBe(digest);
});

test("nothing is remembered of a file that has just been written, or that is small", async () => {
  const fresh = join(cache, "image");
  for (const size of [5 << 20, 5]) {
    writeFileSync(fresh, Buffer.alloc(size));
    const key = createHash("sha256").update(Buffer.alloc(size)).digest("hex");
    expect(await fileKey(fresh, cache)).toBe(key);
    expect(() => readFileSync(list)).toThrow();
  }
});

test("the oldest are forgotten", async () => {
  const line = (number: number): string => `${number} 1 1 1 1 ${other}`;
  writeFileSync(list, `${Array.from({ length: 300 }, (_, index) => line(index)).join("\n")}\n`, {
    mode: 0o600,
  });
  expect(await fileKey(file, cache)).toBe(digest);
  const lines = readFileSync(list, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(200);
  expect(lines[0]).toContain(digest);
  expect(lines.at(-1)).toBe(line(198));
});
