// SPDX-License-Identifier: Apache-2.0
// Whole directory trees, with whatever names, depths and permissions an image gave them. rm, chmod and find go by
// descriptor, so that neither a path longer than the kernel takes nor a name that is not UTF-8 stops them.
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EnrootError } from "../errors.ts";
import { describeErrno, errnoOf } from "./errno.ts";
import { readMounts } from "./mounts.ts";
import { runSilent } from "./process.ts";
import { requireProgram } from "./programs.ts";
import { abortSignal } from "./signals.ts";

/** Whether there is anything at `path`, a dangling symbolic link included. */
export function isPresent(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errnoOf(cause) ?? "")) return false;
    throw new EnrootError("Tool", `Could not read ${path}: ${describeErrno(cause)}`, { cause });
  }
}

/**
 * Checks that deleting `directory` would not reach into something that is mounted.
 * @throws EnrootError Unsupported
 */
export function refuseMounts(directory: string): void {
  const real = join(realpathSync(dirname(directory)), basename(directory));
  for (const { point } of readMounts("self")) {
    if (point !== real && !point.startsWith(`${real}/`)) continue;
    throw new EnrootError("Unsupported", `Could not delete ${directory}: ${point} is mounted`, {
      hint: "unmount it first",
    });
  }
}

/**
 * Deletes a tree; nothing there is fine. Symbolic links are deleted, not followed, and no mount is entered.
 * @param cancel ends it early; a clean-up passes null, because it must get to its end
 * @throws EnrootError Unsupported when something is mounted in it, Tool when files resist
 */
export async function removeTree(
  directory: string,
  cancel: AbortSignal | null = abortSignal(),
): Promise<void> {
  if (!isPresent(directory)) return;
  refuseMounts(directory);
  const rm = [requireProgram("rm", "coreutils"), "-rf", "--one-file-system", "--", directory] as const;
  if ((await runSilent(rm, cancel)).status === 0 || !isPresent(directory)) return;
  await runSilent([requireProgram("chmod", "coreutils"), "-Rf", "u+rwX", "--", directory], cancel);
  const { status, stderr } = await runSilent(rm, cancel);
  if (status === 0 || !isPresent(directory)) return;
  const words = stderr.trim().split("\n").at(-1)?.split(": ").at(-1)?.toLowerCase();
  throw new EnrootError("Tool", `Could not delete ${directory}: ${words ?? "interrupted"}`);
}

/**
 * Lets the owner read every file and write every directory: some distributions' files assume CAP_DAC_OVERRIDE.
 * Device nodes are deleted: they have no business outside of a container. What resists is left as it is.
 */
export async function openPermissions(directory: string): Promise<void> {
  const chmod = requireProgram("chmod", "coreutils");
  await runSilent([chmod, "-Rf", "u+rX", "--", directory]);
  const directories = ["-type", "d", "!", "-perm", "-u=w", "-exec", chmod, "u+w", "{}", "+"];
  const devices = ["(", "-type", "b", "-o", "-type", "c", ")", "-delete"];
  await runSilent([
    requireProgram("find", "findutils"),
    directory,
    "-xdev",
    ...directories,
    "-o",
    ...devices,
  ]);
}
