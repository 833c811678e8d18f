// SPDX-License-Identifier: Apache-2.0
// What bash completes, with the completions that the packages bring.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { table } from "../../src/cli/table.ts";
import { container } from "../conformance/container.ts";
import { enrootBinary, host, projectDirectory, sandbox } from "../harness/index.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "enroot-completions."));
  await host(["chmod", "755", directory]);
  await host([process.execPath, "scripts/completions.ts", directory], { cwd: projectDirectory });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** What bash offers for the last of these words, with a container "box" and a file "box.sqsh". */
async function completed(...words: readonly string[]): Promise<readonly string[]> {
  await using box = await sandbox();
  await container(box);
  await host(["touch", join(box.work, "box.sqsh")]);
  const script = `
    compopt() { :; }
    source "$0"
    PATH=$1:$PATH
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _enroot
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const programs = dirname(enrootBinary());
  const result = await box.run([
    "bash",
    "-ec",
    script,
    join(directory, "enroot.bash"),
    programs,
    "enroot",
    ...words,
  ]);
  expect(result.stderr).toBe("");
  return result.stdout.trimEnd().split("\n").toSorted();
}

test("commands", async () => {
  expect(await completed("")).toEqual([...Object.keys(table), "--help", "--version"].toSorted());
  expect(await completed("im")).toEqual(["import"]);
});

test("options, and values of options", async () => {
  expect(await completed("import", "--ar")).toEqual(["--arch"]);
  expect(await completed("import", "--arch", "ar")).toEqual(["arm64"]);
  expect(await completed("export", "--format", "")).toEqual(["sqsh", "zfs"]);
});

test("containers, image files and URIs where they can stand", async () => {
  expect(await completed("export", "")).toEqual(["box"]);
  expect(await completed("start", "b")).toEqual(["box", "box.sqsh"]);
  expect(await completed("start", "--rw", "b")).toEqual(["box", "box.sqsh"]);
  expect(await completed("import", "dock")).toEqual(["docker://", "dockerd://"]);
});
