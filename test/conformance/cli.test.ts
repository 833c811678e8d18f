// SPDX-License-Identifier: Apache-2.0
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, sandbox } from "../harness/index.ts";
import { emptyContainer } from "./container.ts";
import { expectedVersion, improvement } from "./improvement.ts";

const commands = "batch bundle create digest exec export import info list load remove start".split(" ");

describe("help", () => {
  test("enroot alone prints it and fails, enroot help succeeds", async () => {
    await using box = await sandbox();
    const alone = await box.enroot([]);
    expect(alone).toMatchObject({ status: 1, stderr: "" });
    expect(alone.stdout).toStartWith("Usage: enroot COMMAND");
    for (const command of [...commands, "version"])
      expect(alone.stdout).toMatch(new RegExp(`^ +${command}\\b`, "m"));
    expect(await box.enroot(["help"])).toEqual({ ...alone, status: 0 });
  });

  test.each(commands)("enroot %s -h and --help", async (command) => {
    await using box = await sandbox();
    const short = await box.enroot([command, "-h"]);
    expect(short).toMatchObject({ status: 0, stderr: "" });
    expect(short.stdout).toStartWith(`Usage: enroot ${command}`);
    expect(await box.enroot([command, "--help"])).toEqual(short);
  });
});

describe("usage errors print the usage and exit 1", () => {
  test.each([
    [["nonsense"], "enroot COMMAND"],
    [["__proto__"], "enroot COMMAND"],
    [["create"], "enroot create"],
    [["create", "a", "b"], "enroot create"],
    [["create", "--name", "", "a"], "enroot create"],
    [["create", "--name=", "a"], "enroot create"],
    [["create", "a", "-n"], "enroot create"],
    [["create", "-n"], "enroot create"],
    [["list", "--wrong"], "enroot list"],
    [["remove"], "enroot remove"],
    [["remove", "-f"], "enroot remove"],
    [["start"], "enroot start"],
    [["start", "--net"], "enroot start"],
    [["exec", "1"], "enroot exec"],
    [["info", "x"], "enroot info"],
    [["digest"], "enroot digest"],
    [["import", "a", "b"], "enroot import"],
  ])("%j", async (args, usage) => {
    await using box = await sandbox();
    const result = await box.enroot(args);
    expect(result.status).toBe(1);
    expect(result.stdout).toStartWith(`Usage: ${usage}`);
  });
});

test("version prints the version alone", async () => {
  await using box = await sandbox();
  expect(expectedVersion).toMatch(/^\d+\.\d+\.\d+[\w.~+-]*$/);
  expect(await box.enroot(["version"])).toMatchObject({
    status: 0,
    stdout: `${expectedVersion}\n`,
    stderr: "",
  });
});

test("an error is one line without a stack", async () => {
  await using box = await sandbox();
  const result = await box.enroot(["create", "/no/such/file"]);
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(result.stderr).toMatch(/^\[ERROR\] [^\n]+\n$/);
});

improvement("bash enroot prints names as they are", "an error is one line whatever it is about", async () => {
  await using box = await sandbox();
  const result = await box.enroot(["create", "/no/such\nfile"]);
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(result.stderr).toMatch(/^\[ERROR\] [^\n]+\n$/);
});

test("log lines are coloured on a terminal only", async () => {
  await using box = await sandbox();
  const result = await box.enroot(["create", "/nowhere"], { tty: true });
  expect(result.stdout).toContain("\x1b[");
  expect(result.stdout).toContain("[ERROR]");
});

describe("stdout", () => {
  test("nobody reading it is nobody's fault", async () => {
    await using box = await sandbox();
    const enroot = enrootBinary();
    const result = await box.run([
      "bash",
      "-c",
      '"$1" help | true; "$1" info | head -n 1; wait',
      "-",
      enroot,
    ]);
    expect(result.stderr).toBe("");
    expect(result.stdout).toStartWith("Enroot version: ");
  });

  test("more than a pipe holds arrives whole", async () => {
    // Its subject is the pipe, and directories are made quickly.
    await using box = await sandbox({ chosenStore: false });
    for (let count = 0; count < 1000; count++) await mkdir(join(box.data, String(count).padStart(200, "0")));
    const enroot = enrootBinary();
    const slow = await box.run(["bash", "-c", '"$1" list | (read -r first; sleep 0.2; wc -l)', "-", enroot]);
    expect(slow.stdout.trim()).toBe("999");
  });

  test("a full disk is an error", async () => {
    await using box = await sandbox();
    const result = await box.run(["sh", "-c", 'exec "$1" info > /dev/full', "-", enrootBinary()]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^[^\n]+\n$/);
  });
});

describe("hostile surroundings change nothing", () => {
  test("variables and files of the engine's runtime", async () => {
    await using box = await sandbox();
    const trap = join(box.work, "trap.js");
    await writeFile(trap, 'console.log("trapped"); process.exit(0);');
    await writeFile(join(box.work, "bunfig.toml"), `preload = ["${trap}"]`);
    await writeFile(join(box.work, ".env"), "ENROOT_DATA_PATH=/trapped\n");
    await writeFile(join(box.work, "package.json"), "{ not json");
    await writeFile(join(box.work, "tsconfig.json"), "{ not json");
    const env = {
      BUN_OPTIONS: `--preload ${trap}`,
      BUN_BE_BUN: "1",
      BUN_INSPECT: "127.0.0.1:1",
      NODE_OPTIONS: `--require ${trap}`,
    };
    expect((await box.enroot(["version"], { env })).stdout).toBe(`${expectedVersion}\n`);
    expect(await box.ok(["info"], { env })).toContain(`ENROOT_DATA_PATH=${box.data}\n`);
  });

  test("a working directory that cannot be read", async () => {
    await using box = await sandbox();
    await emptyContainer(box, "one");
    const script = `mkdir a; cd a; chmod 0 .; "$1" list; cd ..; rmdir a`;
    expect(await box.run(["sh", "-c", script, "-", enrootBinary()])).toMatchObject({
      status: 0,
      stdout: "one\n",
      stderr: "",
    });
  });

  improvement("bash itself complains", "a working directory that is gone", async () => {
    await using box = await sandbox();
    await emptyContainer(box, "one");
    const script = `mkdir b; cd b; rmdir ../b; "$1" list`;
    expect(await box.run(["sh", "-c", script, "-", enrootBinary()])).toMatchObject({
      status: 0,
      stdout: "one\n",
      stderr: "",
    });
  });

  test("closed descriptors", async () => {
    await using box = await sandbox();
    const script = '"$1" list <&- >&- 2>&-; echo $?; "$1" version <&-';
    const result = await box.run(["sh", "-c", script, "-", enrootBinary()]);
    expect(result.stdout).toBe(`0\n${expectedVersion}\n`);
  });
});
