// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import type { CommandSpec } from "../../../src/cli/command.ts";
import { parseArguments } from "../../../src/cli/grammar.ts";

const spec: CommandSpec = {
  name: "sample",
  operands: "NAME [COMMAND] [ARG...]",
  description: "",
  options: [
    { long: "env", short: "e", value: "KEY[=VAL]", text: "" },
    { long: "rc", value: "SCRIPT", text: "" },
    { long: "force", short: "f", text: "" },
  ],
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
};

function parse(...args: string[]) {
  const parsed = parseArguments(spec, args);
  if (parsed.kind !== "command") return parsed.kind === "usage" ? parsed.problem : parsed.kind;
  return { options: Object.fromEntries(parsed.options), operands: parsed.operands };
}

describe("options", () => {
  test("come before the first operand, and stop there", () => {
    expect(parse("-f", "name", "-e", "A=1", "--force", "--", "--help", "")).toEqual({
      options: { force: [""] },
      operands: ["name", "-e", "A=1", "--force", "--", "--help", ""],
    });
  });
  test("stop at --, which is dropped once", () => {
    expect(parse("--force", "--", "--", "-f")).toEqual({ options: { force: [""] }, operands: ["--", "-f"] });
  });
  test("take a value in both forms, and keep their order", () => {
    expect(parse("-e", "A=1", "--env=B=2", "--env", "C", "--rc", "-x", "name")).toEqual({
      options: { env: ["A=1", "B=2", "C"], rc: ["-x"] },
      operands: ["name"],
    });
  });
  test("a value may be -- or look like an option", () => {
    expect(parse("--rc", "--", "-e", "-f", "name")).toEqual({
      options: { rc: ["--"], env: ["-f"] },
      operands: ["name"],
    });
  });
});

test("a single dash and an empty string are operands", () => {
  expect(parse("-", "-f")).toEqual({ options: {}, operands: ["-", "-f"] });
  expect(parse("", "-f")).toEqual({ options: {}, operands: ["", "-f"] });
});

test("help wins over whatever follows it", () => {
  expect(parse("-h", "--wrong")).toBe("help");
  expect(parse("-f", "--help")).toBe("help");
  expect(parse("name", "--help")).toEqual({ options: {}, operands: ["name", "--help"] });
});

describe("usage errors", () => {
  test.each([
    [["--wrong", "name"], "unknown option --wrong"],
    [["-x", "name"], "unknown option -x"],
    [["-fe", "A", "name"], "unknown option -fe"],
    [["--env"], "--env needs a value"],
    [["-e", "", "name"], "-e needs a value"],
    [["--env=", "name"], "--env needs a value"],
    [["--force=yes", "name"], "--force takes no value"],
    [["--forc", "name"], "unknown option --forc"],
    [["--constructor", "name"], "unknown option --constructor"],
    [["-f"], "missing operand"],
    [[], "missing operand"],
  ])("%j", (args, problem) => {
    expect(parse(...args)).toBe(problem);
  });
  test("too many operands", () => {
    const one = { ...spec, maxOperands: 1 };
    expect(parseArguments(one, ["a", "b"])).toEqual({ kind: "usage", problem: "too many operands" });
  });
});
