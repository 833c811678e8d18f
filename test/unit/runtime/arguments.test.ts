// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { environmentStep, mountStep, variableStep } from "../../../src/runtime/arguments.ts";

describe("--env", () => {
  test.each([
    ["A=1", ["environ-text", "A=1"]],
    ["_a1=", ["environ-text", "_a1="]],
    ["A=b=c d", ["environ-text", "A=b=c d"]],
    ["HOME", ["environ-variable", "HOME"]],
  ])("%s", (option, step) => {
    expect<readonly string[]>(environmentStep(option)).toEqual(step);
  });

  test.each(["", "=1", "1A=2", "A B=1", "A-B", "A=1\nB=2", "A\n", "Ä=1"])("refuses %j", (option) => {
    expect(() => environmentStep(option)).toThrow(`Invalid argument: ${option}`);
  });
});

describe("--env of exec", () => {
  test.each([
    ["A=1", ["variable", "A", "1"]],
    ["A=", ["variable", "A", ""]],
    ["A=b=\nc", ["variable", "A", "b=\nc"]],
    ["HOME", ["variable", "HOME"]],
  ])("%j", (option, step) => {
    expect<readonly string[]>(variableStep(option)).toEqual(step);
  });

  test.each(["", "=1", "1A=2", "A B=1", "A-B", "A\n"])("refuses %j", (option) => {
    expect(() => variableStep(option)).toThrow(`Invalid argument: ${option}`);
  });
});

describe("--mount", () => {
  test.each([
    ["/src", "/src"],
    ["/src:/dst", "/src /dst"],
    ["/src:/dst:none:bind,ro", "/src /dst none bind,ro"],
    ["tmpfs:/t::size=1m", "tmpfs /t  size=1m"],
    ["/a\\040b:/c", "/a\\040b /c"],
  ])("%s", (option, line) => {
    expect<readonly string[]>(mountStep(option)).toEqual(["mounts-text", line]);
  });

  test.each(["", " ", "/a b", "/a:/b\n/c", "/a\t/b"])("refuses %j", (option) => {
    expect(() => mountStep(option)).toThrow(`Invalid argument: ${option}`);
  });
});
