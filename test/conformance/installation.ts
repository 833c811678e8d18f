// SPDX-License-Identifier: Apache-2.0
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
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
  await cp(dirname(await enrootBinary()), tree, { recursive: true });
  const sysconf = join(tree, "etc/enroot");
  await rm(join(sysconf, "enroot.conf"), { force: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(sysconf, name)), { recursive: true });
    await writeFile(join(sysconf, name), text);
  }
  return { sysconf, enroot: (args, options) => box.run([join(tree, "enroot"), ...args], options) };
}
