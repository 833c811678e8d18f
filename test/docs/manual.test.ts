// SPDX-License-Identifier: Apache-2.0
// The manual pages that scripts/man makes of docs/.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "../../src/cli/table.ts";
import { keys } from "../../src/config/keys.ts";
import { host, projectDirectory } from "../harness/index.ts";

let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "enroot-man."));
  await host([join(projectDirectory, "scripts/man"), directory]);
});

afterAll(() => rm(directory, { recursive: true }));

interface Shown {
  readonly text: string;
  readonly warnings: string;
}

function run(argv: readonly [string, ...string[]]): Shown {
  const { stdout, stderr } = Bun.spawnSync([...argv], {
    env: { PATH: process.env["PATH"] ?? "", MANWIDTH: "100", LC_ALL: "C.UTF-8" },
  });
  return { text: stdout.toString(), warnings: stderr.toString() };
}

/** A page as a reader sees it, white space folded. */
function show(name: string): string {
  return run(["man", "-l", join(directory, name)]).text.replace(/\s+/g, " ");
}

test("there is one of each command, of the configuration and of each topic", async () => {
  const names = await readdir(directory);
  const topics = names.filter((name) => name.endsWith(".7"));
  const commands = Object.keys(table).map((name) => `enroot-${name}.1`);
  expect(names.sort()).toEqual([...commands, ...topics, "enroot.1", "enroot.conf.5"].sort());
  const page = (name: string): string => name.replace(/^enroot-(.*)\.7$/, "docs/$1.md");
  expect(topics.filter((name) => !existsSync(join(projectDirectory, page(name))))).toEqual([]);
  expect(topics.length).toBeGreaterThan(0);
});

test("man and groff have nothing to say against them", async () => {
  for (const name of await readdir(directory)) {
    const file = join(directory, name);
    const groff = run(["groff", "-K", "utf8", "-t", "-ww", "-man", "-T", "utf8", "-z", file]).warnings;
    expect({ name, groff, man: run(["man", "--warnings", "-l", file]).warnings }).toEqual({
      name,
      groff: "",
      man: "",
    });
  }
});

test("each page that one names is there", async () => {
  const names = new Set(await readdir(directory));
  for (const name of names) {
    const named = [...show(name).matchAll(/\benroot(?:-[a-z-]+|\.conf)?\(\d\)/g)].map(([text]) => text);
    const files = named.map((text) => text.replace(/\((\d)\)$/, ".$1"));
    expect({ name, missing: files.filter((file) => !names.has(file)) }).toEqual({ name, missing: [] });
  }
});

test("nothing of the text's own marks is left in them", async () => {
  for (const name of await readdir(directory)) {
    const marks = /\*\*\w|\w\*\*|@@|\]\([a-z./]|`[\w$-]/.exec(show(name))?.[0];
    expect({ name, marks }).toEqual({ name, marks: undefined });
  }
});

test("enroot.conf(5) has an entry for every setting", async () => {
  const text = await Bun.file(join(directory, "enroot.conf.5")).text();
  const missing = keys.filter(({ name }) => !text.includes(`\n.TP\n\\fB${name}\\fR`));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

describe.each(Object.keys(table))("the page of %s", (name) => {
  test("has a synopsis, and an entry for each option", async () => {
    const spec = (await table[name]?.load())?.spec;
    if (spec === undefined) throw new Error(`no command ${name}`);
    const shown = show(`enroot-${name}.1`);
    const operands = spec.operands === "" ? "" : ` [--] ${spec.operands}`;
    expect(shown).toContain(`SYNOPSIS enroot ${name} [OPTIONS]${operands} DESCRIPTION`);
    const source = await Bun.file(join(directory, `enroot-${name}.1`)).text();
    expect(source).toContain("\n.SH OPTIONS\n.TP\n");
    for (const { short, long, value, text } of spec.options) {
      const syntax = `${short ? `-${short}, ` : ""}--${long}${value ? ` ${value}` : ""}`;
      expect(shown.replaceAll("’", "'")).toContain(`${syntax} ${text}`);
    }
  });
});
