// SPDX-License-Identifier: Apache-2.0
// Whole directory trees, with whatever names, depths and permissions an image gave them. rm, chmod and find go by
// descriptor, so that neither a path longer than the kernel takes nor a name that is not UTF-8 stops them.
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EnrootError } from "../errors.ts";
import { describeErrno, errnoOf } from "./errno.ts";
import { readMounts } from "./mounts.ts";
import { failure, runSilent, spawnPiped } from "./process.ts";
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
 * Deletes what is in a directory at some paths, with all that is in it. Whoever calls knows that only directories lead
 * there.
 * @param paths below the directory: bytes, kept as latin1 strings
 * @throws EnrootError Tool
 */
export async function removeListed(directory: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const rm = [requireProgram("rm", "coreutils"), "-rf", "--one-file-system", "--"];
  const argv = [requireProgram("xargs", "findutils"), "--null", ...rm] as const;
  const sink = spawnPiped({ argv, cwd: directory });
  await sink.write(Buffer.from(paths.map((path) => `./${path}\0`).join(""), "latin1")).catch(() => undefined);
  const outcome = await sink.end();
  if (outcome.status !== 0 || outcome.signal) throw failure("rm", outcome);
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
