// SPDX-License-Identifier: Apache-2.0
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Result, RunOptions, Sandbox } from "../harness/index.ts";

/** The enroot under test with system configuration files of the test's. */
export interface Configured {
  /** Its directory: /etc/enroot, or where this enroot has it. */
  readonly sysconf: string;
  enroot(args: readonly string[], options?: RunOptions): Promise<Result>;
}

/**
 * Gives enroot `files`, by name below its system directory, instead of its own enroot.conf. What is there is covered by a
 * mount that nothing else sees, since the place of the system's configuration is nothing that a caller may choose.
 */
export async function configured(box: Sandbox, files: Readonly<Record<string, string>>): Promise<Configured> {
  const sysconf = dirname(/^Config file: (.*)$/m.exec(await box.ok(["info"]))?.[1] ?? "");
  const own = join(box.root, "system");
  await cp(sysconf, own, { recursive: true });
  await rm(join(own, "enroot.conf"), { force: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(own, name)), { recursive: true });
    await writeFile(join(own, name), text, { mode: name.endsWith(".sh") ? 0o755 : 0o644 });
  }
  const prepare = `mount --bind '${own}' '${sysconf}'`;
  return { sysconf, enroot: (args, options) => box.enroot(args, { prepare, ...options }) };
}
