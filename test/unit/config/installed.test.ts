// SPDX-License-Identifier: Apache-2.0
// The enroot.conf that is installed documents the table of settings: all of them, with their defaults, none set.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { keys } from "../../../src/config/keys.ts";

const text = readFileSync(join(import.meta.dirname, "../../../packaging/etc/enroot/enroot.conf"), "utf8");
const shown = new Map(
  [...text.matchAll(/^#(ENROOT_\w+)(?:[ ]+(.*))?$/gm)].map((match) => [match[1], match[2] ?? ""]),
);

test("nothing is set", () => {
  expect(text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([]);
});

test("every setting is there, in the table's order", () => {
  expect([...shown.keys()]).toEqual(keys.map(({ name }) => name));
});

test("with its default", () => {
  const places = { ENROOT_LIBRARY_PATH: "/usr/lib/enroot", ENROOT_SYSCONF_PATH: "/etc/enroot" };
  const defaults = { ...Object.fromEntries(keys.map(({ name, fallback }) => [name, fallback])), ...places };
  expect(Object.fromEntries(shown)).toEqual(defaults);
});

test("and an explanation above it", () => {
  const bare = [...text.matchAll(/^#(ENROOT_\w+).*$/gm)].filter(
    ({ index }) => !/\n# .+\n$/.test(text.slice(0, index)),
  );
  expect(bare.map((match) => match[1])).toEqual([]);
});
