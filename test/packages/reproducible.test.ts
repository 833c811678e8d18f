// SPDX-License-Identifier: Apache-2.0
// The same commit gives the same bytes, wherever it is built.
import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host, projectDirectory } from "../harness/index.ts";
import { makePackages, packages } from "./built.ts";

const first = await packages();

test("another checkout gives the same packages, tarball and sources", async () => {
  const work = await mkdtemp(join(tmpdir(), "enroot-rebuilt."));
  try {
    const checkout = join(work, "a-longer-name-than-before");
    await host(["git", "clone", "--quiet", "--shared", projectDirectory, checkout]);
    // What is not committed yet belongs to it, too.
    const list = "git ls-files -z --cached --others --exclude-standard";
    const copy = `${list} | xargs -0 ls -d 2> /dev/null | cpio --quiet -pdu "$1"`;
    await host(["sh", "-c", copy, "copy", checkout], { cwd: projectDirectory });
    // Links would make the names of modules differ.
    const shared = [".build", "node_modules"];
    for (const name of shared) await mkdir(join(checkout, name));
    const mounts = shared.map((name) => `mount --bind '${projectDirectory}/${name}' '${checkout}/${name}'`);
    const second = join(work, "packages");
    await makePackages(checkout, second, { prepare: mounts.join("\n") });
    const sums = (directory: string): Promise<string> => Bun.file(join(directory, "SHA256SUMS")).text();
    expect(await sums(second)).toBe(await sums(first));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}, 600_000);
