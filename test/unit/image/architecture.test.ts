// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { parseArchitecture } from "../../../src/image/architecture.ts";

test.each([
  ["x86_64", "amd64"],
  ["amd64", "amd64"],
  ["aarch64", "arm64"],
  ["arm64", "arm64"],
  ["ppc64le", "ppc64le"],
])("%s is %s", (name, oci) => {
  expect(parseArchitecture(name)).toBe(oci);
});

test.each(["", "AMD64", "riscv64", "constructor", "__proto__", "-a"])("%j is refused", (name) => {
  expect(() => parseArchitecture(name)).toThrow("Unsupported architecture");
});
