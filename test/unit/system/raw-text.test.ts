// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { fromBytes, toBytes } from "../../../src/system/raw-text.ts";

test.each([
  ["", ""],
  ["plain", "plain"],
  ["é𝄞\uFFFD\uFEFF", "é𝄞\uFFFD\uFEFF"],
  ["\ud834\udc80", "\ud834\udc80"],
])("proper text %j is itself", (text, same) => {
  expect(fromBytes(Buffer.from(text))).toBe(same);
  expect(Buffer.from(toBytes(text))).toEqual(Buffer.from(text));
});

test.each([
  [[0xff]],
  [[0x61, 0xe9, 0x62]],
  [[0xc3, 0xa9, 0xe9]],
  [[0xf0, 0x9d, 0x84]],
  [[0xed, 0xb2, 0x80]],
  [[0xc0, 0x80, 0xf8, 0x88, 0x80]],
  [[0xf0, 0x9d, 0x84, 0x9e, 0x9e]],
])("bytes %j come back", (bytes) => {
  expect([...toBytes(fromBytes(Uint8Array.from(bytes)))]).toEqual(bytes);
});

test("all single bytes, and noise", () => {
  const noise = Uint8Array.from({ length: 4096 }, (_, index) => (index * 2654435761) >>> 13);
  expect(Buffer.from(toBytes(fromBytes(noise))).equals(Buffer.from(noise))).toBe(true);
  expect(fromBytes(Uint8Array.of(0xe9))).toBe("\udce9");
});
