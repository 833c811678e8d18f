// SPDX-License-Identifier: Apache-2.0
// What a real bash makes of a value is the reference.
import { describe, expect, test } from "bun:test";
import { type Expansion, expand, UnsetVariable } from "../../../src/config/expand.ts";

const variables: Record<string, string> = { HOME: "/home/u", A: "a b", EMPTY: "", PATH_X: "/x", UID_2: "7" };

function recording(): Expansion & { commands: string[]; shells: string[] } {
  const commands: string[] = [];
  const shells: string[] = [];
  return {
    commands,
    shells,
    variable: (name) => variables[name],
    fallback: () => undefined,
    home: () => "/home/u",
    command: (script) => {
      commands.push(script);
      return `<${script}>`;
    },
    shell: (value) => {
      shells.push(value);
      return "by shell";
    },
  };
}

function bash(value: string): string {
  const script = 'set -u; eval "echo $1"';
  const child = Bun.spawnSync(["/bin/bash", "--norc", "-c", script, "bash", value], {
    env: variables,
    cwd: "/",
  });
  return child.stdout.toString().replace(/\n$/, "");
}

describe("expanded here, as bash does", () => {
  test.each([
    "plain",
    "two words",
    "many   words \t here",
    "  led",
    "-comp lzo -noD -exit-on-error",
    "-Xcompression-level 3 -b 1M",
    "\"quoted  twice\" and 'single  $A'",
    'pre"mid"post',
    "$PATH_X/enroot",
    "${PATH_X}/enroot",
    "${NONE:-/default}/enroot",
    "${NONE-/default}/enroot",
    "${EMPTY:-/default}/enroot",
    "${EMPTY-/default}/enroot",
    "${NONE:-~/.config}/enroot",
    "${NONE:-${PATH_X}/deep}/enroot",
    "${NONE:-$PATH_X}",
    "${NONE:-}",
    '"${NONE:-/default}/enroot"',
    "~",
    "~/.local",
    "a~b ~/c",
    '"~/x"',
    '\\$A \\~ \\\\ \\"',
    '"\\$A \\x \\\\ \\""',
    "value # comment",
    "value#not",
    "# only comment",
    "'#' x",
    "$",
    "a$ b",
    "100% = 5, x:y @z +w ^v",
    "!x",
    "''",
    '"trailing "',
    "$UID_2",
  ])("%s", (value) => {
    const expansion = recording();
    expect(expand(value, expansion)).toBe(bash(value));
    expect(expansion.shells).toEqual([]);
  });
});

describe("left to bash", () => {
  test.each([
    "`hostname`",
    "${A%b}",
    "${A:+x}",
    "${#A}",
    "$((1 + 1))",
    "$(echo '(')",
    '"$(echo "x")"',
    '"${A:+$NONE}"',
    "/x/*.conf",
    "{a,b}",
    "a;b",
    "a|b",
    "$$",
    "$?",
    "~root/x",
    "$'x'",
  ])("%s", (value) => {
    const expansion = recording();
    expect(expand(value, expansion)).toBe("by shell");
    expect(expansion.shells).toEqual([value]);
  });
});

test("commands run by themselves", () => {
  const expansion = recording();
  expect(expand('/run/$(id -u)/"$(hostname -s)"', expansion)).toBe("/run/<id -u>/<hostname -s>");
  expect(expansion.commands).toEqual(["id -u", "hostname -s"]);
});

test("nothing of a variable's value is evaluated", () => {
  const hostile: Expansion = { ...recording(), variable: () => "$(touch /x) `y` ${Z} ~ 'q" };
  expect(expand('"$V"', hostile)).toBe("$(touch /x) `y` ${Z} ~ 'q");
});

test("a variable that is not set makes the whole value unset", () => {
  expect(() => expand("/x/$NONE", recording())).toThrow(UnsetVariable);
  expect(() => expand('"${NONE}"', recording())).toThrow("NONE is not set");
});

test("quotes must close", () => {
  expect(() => expand('"x', recording())).toThrow(SyntaxError);
  expect(() => expand("it's", recording())).toThrow(SyntaxError);
});
