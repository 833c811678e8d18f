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
const sections = ["Description", "Exit status", "Environment", "Files", "Examples"];

/** Changes nothing, and stands in the configuration's page alone. */
const withoutEffect = "ENROOT_ZSTD_OPTIONS";

interface Variable {
  readonly name: string;
  /** In the language of enroot.conf. */
  readonly fallback: string | undefined;
}

/** The variables that the section Environment of a page has entries for. */
function variablesOf(page: string): Variable[] {
  const section = /\n## Environment\n(.*?)\n## /s.exec(page)?.[1] ?? "";
  const entries = section.split("\n").filter((line) => line.startsWith("- `"));
  const heads = entries.map((line) => /^- (.*?[`)]): /.exec(line)?.[1] ?? line);
  return heads.flatMap((head) =>
    [...head.matchAll(/`(\w+)`(?: \(`([^`]+)`\))?/g)].map(([, name = "", fallback]) => ({ name, fallback })),
  );
}

/** All pages, with the one of the project. */
function pages(): string[] {
  const names = [...new Bun.Glob("**/*.md").scanSync(docs)];
  return [...names.map((name) => join(docs, name)), join(projectDirectory, "README.md")];
}

async function commandPages(): Promise<string[]> {
  return Promise.all(Object.keys(table).map((name) => Bun.file(join(docs, "commands", `${name}.md`)).text()));
}

/** All that could read a variable: sources, hooks and the like. */
async function sources(): Promise<string> {
  const files = [
    ...new Bun.Glob("{src,native,packaging}/**/*.{ts,c,h,sh,env,fstab}").scanSync(projectDirectory),
  ];
  return (await Promise.all(files.map((file) => Bun.file(join(projectDirectory, file)).text()))).join("\n");
}

describe.each(Object.keys(table))("the page of %s", (name) => {
  const text = Bun.file(join(docs, "commands", `${name}.md`)).text();

  test("has its usage", async () => {
    const module = await table[name]?.load();
    if (module === undefined) throw new Error(`no command ${name}`);
    expect(await text).toContain(`\`\`\`\n${commandUsage(module.spec).trimEnd()}\n\`\`\``);
  });

  test("has all sections", async () => {
    const titles = [...(await text).matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title);
    expect(titles).toEqual(sections);
  });

  test("describes variables that the program reads, with their defaults", async () => {
    const defaults = new Map(keys.map((key) => [key.name, key.fallback === "" ? undefined : key.fallback]));
    const read = await sources();
    for (const { name: variable, fallback } of variablesOf(await text)) {
      const isRead = new RegExp(`\\b${variable.replace(/^ENROOT_/, "(ENROOT_)?")}\\b`).test(read);
      expect({ variable, fallback, isRead }).toEqual({
        variable,
        fallback: defaults.get(variable),
        isRead: true,
      });
    }
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

test("every setting is described by the page of a command that it matters to", async () => {
  const described = new Set((await commandPages()).flatMap(variablesOf).map(({ name }) => name));
  const missing = keys.map(({ name }) => name).filter((name) => !described.has(name));
  expect(missing).toEqual([withoutEffect]);
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

test("every setting of enroot.conf is described, and has the default that it shows", async () => {
  const conf = await Bun.file(join(projectDirectory, "packaging/etc/enroot/enroot.conf")).text();
  const page = await Bun.file(join(docs, "configuration.md")).text();
  const lines = [...conf.matchAll(/^#([A-Za-z_]+_[A-Za-z_]+)(?: +(.+))?$/gm)];
  expect(lines.length).toBeGreaterThan(keys.length);
  for (const [, name = "", value] of lines) {
    expect(page).toContain(`\`${name}\``);
    const fallback = keys.find((key) => key.name === name)?.fallback;
    if (fallback) expect({ name, value }).toEqual({ name, value: fallback });
  }
});

test("no page names a setting that there is not", async () => {
  const given = [
    "PID",
    "ROOTFS",
    "ENVIRON",
    "MOUNTS",
    "VERSION",
    "DEBUG",
    "PLAN_FD",
    "TEST_ZPOOL",
    "TEST_CACHE",
    "X",
    "NAME",
  ];
  const known = new Set([...keys.map(({ name }) => name), ...given.map((name) => `ENROOT_${name}`)]);
  for (const page of pages()) {
    const named = (await Bun.file(page).text()).match(/\bENROOT_[A-Z][A-Z_]*\b/g) ?? [];
    expect({ page, unknown: named.filter((name) => !known.has(name)) }).toEqual({ page, unknown: [] });
  }
});

test("all hooks are listed: those in use by hooks.md, those to choose from by gpu.md", async () => {
  const listed = async (page: string): Promise<string[]> => {
    const text = await Bun.file(join(docs, page)).text();
    return [...text.matchAll(/^\| `(\d\d-[\w-]+\.sh)` \|/gm)].map(([, name = ""]) => name).sort();
  };
  const packaging = join(projectDirectory, "packaging");
  expect(await listed("hooks.md")).toEqual((await readdir(join(packaging, "etc/enroot/hooks.d"))).sort());
  expect(await listed("gpu.md")).toEqual((await readdir(join(packaging, "extra/hooks.d"))).sort());
});

test("bundles.md has the options of a bundle", async () => {
  const script = await Bun.file(join(projectDirectory, "packaging/bundle.sh")).text();
  const options = /\n ?Options:\n(.*?)\nTEXT\n/s.exec(script)?.[1] ?? "";
  expect(options).toContain("--verify");
  const words = (text: string): string => text.replace(/^ +/gm, "");
  expect(words(await Bun.file(join(docs, "bundles.md")).text())).toContain(words(options));
});

test("plan.md has every step that the launcher knows", async () => {
  const source = await Bun.file(join(projectDirectory, "native/execute.c")).text();
  const steps = [...source.matchAll(/^\s+\{"([a-z-]+)", \d+, \w+, do_\w+, \w+\},$/gm)].map(
    ([, name = ""]) => name,
  );
  expect(steps.length).toBeGreaterThan(20);
  const text = await Bun.file(join(docs, "plan.md")).text();
  const rows = text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|")[1] ?? "");
  expect(steps.filter((name) => !rows.some((row) => row.includes(`\`${name}\``)))).toEqual([]);
});

test("links between pages lead somewhere", async () => {
  const broken: string[] = [];
  for (const page of pages()) {
    for (const [, target = ""] of (await Bun.file(page).text()).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      if (!existsSync(join(dirname(page), target))) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});
