// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { parseContainerName } from "../../../src/store/name.ts";
import { containerDataset, containerOf } from "../../../src/store/zfs/names.ts";

const store = "tank/enroot";

test.each([
  ["plain", "plain"],
  ["ubuntu+22.04", "ubuntu:2B22.04"],
  ["a b", "a:20b"],
  ["ä", ":C3:A4"],
  ["pyxis_42.0", "pyxis_42.0"],
  ["-f", "-f"],
  ["a:b", "a:3Ab"],
  ["100%", "100:25"],
])("the container %p is the dataset %p", (text, dataset) => {
  const name = parseContainerName(text);
  expect(containerDataset(store, name)).toBe(`${store}/${dataset}`);
  expect(containerOf(store, `${store}/${dataset}`)).toBe(name);
});

test.each([
  store,
  `${store}/.templates`,
  `${store}/.ephemeral`,
  `${store}/a/b`,
  "tank/other/a",
  "tank/enroot2/a",
  // Not the way in which a name is written.
  `${store}/a:2b`,
  `${store}/a:41`,
  `${store}/a:`,
])("the dataset %p is no container", (dataset) => {
  expect(containerOf(store, dataset)).toBeUndefined();
});

test("a name that is too long for ZFS is refused", () => {
  const name = parseContainerName("+".repeat(100));
  expect(() => containerDataset(store, name)).toThrow("too long");
});
