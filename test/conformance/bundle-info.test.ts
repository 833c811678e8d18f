// SPDX-License-Identifier: Apache-2.0
// What a bundle says of itself and of the machine.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { sandbox } from "../harness/index.ts";
import { bundle } from "./bundle-image.ts";
import { expectedVersion, improvement } from "./improvement.ts";

describe("what it says of itself", () => {
  // In a user namespace of its own: a machine that forbids more of them.
  const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
  const fewer = ["unshare", "-Ur", "sh", "-ec", forbid, "sh"];

  test("--info", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box, ["-c", "-d", "it's a test", "-t", "here"]);
    const { stdout } = await run(["--info"]);
    expect(stdout).toMatch(/^Checksum: [0-9a-f]{64}\nCompression: gzip\nDescription: it's a test\n/);
    expect(stdout).toContain(`\nRuntime version: ${expectedVersion}\n`);
    expect(stdout).toMatch(/\nTarget directory: here\nUncompressed size: \d+ KB\n$/);
  });

  improvement("bash enroot takes quotes away", "a description may be anything", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box, ["-d", 'a\n"test" of `id` $(id)']);
    expect((await run(["--info"])).stdout).toContain('\nDescription: a\n"test" of `id` $(id)\n');
  });

  test("--help, and a wrong option", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box, ["-d", "what it is for"]);
    expect(await run(["--help"])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("what it is for"),
    });
    expect((await run(["--nope"])).stdout).toContain("Usage: image.run [options] [--] [COMMAND] [ARG...]");
  });

  test("--verify", async () => {
    await using box = await sandbox();
    const { path, run } = await bundle(box);
    const { status, stdout } = await run(["--verify"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Kernel/);
    expect(stdout).toMatch(/^user\.max_user_namespaces +: OK$/m);
    const forbidden = await box.run([...fewer, path, "--verify"]);
    expect(forbidden.stdout).toMatch(/^user\.max_user_namespaces +: KO/m);
  });

  improvement("bash enroot reads settings and exits 0", "--verify tries what it needs", async () => {
    await using box = await sandbox();
    const { path, run } = await bundle(box);
    const { stdout } = await run(["--verify"]);
    expect(stdout).toMatch(/^user and mount namespaces +: OK$/m);
    expect(stdout).toMatch(/^mounts in them +: OK$/m);
    const forbidden = await box.run([...fewer, path, "--verify"]);
    expect(forbidden.status).toBe(1);
    expect(forbidden.stdout).toMatch(/^user and mount namespaces +: KO/m);
  });
});
