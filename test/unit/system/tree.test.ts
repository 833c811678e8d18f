// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unescapeMount } from "../../../src/system/mounts.ts";
import { isPresent, openPermissions, refuseMounts, removeTree } from "../../../src/system/tree.ts";
import { temporary } from "../temporary.ts";

test("octal escapes of mountinfo", () => {
  expect(unescapeMount("/a\\040b\\011c\\012d\\134e")).toBe("/a b\tc\nd\\e");
  expect(unescapeMount("/plain")).toBe("/plain");
});

test("presence is not readability, and a dangling link is something", () => {
  using place = temporary();
  symlinkSync("/nowhere", join(place.path, "link"));
  expect(isPresent(join(place.path, "link"))).toBe(true);
  expect(isPresent(join(place.path, "none"))).toBe(false);
  expect(isPresent(join(place.path, "link/below"))).toBe(false);
});

test("nothing there is nothing to do; a file and a link are deleted as such", async () => {
  using place = temporary();
  mkdirSync(join(place.path, "kept"));
  symlinkSync(join(place.path, "kept"), join(place.path, "link"));
  writeFileSync(join(place.path, "-rf"), "");
  for (const name of ["none", "link", "-rf"]) await removeTree(join(place.path, name));
  expect(readdirSync(place.path)).toEqual(["kept"]);
});

test("mounts are found at the directory and below, not beside it", () => {
  expect(() => refuseMounts("/proc")).toThrow("/proc is mounted");
  expect(() => refuseMounts("/dev")).toThrow("is mounted");
  using place = temporary();
  mkdirSync(join(place.path, "x"));
  expect(() => refuseMounts(join(place.path, "x"))).not.toThrow();
});

test("permissions are opened for the owner, and nothing else changes", async () => {
  using place = temporary();
  const path = (name: string): string => join(place.path, "tree", name);
  mkdirSync(path("closed/inner"), { recursive: true });
  writeFileSync(path("closed/secret"), "");
  writeFileSync(path("tool"), "");
  writeFileSync(join(place.path, "outside"), "");
  symlinkSync(join(place.path, "outside"), path("link"));
  for (const [name, mode] of [
    ["closed/secret", 0],
    ["closed/inner", 0o100],
    ["closed", 0],
    ["tool", 0o011],
  ] as const) {
    chmodSync(path(name), mode);
  }
  chmodSync(join(place.path, "outside"), 0);
  await openPermissions(join(place.path, "tree"));
  const mode = (file: string): number => statSync(file).mode & 0o7777;
  expect([path("closed"), path("closed/inner"), path("closed/secret"), path("tool")].map(mode)).toEqual([
    0o700, 0o700, 0o400, 0o511,
  ]);
  expect(mode(join(place.path, "outside"))).toBe(0);
  expect(existsSync(path("link"))).toBe(true);
});
