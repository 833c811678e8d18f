// SPDX-License-Identifier: Apache-2.0
// Bad surroundings for one command: what root mounts for it is seen by nothing else.
import { enrootBinary, type Result, type Sandbox } from "../harness/index.ts";

/** What is below a directory, one path a line. */
export async function files(box: Sandbox, directory: string): Promise<string> {
  return (await box.run(["find", directory, "-mindepth", "1", "-printf", "%P\n"])).stdout;
}

/**
 * Runs enroot with a full file system at `directory`; files that it leaves there are reported on stdout, except complete
 * blobs of the cache, which the next attempt can use, and empty files.
 */
export function withLittleSpace(box: Sandbox, directory: string, args: readonly string[]): Promise<Result> {
  const script =
    '"$@"; status=$?; find "$0" -type f -size +0 -regextype egrep ! -regex ".*/sha256/[0-9a-f]{64}" -printf "left %P\\n"; exit $status';
  const owner = `uid=$(stat -c %u ${box.home}),gid=$(stat -c %g ${box.home})`;
  const prepare = `mount -t tmpfs -o size=300k,mode=700,${owner} none ${directory}`;
  return box.run(["sh", "-c", script, directory, enrootBinary(), ...args], { prepare });
}

/** Preparation (see `RunOptions.prepare`) that hides programs, by a whiteout in an overlay on their directory. */
export function hide(box: Sandbox, ...programs: readonly string[]): string {
  const nodes = programs.map((name) => `mknod ${box.root}/hidden/${name} c 0 0`).join("; ");
  const overlay = `mount -t overlay -o ro,lowerdir=${box.root}/hidden:/usr/bin overlay /usr/bin`;
  return `mkdir ${box.root}/hidden; ${nodes}; ${overlay}`;
}
