// SPDX-License-Identifier: Apache-2.0
// Running containers, found from outside: a process is in one when the root of its mount namespace has a /.lock and is
// mounted from a directory of the store. Nothing is recorded at start: what keeps a container alive may be a process
// that joined it later (Slurm tasks do), so only the namespaces tell.
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

function readMounts(pid: number | "self"): Mount[] {
  return readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const fields = line.split(" ");
      const [device = "", root = "", point = ""] = [fields[2], fields[3], fields[4]];
      return { device, root: unescapeMount(root), point: unescapeMount(point) };
    });
}

function join(directory: string, rest: string): string {
  return `${directory === "/" ? "" : directory}${rest}`;
}

/** Where the store's directory is inside its file system: device and path, as mountinfo's root field would have it. */
function locate(data: string): { device: string; prefix: string } | undefined {
  const path = realpathSync(data);
  const holding = readMounts("self").filter(
    ({ point }) => point === "/" || path === point || path.startsWith(`${point}/`),
  );
  const mount = holding.reduce<Mount | undefined>(
    (best, next) => (best === undefined || next.point.length >= best.point.length ? next : best),
    undefined,
  );
  if (!mount) return undefined;
  const below = mount.point === "/" ? path : path.slice(mount.point.length);
  return { device: mount.device, prefix: `${join(mount.root, below === "/" ? "" : below)}/` };
}

/** All containers' processes that the caller may see, by PID. Processes that vanish meanwhile are left out. */
export function findContainerProcesses(data: string): ContainerProcess[] {
  const store = locate(data);
  const seen = new Set([namespaceOf("self", "mnt")]);
  const found: ContainerProcess[] = [];
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  for (const pid of pids.sort((a, b) => a - b)) {
    const namespace = namespaceOf(pid, "mnt");
    if (namespace === undefined || seen.has(namespace)) continue;
    seen.add(namespace);
    try {
      if (!lstatSync(`/proc/${pid}/root/.lock`).isFile()) continue;
      const root = readMounts(pid).find(({ point }) => point === "/");
      const inStore = root && store && root.device === store.device && root.root.startsWith(store.prefix);
      found.push({
        ...describeProcess(pid),
        name: inStore ? root.root.slice(store.prefix.length) : undefined,
      });
    } catch {
      // Gone, or not ours to look at.
    }
  }
  return found;
}

function namespaceOf(pid: number | "self", kind: "mnt"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}
