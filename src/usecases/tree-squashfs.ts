// SPDX-License-Identifier: Apache-2.0
// An image file of a directory tree, with mksquashfs: it reads and compresses on all processors.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { run } from "../system/process.ts";
import { requireProgram } from "../system/programs.ts";
import { explain, mksquashfsBounds, mksquashfsDefaults, ownOptions } from "./squashfs.ts";

/** A root file system, and where its image goes. */
export interface TreeWriting {
  /** Absolute path of mksquashfs. */
  readonly program: string;
  readonly rootfs: string;
  /** An empty file. */
  readonly path: string;
  /** The name that it will get: what messages call it. */
  readonly target: string;
  readonly settings: Settings;
}

/** Finds mksquashfs. @throws EnrootError Tool */
export function requirePacker(): string {
  return requireProgram("mksquashfs", "squashfs-tools");
}

/**
 * What start has made to mount on has no permissions at all, and is empty: such things are none of the container's.
 * Their names go from find to mksquashfs as they are, whatever bytes they have; mksquashfs runs without any, too.
 */
const script = `root=$1; shift
find "$root" -xdev -perm 0000 -prune \\( -empty -o -type d \\) -print0 2> /dev/null |
exec xargs -0 -x -s 1900000 -- "$@"`;

/** Writes the image of a root file system, all files of root. @throws EnrootError Tool */
export async function writeTree({ program, rootfs, path, target, settings }: TreeWriting): Promise<void> {
  const showProgress = process.stderr.isTTY === true;
  const words = [
    ...[program, rootfs, path, "-noappend", "-all-root", "-quiet", ...mksquashfsBounds(settings)],
    ...(showProgress ? [] : ["-no-progress"]),
    ...(ownOptions(settings) ?? mksquashfsDefaults),
    ...["-e", path, ...excluded(rootfs)],
  ];
  const epoch = settings.environment.get("SOURCE_DATE_EPOCH");
  const outcome = await run({
    argv: [requireProgram("sh", "dash"), "-c", script, "sh", rootfs, ...words],
    ...(epoch === undefined ? {} : { env: { SOURCE_DATE_EPOCH: epoch } }),
    showProgress,
  });
  if (outcome.status === 0 && !outcome.signal) return;
  const unreadable = /^(?:Could not open|Failed to read file) (.+?)(?:, .*)?$/m.exec(outcome.stderr)?.[1];
  if (unreadable !== undefined) {
    throw new EnrootError("Tool", `Could not read ${unreadable}`, { hint: "chmod u+r it" });
  }
  throw explain(program, outcome, { target, settings });
}

/** The host's devices, and what start has put there for itself. */
function excluded(rootfs: string): string[] {
  const paths = [".lock", ".enroot"].map((name) => join(rootfs, name));
  return [...paths.filter((path) => lstatSync(path, { throwIfNoEntry: false })), ...devices(rootfs)];
}

function devices(rootfs: string): string[] {
  const directory = join(rootfs, "dev");
  const status = lstatSync(directory, { throwIfNoEntry: false });
  // Without permissions it is a mount point, and stays out as a whole.
  if (!status?.isDirectory() || (status.mode & 0o777) === 0) return [];
  return readdirSync(directory).map((name) => join(directory, name));
}
