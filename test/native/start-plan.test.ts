// SPDX-License-Identifier: Apache-2.0
// What the engine decides is done before anything changes: it refuses in one line, and its plan can be read.
import { expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { container, lines, sysconf } from "../conformance/container.ts";
import { enrootBinary, sandbox } from "../harness/index.ts";

test("the engine by itself prints the plan", async () => {
  await using box = await sandbox();
  const { rootfs } = await container(box);
  const system = await sysconf(box, { "hooks.d/1.sh": "", "mounts.d/1.fstab": "", "environ.d/1.env": "" });
  const engine = join(dirname(enrootBinary()), "enroot-engine");
  const command = [engine, "start", "--root", "-e", "A=1", "-m", "/a:/b", "box", "sh", "-c", "x y"];
  const result = await box.run(command, { env: { ENROOT_SYSCONF_PATH: system } });
  expect(result).toMatchObject({ status: 0, stderr: "" });
  const plan = lines(result.stdout).filter((line) => !/^(un)?setenv /.test(line));
  expect(plan).toEqual([
    'unshare "user" "remap-root" "mount"',
    `runtime "${box.runtime}"`,
    `rootfs "${rootfs}"`,
    "prepare",
    'lock "30"',
    'environ-rootfs "/etc/environment"',
    `environ-file "${system}/environ.d/1.env"`,
    'environ-text "A=1"',
    "environ-format",
    'mounts-rootfs "/etc/fstab"',
    `mounts-file "${system}/mounts.d/1.fstab"`,
    'mount "-1"',
    "hooks-begin",
    `hook "${system}/hooks.d/1.sh"`,
    "hooks-end",
    "environ-format",
    'mounts-text "/a /b"',
    'mount "0"',
    "readonly",
    "protect",
    'command "login" "sh" "-c" "x y"',
  ]);
  expect(lines(result.stdout)).toContain('setenv "ENROOT_REMAP_ROOT" "y"');
});

test("ENROOT_DEBUG shows the plan, and the command runs all the same", async () => {
  await using box = await sandbox();
  await container(box);
  const result = await box.enroot(["start", "box", "echo", "started"], { env: { ENROOT_DEBUG: "1" } });
  expect(result).toMatchObject({ status: 0, stdout: "started\n" });
  expect(result.stderr).toContain("\nprepare\nlock ");
});

test.each(["/proc/nowhere/run", "FILE/run", "FILE"])(
  "a runtime directory that cannot be: %s",
  async (path) => {
    await using box = await sandbox();
    const { rootfs } = await container(box);
    const before = await readdir(rootfs);
    await writeFile(join(box.work, "file"), "");
    const runtime = path.replace("FILE", join(box.work, "file"));
    const result = await box.enroot(["start", "box", "true"], { env: { ENROOT_RUNTIME_PATH: runtime } });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(lines(result.stderr)).toEqual([expect.stringMatching(/^\[ERROR\] .*ENROOT_RUNTIME_PATH/)]);
    expect(await readdir(rootfs)).toEqual(before);
  },
);

test.each([
  [["start"], "Usage:"],
  [["start", "--no-such-option", "box"], "Usage:"],
  [["start", "--mount"], "Usage:"],
])("%j is a usage error", async (args, text) => {
  await using box = await sandbox();
  const result = await box.enroot(args);
  expect(result.status).toBe(1);
  expect(result.stdout + result.stderr).toContain(text);
});
