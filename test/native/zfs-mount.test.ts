// SPDX-License-Identifier: Apache-2.0
// The parsers of enroot-zfs-mount under sanitizers; what the program does is tested on real OpenZFS, in test/zfs.

import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distDirectory, host, projectDirectory, start } from "../harness/index.ts";

test("mutated names, configurations and tables of mounts", async () => {
  const directory = await mkdtemp(join(tmpdir(), "enroot-fuzz."));
  try {
    const program = join(directory, "fuzz");
    const native = join(projectDirectory, "native");
    const flags = [
      "-std=c11",
      "-D_GNU_SOURCE",
      "-g",
      "-O1",
      "-fsanitize=address,undefined",
      "-fno-sanitize-recover=all",
    ];
    const sources = [join(projectDirectory, "test/native/zfsstore-fuzz.c"), join(native, "zfsstore.c")];
    await host(["gcc", ...flags, `-I${native}`, "-o", program, ...sources]);
    for (const seed of ["1", "2", `${Date.now()}`]) {
      const result = await start([program, seed, "600000"], {}, { user: "root" }).exited;
      expect({ seed, ...result }).toEqual({ seed, status: 0, signal: null, stdout: "done\n", stderr: "" });
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("without a configuration of the system nothing is mounted", async () => {
  const helper = join(distDirectory, "enroot-zfs-mount");
  const usage = await start([helper, "--help"], {}).exited;
  expect(usage.stdout).toBe("Usage: enroot-zfs-mount [--unmount] DATASET\n");
  const prepare = "mount -t tmpfs tmpfs /etc";
  const result = await start([helper, "tank/enroot/name"], {}, { prepare }).exited;
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(result.stderr).toBe("[ERROR] Could not open /etc/enroot: No such file or directory\n");
});
