// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { parseTemplates } from "../../../src/store/zfs/eviction.ts";
import { ownTag } from "../../../src/system/owner.ts";

const parent = "tank/enroot/.templates";
const [one = "", two = ""] = ["1", "2"].map((digit) => digit.repeat(64));

test("templates, their last use, and what the parent's quota is", () => {
  const table = parseTemplates(
    `${parent}\t-\t4096\t1000000\n${parent}/${one}\t1700000000\t100\t0\n${parent}/${two}\t-\t100\t0\n`,
    parent,
  );
  expect(table).toEqual({
    templates: [
      { dataset: `${parent}/${one}`, lastUsed: 1700000000, used: 100 },
      { dataset: `${parent}/${two}`, lastUsed: 0, used: 100 },
    ],
    abandoned: [],
    used: 4096,
    quota: 1000000,
  });
});

test("what a running process makes is no left-over, what a dead one has left is", () => {
  const own = ownTag();
  const dead = own.replace(/\.(\d+)\.\d+\.(\d+)$/, ".$1.1.$2");
  const rows = [`.new.${own}`, `.new.${dead}`, `.old.${dead}`, ".new.foreign"];
  const table = parseTemplates(rows.map((name) => `${parent}/${name}\t-\t1\t0`).join("\n"), parent);
  expect(table.templates).toEqual([]);
  expect(table.abandoned).toEqual([`${parent}/.new.${dead}`, `${parent}/.old.${dead}`]);
});

test("a store without templates has an empty table", () => {
  expect(parseTemplates("", parent)).toEqual({ templates: [], abandoned: [], used: 0, quota: 0 });
});

test("a part of a template counts as one", () => {
  const { templates } = parseTemplates(`${parent}/.part.123\t1700000000\t100\t0\n`, parent);
  expect(templates).toEqual([{ dataset: `${parent}/.part.123`, lastUsed: 1700000000, used: 100 }]);
});
