// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, programPath, requireProgram } from "../../../src/system/programs.ts";
import { temporary } from "../temporary.ts";

test("only absolute entries of PATH count, and the system's own always do", () => {
  const system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  expect(programPath(undefined)).toEqual(system);
  expect(programPath("")).toEqual(system);
  expect(programPath(":.:bin:./x:../y:~/bin:/opt/x:")).toEqual(["/opt/x", ...system]);
  expect(programPath("/bin:/usr/bin").slice(0, 2)).toEqual(["/bin", "/usr/bin"]);
});

test("what is found is a file that may be executed", () => {
  using place = temporary();
  const path = `${join(place.path, "a")}:${join(place.path, "b")}:${join(place.path, "c")}`;
  for (const name of ["a/tool", "b", "c"]) mkdirSync(join(place.path, name), { recursive: true });
  writeFileSync(join(place.path, "b/tool"), "");
  writeFileSync(join(place.path, "c/tool"), "");
  chmodSync(join(place.path, "b/tool"), 0o644);
  chmodSync(join(place.path, "c/tool"), 0o755);
  expect(findProgram("tool", path)).toBe(join(place.path, "c/tool"));
});

test("what is missing is named together with its package", () => {
  expect(() => requireProgram("no-such-tool", "tool-package")).toThrow("Command not found: no-such-tool");
  try {
    requireProgram("no-such-tool", "tool-package");
  } catch (error) {
    expect(error).toMatchObject({ kind: "Tool", hint: "install the package tool-package" });
  }
});
