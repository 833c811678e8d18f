// SPDX-License-Identifier: Apache-2.0
// Packages of a version before this one, which differ in their version and in two files of the configuration.
import { appendFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host } from "../harness/index.ts";
import { debianArchitecture, type PackageName, packageFile, version } from "./built.ts";

/** The version of `earlierPackages`. */
export const earlierVersion = "4.99.0";

/** What an earlier version had in a file of its configuration besides. */
export const earlierLine = "# What only the earlier version has.\n";

/** Files of the configuration that the earlier version has otherwise. */
export const changedFiles = ["/etc/enroot/enroot.conf", "/etc/enroot/mounts.d/10-system.fstab"] as const;

/** Makes earlier versions of packages in a directory. */
export async function earlierPackages(names: readonly PackageName[], directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await Promise.all(names.map((name) => repack(name, directory)));
}

async function repack(name: PackageName, directory: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "enroot-earlier."));
  try {
    const tree = join(work, name);
    await host(["dpkg-deb", "--raw-extract", await packageFile(name), tree]);
    await host([
      "sed",
      "-i",
      `s/${version.replaceAll(".", "\\.")}-1/${earlierVersion}-1/`,
      join(tree, "DEBIAN/control"),
    ]);
    if (!name.endsWith("+caps")) {
      for (const file of changedFiles) await appendFile(join(tree, file), earlierLine);
    }
    const output = join(directory, `${name}_${earlierVersion}-1_${debianArchitecture}.deb`);
    await host(["dpkg-deb", "-Znone", "--build", tree, output]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
