// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { scratchFile, sweepScratch, writeWhole } from "../../../src/system/scratch.ts";
import { temporary } from "../temporary.ts";

test("a file has its name only when it is committed", async () => {
  using place = temporary();
  const target = join(place.path, "x".repeat(255));
  {
    await using file = scratchFile(target);
    writeFileSync(file.path, "data");
    expect(existsSync(target)).toBe(false);
    file.commit(false);
    expect(statSync(target).mode & 0o777).toBe(0o666 & ~process.umask());
  }
  expect(readdirSync(place.path)).toEqual([basename(target)]);
});

test("it is gone when it is not committed", async () => {
  using place = temporary();
  {
    await using file = scratchFile(join(place.path, "target"));
    writeFileSync(file.path, "data");
  }
  expect(readdirSync(place.path)).toEqual([]);
});

test("it replaces only when told to", async () => {
  using place = temporary();
  const target = join(place.path, "target");
  writeFileSync(target, "old");
  await using file = scratchFile(target);
  writeFileSync(file.path, "new");
  expect(() => file.commit(false)).toThrow(`File already exists: ${target}`);
  expect(readFileSync(target, "utf8")).toBe("old");
  file.commit(true);
  expect(readFileSync(target, "utf8")).toBe("new");
});

test("a directory that is not there is named", () => {
  expect(() => scratchFile("/nowhere/target")).toThrow(
    "Could not create /nowhere/target: no such file or directory",
  );
});

test("small files are written whole, for the caller alone", async () => {
  using place = temporary();
  const target = join(place.path, "secret");
  await writeWhole(target, "one");
  await writeWhole(target, "two");
  expect(readFileSync(target, "utf8")).toBe("two");
  expect(statSync(target).mode & 0o777).toBe(0o600);
  expect(readdirSync(place.path)).toEqual(["secret"]);
});

test("what the dead have left is swept, nothing else is", async () => {
  using place = temporary();
  await using file = scratchFile(join(place.path, "target"));
  const dead = file.path.replace(`.${process.pid}.`, ".999999999.");
  for (const path of [dead, join(place.path, "mine"), join(place.path, ".enroot-part.x")])
    writeFileSync(path, "");
  mkdirSync(join(place.path, "directory"));
  sweepScratch(place.path);
  expect(readdirSync(place.path).sort()).toEqual(
    [basename(file.path), ".enroot-part.x", "directory", "mine"].sort(),
  );
});
