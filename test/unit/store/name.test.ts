// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { isContainerName, parseContainerName } from "../../../src/store/name.ts";

test.each([
  "a",
  "-rf",
  "a b",
  "ubuntu+24.04",
  "pyxis_12.4294967291",
  "ü".repeat(127),
  "x".repeat(255),
  "$(id)",
  "~",
])("%j is a name", (name) => {
  expect(parseContainerName(name)).toBe(parseContainerName(name));
  expect(isContainerName(name)).toBe(true);
});

test.each(["", ".", "..", ".hidden", "a/b", "/", "a\nb", "a\0b", "\x7f", "x".repeat(256), "ü".repeat(128)])(
  "%j is none",
  (name) => {
    expect(() => parseContainerName(name)).toThrow("Invalid container name");
  },
);
