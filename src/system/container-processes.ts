// SPDX-License-Identifier: Apache-2.0
// Running containers, found from outside: a process is in one when the root of its mount namespace has a /.lock, and
// the store can tell which container that root is. Nothing is recorded at start: what keeps a
// container alive may be a process that joined it later (Slurm tasks do), so only the namespaces tell.
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { type Mount, readMounts } from "./mounts.ts";
import { describeProcess, type ProcessDescription } from "./process-description.ts";

/** One process for each mount namespace of a container: the one with the lowest PID. */
export interface ContainerProcess extends ProcessDescription {
  /** What its root is mounted from. */
  readonly root: Mount;
}

/** All containers' processes that the caller may see, by PID. Processes that vanish meanwhile are left out. */
export function findContainerProcesses(): ContainerProcess[] {
  // Neither the host's own namespace nor ours is a container, however many processes are in them.
  const done = new Set([namespaceOf("self"), namespaceOf(1)]);
  const found: ContainerProcess[] = [];
  for (const pid of visiblePids()) {
    const namespace = namespaceOf(pid);
    if (namespace === undefined || done.has(namespace)) continue;
    const root = containerRoot(pid);
    if (!root) continue;
    try {
      found.push({ ...describeProcess(pid), root });
      done.add(namespace);
    } catch {
      // Gone meanwhile: another process of its namespace stands for it.
    }
  }
  return found;
}

/** PIDs in ascending order; without those of other users, whose namespaces only root may read. */
function visiblePids(): number[] {
  const user = process.geteuid?.();
  return readdirSync("/proc")
    .filter((name) => name >= "0" && name < ":")
    .map(Number)
    .filter((pid) => user === 0 || lstatSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === user)
    .sort((a, b) => a - b);
}

/** The root mount of the container that a process is in; undefined when it is in none, or gone. */
function containerRoot(pid: number): Mount | undefined {
  try {
    if (!lstatSync(`/proc/${pid}/root/.lock`, { throwIfNoEntry: false })?.isFile()) return undefined;
    return readMounts(pid).find(({ point }) => point === "/");
  } catch {
    return undefined;
  }
}

function namespaceOf(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}
