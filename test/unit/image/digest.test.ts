// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { digestHex, digestOf, isDigest, parseDigest } from "../../../src/image/digest.ts";

test("of no bytes is the known one", () => {
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  expect(String(digestOf(new Uint8Array()))).toBe(`sha256:${empty}`);
  expect(digestHex(digestOf(new Uint8Array()))).toBe(empty);
});

test.each([
  "",
  "sha256:",
  `sha256:${"a".repeat(63)}`,
  `sha256:${"A".repeat(64)}`,
  `sha512:${"a".repeat(64)}`,
  `sha256:${"a".repeat(64)}\n`,
  "sha256:../../x",
])("%j is none", (text) => {
  expect(isDigest(text)).toBeFalse();
  expect(() => parseDigest(text, "thing")).toThrow("Invalid thing");
});
