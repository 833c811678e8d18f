// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { imageKind } from "../../../src/image/kind.ts";

test.each([
  ["hsqs\0\0", "squashfs"],
  ["enroot-zfs-image:v1\nuri=", "pointer"],
  ["enroot-zfs-image:v10\n", "unknown"],
  ["hsq", "unknown"],
  ["", "unknown"],
  ["sqsh", "unknown"],
])("%j is %s", (text, kind) => {
  expect(imageKind(Buffer.from(text))).toBe(kind as never);
});
