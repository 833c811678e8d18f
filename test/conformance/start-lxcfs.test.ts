// SPDX-License-Identifier: Apache-2.0
// The opt-in mounts of lxcfs, of whose files stand-ins are mounted where it has them.
// Also with containers that are datasets.
import { expect, test } from "bun:test";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { projectDirectory, type Sandbox, sandbox } from "../harness/index.ts";
import { container, own } from "./container.ts";

const files = [
  "proc/cpuinfo",
  "proc/diskstats",
  "proc/meminfo",
  "proc/stat",
  "proc/swaps",
  "sys/devices/system/cpu/online",
];

/** A sandbox's user has put the mounts into place; what root does so that lxcfs seems to run. */
async function withMounts(box: Sandbox): Promise<string> {
  await mkdir(join(box.config, "mounts.d"));
  const shipped = join(projectDirectory, "packaging/extra/mounts.d/30-lxcfs.fstab");
  await copyFile(shipped, join(box.config, "mounts.d/30-lxcfs.fstab"));
  await own(box.config);
  const made = files.map((name) => `mkdir -p "$(dirname ${name})"; echo "of lxcfs: ${name}" > ${name}`);
  return `mount -t tmpfs -o mode=755 none /var/lib; mkdir /var/lib/lxcfs; cd /var/lib/lxcfs; ${made.join("; ")}; cd "$OLDPWD"`;
}

test("a container sees what lxcfs says of its share of the machine", async () => {
  await using box = await sandbox();
  const { inside } = await container(box);
  const prepare = await withMounts(box);
  const paths = files.map((name) => `/${name}`).join(" ");
  expect(await inside(`cat ${paths}`, [], { prepare })).toBe(
    files.map((name) => `of lxcfs: ${name}\n`).join(""),
  );
});

test("and cannot change it", async () => {
  await using box = await sandbox();
  const { inside } = await container(box);
  const prepare = await withMounts(box);
  const script = "true 2> /dev/null > /proc/meminfo || echo refused";
  expect(await inside(script, ["--rw"], { prepare })).toBe("refused\n");
});

test("without lxcfs on the host the start fails, and says what is missing", async () => {
  await using box = await sandbox();
  await container(box);
  await withMounts(box);
  const result = await box.enroot(["start", "box", "true"]);
  expect(result.status).toBe(1);
  expect(result.stderr).toContain("/var/lib/lxcfs/proc/cpuinfo");
});
