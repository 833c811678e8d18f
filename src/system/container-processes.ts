// SPDX-License-Identifier: Apache-2.0
// Running containers, found from outside: a process is in one when the root of its mount namespace has a /.lock, and
// in a container of ours when that root is a directory of the store. Nothing is recorded at start: what keeps a
// container alive may be a process that joined it later (Slurm tasks do), so only the namespaces tell.
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { describeProcess, type ProcessDescription } from "./process-description.ts";
import { unescapeMount } from "./tree.ts";

/** One process for each mount namespace of a container: the one with the lowest PID. */
export interface ContainerProcess extends ProcessDescription {
  /** Name of the container directory below the store, if the root is one. */
  readonly name: string | undefined;
}

interface Mount {
  readonly device: string;
  readonly root: string;
  readonly point: string;
}

function parseMount(line: string): Mount {
  const [, , device = "", root = "", point = ""] = line.split(" ", 5);
  return { device, root: unescapeMount(root), point: unescapeMount(point) };
}

function readMounts(pid: number | "self"): Mount[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
  return lines.filter((line) => line !== "").map(parseMount);
}

/** Where the store's directory is inside its file system: device and path, as mountinfo's root field would have it. */
function locate(data: string): { device: string; prefix: string } | undefined {
  const path = realpathSync(data);
  const holds = ({ point }: Mount): boolean =>
    point === "/" || path === point || path.startsWith(`${point}/`);
  // Of two mounts on one point the later one covers the earlier.
  const mount = readMounts("self")
    .filter(holds)
    .reduce<Mount | undefined>(
      (best, next) => (best && best.point.length > next.point.length ? best : next),
      undefined,
    );
  if (!mount) return undefined;
  const below = mount.point === "/" ? path : path.slice(mount.point.length);
  return { device: mount.device, prefix: `${mount.root}/${below}/`.replace(/\/{2,}/g, "/") };
}

/** All containers' processes that the caller may see, by PID. Processes that vanish meanwhile are left out. */
export function findContainerProcesses(data: string): ContainerProcess[] {
  const store = locate(data);
  // Neither the host's own namespace nor ours is a container, however many processes are in them.
  const done = new Set([namespaceOf("self"), namespaceOf(1)]);
  const found: ContainerProcess[] = [];
  for (const pid of visiblePids()) {
    const namespace = namespaceOf(pid);
    if (namespace === undefined || done.has(namespace)) continue;
    const root = containerRoot(pid);
    if (!root) continue;
    try {
      const inStore = store && root.device === store.device && root.root.startsWith(store.prefix);
      found.push({
        ...describeProcess(pid),
        name: inStore ? root.root.slice(store.prefix.length) : undefined,
      });
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
