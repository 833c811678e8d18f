// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readMounts } from "../../system/mounts.ts";

/** A process that has a dataset mounted in its namespace or works in it, for people: `process 12 (sh)`. Others' are hidden. */
export function holderOf(dataset: string): string | undefined {
  const own = namespaceOf("self");
  const point = pointOf("self", dataset);
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const pid = pids.find((candidate) => holds(candidate, { dataset, own, point }));
  return pid === undefined ? undefined : `process ${pid} (${nameOf(pid)})`;
}

/** Something that is mounted below a directory, if there is any. */
export function mountBelow(directory: string): string | undefined {
  return readMounts("self").find(({ point }) => point.startsWith(`${directory}/`))?.point;
}

interface Sought {
  readonly dataset: string;
  /** Our mount namespace. */
  readonly own: string | undefined;
  /** Where it is mounted for us. */
  readonly point: string | undefined;
}

function holds(pid: number, { dataset, own, point }: Sought): boolean {
  const namespace = namespaceOf(pid);
  if (namespace === undefined || pid === process.pid) return false;
  if (namespace !== own) return pointOf(pid, dataset) !== undefined;
  return point !== undefined && worksIn(pid, point);
}

function worksIn(pid: number, point: string): boolean {
  try {
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`);
    return ["cwd", "root", "exe", ...files].some((file) => isBelow(linkOf(`/proc/${pid}/${file}`), point));
  } catch {
    return isBelow(linkOf(`/proc/${pid}/cwd`), point);
  }
}

function isBelow(path: string | undefined, point: string): boolean {
  return path === point || path?.startsWith(`${point}/`) === true;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function namespaceOf(pid: number | "self"): string | undefined {
  return linkOf(`/proc/${pid}/ns/mnt`);
}

function pointOf(pid: number | "self", dataset: string): string | undefined {
  try {
    return readMounts(pid).find(({ source }) => source === dataset)?.point;
  } catch {
    return undefined;
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "?";
  }
}
