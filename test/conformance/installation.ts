// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { enrootBinary, type Result, type RunOptions, type Sandbox } from "../harness/index.ts";

/** An installation of its own with configuration files of the test's. */
export interface Installation {
  /** Its etc/enroot. */
  readonly sysconf: string;
  enroot(args: readonly string[], options?: RunOptions): Promise<Result>;
}

/** Copies the enroot under test into the sandbox, with `files` (by name below etc/enroot) as its configuration. */
export async function installation(
  box: Sandbox,
  files: Readonly<Record<string, string>>,
): Promise<Installation> {
  const tree = join(box.root, "installation");
  await copyInstallation(dirname(await enrootBinary()), tree);
  const sysconf = join(tree, "etc/enroot");
  await rm(join(sysconf, "enroot.conf"), { force: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(sysconf, name)), { recursive: true });
    await writeFile(join(sysconf, name), text);
  }
  return { sysconf, enroot: (args, options) => box.run([join(tree, "enroot"), ...args], options) };
}

/** From a build tree, where everything is beside the launcher, or from where a package has put it. */
async function copyInstallation(programs: string, tree: string): Promise<void> {
  const library = join(programs, "../lib/enroot");
  if (!existsSync(join(library, "enroot-engine"))) return cp(programs, tree, { recursive: true });
  await cp(library, tree, { recursive: true });
  for (const name of await readdir(programs)) {
    if (name.startsWith("enroot")) await cp(join(programs, name), join(tree, name));
  }
  const settings = programs === "/usr/bin" ? "/etc/enroot" : join(programs, "../etc/enroot");
  await cp(settings, join(tree, "etc/enroot"), { recursive: true });
}
