// SPDX-License-Identifier: Apache-2.0
// Marks of ownership in temporary names: machine, PID namespace, PID and start time, so that neither another machine on
// a shared file system, nor a PID of another namespace, nor a PID used again is taken for the owner.
import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Start time of a process in clock ticks after boot (proc(5), stat field 22), or undefined when it is gone. */
export function startTime(pid: number | "self"): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

let count = 0;

function place(): string {
  const namespace = readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
  return `${hostname().replace(/[^A-Za-z0-9-]/g, "_")}.${namespace}`;
}

/** `HOST.NAMESPACE.PID.START.N`: unique, and tells whether its maker still runs. */
export function ownTag(): string {
  return tagOf(process.pid);
}

/** The same mark for another process that runs in our PID namespace. */
export function tagOf(pid: number): string {
  return `${place()}.${pid}.${startTime(pid) ?? 0}.${count++}`;
}

/** Whether `tag` was made here by a process that is gone. Anything else is not ours to judge. */
export function isAbandoned(tag: string): boolean {
  const form = /^([A-Za-z0-9_-]+\.\d+)\.(\d+)\.(\d+)\.\d+$/.exec(tag);
  return form !== null && form[1] === place() && startTime(Number(form[2])) !== form[3];
}

/** Whether a file belongs to the caller: of other users' processes /proc may show nothing, and prove nothing. */
export function isOwn(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.uid === process.geteuid?.();
}
