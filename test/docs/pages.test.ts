// SPDX-License-Identifier: Apache-2.0
// The documentation says what the program says of itself.
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { table } from "../../src/cli/table.ts";
import { commandUsage } from "../../src/cli/usage.ts";
import { keys } from "../../src/config/keys.ts";
import { projectDirectory } from "../harness/index.ts";

const docs = join(projectDirectory, "docs");

describe.each(Object.keys(table))("the page of %s", (name) => {
  const text = Bun.file(join(docs, "commands", `${name}.md`)).text();

  test("has its usage", async () => {
    const module = await table[name]?.load();
    if (module === undefined) throw new Error(`no command ${name}`);
    expect(await text).toContain(`\`\`\`\n${commandUsage(module.spec).trimEnd()}\n\`\`\``);
  });

  test("names settings that there are", async () => {
    const known = new Set([...keys.map((key) => key.name), "ENROOT_ROOTFS", "ENROOT_NAME", "ENROOT_"]);
    const named = (await text).match(/\bENROOT_[A-Z_]*/g) ?? [];
    expect(named.filter((setting) => !known.has(setting))).toEqual([]);
  });
});

test("there is no page of anything else", async () => {
  expect((await readdir(join(docs, "commands"))).sort()).toEqual(
    Object.keys(table)
      .map((name) => `${name}.md`)
      .sort(),
  );
});

test("configuration.md has every setting with its default", async () => {
  const text = await Bun.file(join(docs, "configuration.md")).text();
  const missing = keys.filter(({ name, fallback, text: what }) => {
    const value = fallback === "" ? "" : ` (\`${fallback}\`)`;
    return !text.includes(`\n- \`${name}\`${value}: ${what}\n`);
  });
  expect(missing.map((key) => key.name)).toEqual([]);
});

test("enroot.conf has a line for every setting that may stand in it", async () => {
  const text = await Bun.file(join(projectDirectory, "packaging/etc/enroot/enroot.conf")).text();
  const missing = keys.filter(({ name }) => !new RegExp(`^#${name}\\b`, "m").test(text));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

test("links between pages lead somewhere", async () => {
  const pages = [...new Bun.Glob("**/*.md").scanSync(docs)].map((name) => join(docs, name));
  const broken: string[] = [];
  for (const page of [...pages, join(projectDirectory, "README.md")]) {
    for (const [, target = ""] of (await Bun.file(page).text()).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      if (!existsSync(join(dirname(page), target))) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});
