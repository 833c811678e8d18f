// SPDX-License-Identifier: Apache-2.0
// The rooms of src/ and the arrows between them. An import against them fails here, and so does a power used outside of
// its room: starting programs, speaking HTTP, reading the environment, ending the process.
import { describe, expect, test } from "bun:test";
import { join, relative, resolve } from "node:path";

const source = resolve(import.meta.dirname, "../../src");

/** What each room may import at run time, besides itself. */
const arrows: Readonly<Record<string, string>> = {
  // errno: words for what nobody expected; raw-text: the command line as it is; signals: whether we are on our way out.
  main: "cli log errors system/errno system/raw-text system/signals",
  cli: "usecases config log errors",
  usecases: "image registry store runtime config system log errors",
  // Parsers of what registries send; pure.
  image: "errors",
  registry: "image system log errors",
  store: "image system log errors",
  runtime: "image store system errors",
  // The account and the shell that values of enroot.conf ask for.
  config: "system/account system/errno system/shell log errors",
  system: "log errors",
  errors: "",
  log: "",
};

/** Whose types a room may name although it does not import its code. */
const typeArrows: Readonly<Record<string, string>> = {
  cli: "image",
  registry: "config",
  runtime: "config",
  image: "",
};

/** Which rooms may import a package of npm. */
const packages: Readonly<Record<string, string>> = {
  citty: "cli",
  consola: "log",
  execa: "system",
  ofetch: "system",
  zod: "image registry runtime",
};

/** Which files may use a power. */
const powers: readonly { readonly use: RegExp; readonly by: RegExp }[] = [
  { use: /\bBun\.spawn|node:child_process|\bBun\.\$/, by: /^system\// },
  { use: /(?<![.\w])fetch\(|\bBun\.(connect|listen|serve)\b|node:(https?|net|tls)"/, by: /^system\// },
  { use: /\bprocess\.env\b/, by: /^(config\/|log\.ts|system\/(programs|http)\.ts)/ },
  { use: /\bprocess\.exit\b/, by: /^main\.ts/ },
  { use: /\bprocess\.kill\(process\.pid/, by: /^system\/signals\.ts/ },
  { use: /\bconsole\./, by: /^$/ },
  { use: /[bB]ackend [!=]== "(zfs|dir)"/, by: /^(store\/table|config\/settings)\.ts/ },
  { use: /\b(prlimit|sudo|setuid)\(/, by: /^$/ },
];

interface Source {
  /** Path below src/. */
  readonly path: string;
  readonly text: string;
  /** Text without comments. */
  readonly code: string;
}

const files: readonly Source[] = await Promise.all(
  [...new Bun.Glob("**/*.ts").scanSync(source)].sort().map(async (path) => {
    const text = await Bun.file(join(source, path)).text();
    return { path, text, code: text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm, "") };
  }),
);

const room = (path: string): string => path.replace(/\.ts$/, "").split("/")[0] ?? "";

function allowed(list: string | undefined, path: string): boolean {
  const target = path.replace(/\.ts$/, "");
  return (list ?? "").split(" ").some((entry) => entry === room(path) || entry === target);
}

/** Imports of a file: specifier, and whether only types come from it. */
function importsOf({ code }: Source): { specifier: string; typeOnly: boolean }[] {
  const statement = /^(?:import|export)\b( type\b)?[^;"()=]*?\bfrom "([^"]+)"/gm;
  const call = /\bimport\("([^"]+)"\)/g;
  return [
    ...[...code.matchAll(statement)].map((match) => ({
      specifier: match[2] ?? "",
      typeOnly: Boolean(match[1]),
    })),
    ...[...code.matchAll(call)].map((match) => ({ specifier: match[1] ?? "", typeOnly: false })),
  ];
}

function complaint(
  { path }: Source,
  { specifier, typeOnly }: { specifier: string; typeOnly: boolean },
): boolean {
  const from = room(path);
  if (specifier.startsWith("node:") || specifier === "bun") return false;
  if (!specifier.startsWith(".")) return !allowed(packages[specifier.split("/")[0] ?? ""], from);
  const target = relative(source, resolve(source, path, "..", specifier));
  if (target === "../package.json" || room(target) === from) return false;
  if (!specifier.endsWith(".ts")) return true;
  return !allowed(arrows[from], target) && !(typeOnly && allowed(typeArrows[from], target));
}

test("every file is in a room", () => {
  expect(files.map(({ path }) => path).filter((path) => !Object.hasOwn(arrows, room(path)))).toEqual([]);
});

test("imports follow the arrows", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((entry) => complaint(file, entry))
      .map(({ specifier, typeOnly }) => `${file.path} imports ${typeOnly ? "types of " : ""}${specifier}`),
  );
  expect(wrong).toEqual([]);
});

test("the image rules are pure", () => {
  const impure = /from "node:(fs|child_process|net|http)|\bBun\.file|\bprocess\./;
  expect(
    files.filter(({ path, code }) => room(path) === "image" && impure.test(code)).map(({ path }) => path),
  ).toEqual([]);
});

describe("powers stay in their rooms", () => {
  test.each([...powers])("%s", ({ use, by }) => {
    expect(
      files.filter(({ path, code }) => use.test(code) && !by.test(path)).map(({ path }) => path),
    ).toEqual([]);
  });
});

test("heavy libraries are loaded by those who need them, when they need them", () => {
  const eager = /^import (?!type)[^;]*from "(execa|ofetch|consola)/m;
  expect(files.filter(({ code }) => eager.test(code)).map(({ path }) => path)).toEqual([]);
});

describe("form", () => {
  test("one line of licence first", () => {
    const first = "// SPDX-License-Identifier: Apache-2.0\n";
    expect(files.filter(({ text }) => !text.startsWith(first)).map(({ path }) => path)).toEqual([]);
  });
  test("at most 300 lines", () => {
    expect(files.filter(({ text }) => text.split("\n").length > 301).map(({ path }) => path)).toEqual([]);
  });
  test("kebab-case names, none of them a drawer", () => {
    const names = files.map(({ path }) => path.split("/").at(-1) ?? "");
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(name))).toEqual([]);
    expect(names.filter((name) => /^(utils?|helpers?|manager|misc|common|index)\.ts$/.test(name))).toEqual(
      [],
    );
  });
  test("named exports, each exported function explained", () => {
    const plain = /(?<!\*\/)\n(?:async )?export (?:async )?function (\w+)/g;
    const bare = files.flatMap(({ path, text }) =>
      [...text.matchAll(plain)].map((match) => `${path}: ${match[1]}`),
    );
    expect(bare).toEqual([]);
    expect(files.filter(({ code }) => /^export default/m.test(code)).map(({ path }) => path)).toEqual([]);
  });
});
