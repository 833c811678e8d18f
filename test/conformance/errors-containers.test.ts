// SPDX-License-Identifier: Apache-2.0
// Bad names, files and surroundings of containers get one clear line, exit status 1, and nothing half-made.
// Also with containers that are datasets, in every run.

import { describe, expect, test } from "bun:test";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, inStore, type Sandbox, sandbox } from "../harness/index.ts";
import { busybox, image } from "./image.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";
import { files, hide, withLittleSpace } from "./surroundings.ts";

describe("names and files", () => {
  improvement.among([["../x"], ["a/b"], ["/abs"], ["x".repeat(256)]], "bash enroot takes it for a name", [
    ["."],
    [".."],
    [".hidden"],
    ["a\nb"],
    [""],
  ])("an invalid container name: %p", async (name) => {
    await using box = await sandbox();
    const file = await image(box, busybox);
    // An empty operand is an error of usage, which prints the usage as well.
    for (const args of [
      ["create", "-n", name, file],
      ["remove", "-f", name],
    ]) {
      const result = await box.enroot(args);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/^\[ERROR\] [^\n]+\n$/);
    }
    expect(await inStore(box)).toEqual([]);
  });

  test("a container that is not there", async () => {
    await using box = await sandbox();
    for (const args of [
      ["start", "nobody", "true"],
      ["remove", "-f", "nobody"],
    ]) {
      expect(refusal(await box.enroot(args))).toContain("nobody");
    }
  });

  test.each([
    ["nothing", ""],
    ["text", "just text\n"],
    ["half a super block", "hsqs"],
    ["a broken super block", `hsqs${"\0".repeat(4096)}`],
  ])("a file that is no image: %s", async (_, text) => {
    await using box = await sandbox();
    await writeFile(join(box.work, "x.sqsh"), text);
    expect(refusal(await box.enroot(["create", "x.sqsh"]))).toContain("x.sqsh");
    refusal(await box.enroot(["start", "./x.sqsh", "true"]));
    expect(await inStore(box)).toEqual([]);
    expect(await files(box, box.runtime)).toBe("");
  });

  improvement("bash enroot leaves the words to unsquashfs", "an image that was cut off", async () => {
    await using box = await sandbox();
    await image(box, busybox, "whole.sqsh");
    await box.run(["sh", "-c", "head -c 300000 whole.sqsh > cut.sqsh"]);
    expect(refusal(await box.enroot(["create", "cut.sqsh"]))).toContain("cut.sqsh");
    expect(await inStore(box)).toEqual([]);
  });

  test("an image that may not be read", async () => {
    await using box = await sandbox();
    const file = await image(box, busybox);
    await chmod(file, 0o600);
    expect(refusal(await box.enroot(["create", file]))).toContain(file);
    expect(refusal(await box.enroot(["create", "/nowhere/x.sqsh"]))).toContain("/nowhere/x.sqsh");
  });
});

test("a container of that name is there already", async () => {
  await using box = await sandbox();
  const file = await image(box, busybox, "one.sqsh");
  await box.ok(["create", file]);
  await box.run(["sh", "-c", `echo mine > ${box.data}/one/mine`]);
  expect(refusal(await box.enroot(["create", file]))).toContain(`${box.data}/one`);
  expect((await box.run(["cat", `${box.data}/one/mine`])).stdout).toBe("mine\n");
  expect(await box.ok(["list"])).toBe("one\n");
  await box.ok(["remove", "-f", "one"]);
});

improvement(
  "bash enroot leaves half a container",
  "no space for the container: names the path and the variable",
  async () => {
    // The small disk is mounted on the store's directory.
    await using box = await sandbox({ chosenStore: false });
    const file = await image(box, busybox);
    const line = refusal(await withLittleSpace(box, box.data, ["create", file]));
    expect(line).toContain(box.data);
    expect(line).toContain("ENROOT_DATA_PATH");
  },
);

describe("programs that are not installed", () => {
  test("create without unsquashfs", async () => {
    await using box = await sandbox();
    const file = await image(box, busybox);
    const line = refusal(await box.enroot(["create", file], { prepare: hide(box, "unsquashfs") }));
    expect(line).toContain("unsquashfs");
    expect(await inStore(box)).toEqual([]);
  });

  improvement("bash enroot does not tell", "the package that has them is named", async () => {
    await using box = await sandbox();
    const file = await image(box, busybox);
    const line = refusal(await box.enroot(["create", file], { prepare: hide(box, "unsquashfs") }));
    expect(line).toContain("squashfs-tools");
  });

  // A dataset is started without either of these.
  test("start of an image without squashfuse", async () => {
    await using box = await sandbox({ chosenStore: false });
    const file = await image(box, busybox);
    const prepare = hide(box, "squashfuse", "squashfuse_ll");
    const line = refusal(await box.enroot(["start", file, "true"], { prepare }));
    expect(line).toContain("squashfuse");
    expect(await files(box, box.runtime)).toBe("");
  });

  test("start of an image without fuse-overlayfs, when that is what is wanted", async () => {
    await using box = await sandbox({ env: { ENROOT_NATIVE_OVERLAYFS: "no" }, chosenStore: false });
    const file = await image(box, busybox);
    const line = refusal(await box.enroot(["start", file, "true"], { prepare: hide(box, "fuse-overlayfs") }));
    expect(line).toContain("fuse-overlayfs");
  });
});

describe("start", () => {
  async function container(box: Sandbox): Promise<void> {
    await box.ok(["create", "-n", "c", await image(box, busybox)]);
  }

  improvement("bash enroot does not know why", "user namespaces are disabled: names the switch", async () => {
    // Datasets cannot be used from inside of a user namespace.
    await using box = await sandbox({ chosenStore: false });
    await container(box);
    // The limit of a user namespace that has been entered before: nobody else's.
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
    const nested = ["unshare", "--user", "--map-root-user", "--", "sh", "-c", script, "sh"];
    const line = refusal(await box.run([...nested, enrootBinary(), "start", "c", "true"]));
    expect(line).toContain("user.max_user_namespaces");
  });

  improvement("bash enroot does not know why", "a store that is mounted noexec: says so", async () => {
    await using box = await sandbox();
    await container(box);
    const rootfs = join(box.data, "c");
    const prepare = `mount --bind ${rootfs} ${rootfs}; mount -o remount,bind,noexec ${rootfs}`;
    const line = refusal(await box.enroot(["start", "c", "true"], { prepare }));
    expect(line).toContain("noexec");
    expect(line).toContain("ENROOT_DATA_PATH");
  });

  test("a failing hook: names it and its status", async () => {
    await using box = await sandbox();
    await container(box);
    const hook = join(box.config, "hooks.d/50-fail.sh");
    await mkdir(join(box.config, "hooks.d"));
    await writeFile(hook, "#!/bin/sh\nexit 42\n", { mode: 0o755 });
    const line = refusal(await box.enroot(["start", "c", "echo", "started"]));
    expect(line).toContain(hook);
    expect(line).toContain("42");
    expect(await files(box, box.runtime)).toBe("");
  });

  test("a command that is not there", async () => {
    await using box = await sandbox();
    await container(box);
    const result = await box.enroot(["start", "c", "/no/such/command"]);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain("/no/such/command");
  });
});
