// SPDX-License-Identifier: Apache-2.0
// Usage: bun scripts/locale-data.ts EXECUTABLE: overwrites with zeros what ICU, in an executable of Bun, knows about
// languages other than English. The engine never asks for it, and a package is a fifth smaller without.
//
// The data is one archive (ICU's "common data", udata/ucmndata in its source): a header, the number of items, for each
// the offsets of its name and of its contents, the names, the contents. Everything is checked before a byte changes. No
// offset changes: ICU finds an item without a header, takes it for absent, and falls back to the root locale.
import { readFileSync, writeFileSync } from "node:fs";

interface Item {
  readonly name: string;
  readonly start: number;
}

/** A file of one language, perhaps with script and region: zone/de.res, zh_Hant_TW.res. Tables have longer names. */
const language = /^([a-z]+\/)?(?!res_index|en[._])[a-z]{2,3}(_[A-Za-z0-9]*)*\.res$/;

/** Where words end in Thai and the like. */
const dictionary = /^brkitr\/[a-z]+\.dict$/;

const isUnused = (name: string): boolean => language.test(name) || dictionary.test(name);

function fail(reason: string): never {
  throw new Error(`Could not find ICU's data as expected: ${reason}`);
}

/** Where the archive's table begins, which is what all offsets count from. */
function findTable(file: Buffer): number {
  const found: number[] = [];
  for (let at = file.indexOf("CmnD"); at >= 0; at = file.indexOf("CmnD", at + 1)) {
    // The header: its size, the magic bytes, then what describes the data, beginning with its own size, byte order
    // (little), kind of characters (ASCII) and their size; then the format, "CmnD", and its version.
    const start = at - 12;
    const isHeader =
      start >= 0 && file.readUInt16LE(start + 2) === 0x27da && file.readUInt16LE(start + 8) === 0;
    if (isHeader && file[at + 4] === 1) found.push(start + file.readUInt16LE(start));
  }
  const [table] = found;
  if (table === undefined || found.length > 1) fail(`${found.length} archives`);
  return table;
}

function nameAt(file: Buffer, start: number): string {
  const end = file.indexOf(0, start);
  const text = file.toString("latin1", start, end);
  const [, name] = /^icudt\d+l\/([\w./-]{1,100})$/.exec(text) ?? fail(`an item's name at ${start}`);
  return name ?? fail("an item without a name");
}

/** All items in the order of their contents, which has to follow the names. */
function readItems(file: Buffer, table: number): readonly Item[] {
  const count = file.readUInt32LE(table);
  if (count < 1 || count > 20_000) fail(`${count} items`);
  const items = Array.from({ length: count }, (_, index): Item => {
    const entry = table + 4 + 8 * index;
    return {
      name: nameAt(file, table + file.readUInt32LE(entry)),
      start: table + file.readUInt32LE(entry + 4),
    };
  });
  items.sort((one, other) => one.start - other.start);
  const first = items[0]?.start ?? 0;
  const names = table + 4 + 8 * count;
  const last = items.at(-1)?.start ?? 0;
  if (first <= names || last >= file.length) fail("contents outside of the archive");
  if (new Set(items.map(({ name }) => name)).size !== count) fail("two items of one name");
  return items;
}

/** The parts that no used item has. The last item has no known end, and stays. */
function unusedParts(items: readonly Item[]): readonly (readonly [number, number])[] {
  const used = new Set(items.filter(({ name }) => !isUnused(name)).map(({ start }) => start));
  const starts = [...new Set(items.map(({ start }) => start))];
  return starts.flatMap((start, index) => {
    const end = starts[index + 1];
    return used.has(start) || end === undefined ? [] : [[start, end] as const];
  });
}

const executable = process.argv[2] ?? fail("no executable is named");
const file = readFileSync(executable);
const parts = unusedParts(readItems(file, findTable(file)));
if (parts.length < 1000) fail(`${parts.length} parts to overwrite`);
for (const [start, end] of parts) file.fill(0, start, end);
writeFileSync(executable, file);
