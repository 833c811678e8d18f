// SPDX-License-Identifier: Apache-2.0
// What ps(1) would say of a process, read from /proc (proc(5)) without running it.
import { readFileSync, readlinkSync } from "node:fs";

/** A process in the words of ps: STAT, STIME and ETIME in its formats. */
export interface ProcessDescription {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  readonly started: string;
  readonly time: string;
  readonly mountNamespace: string;
  readonly userNamespace: string;
  readonly command: string;
}

/** Clock ticks a second in /proc: fixed at 100 for user space on every architecture we run on. */
const ticks = 100;

/** Describes a process. @throws when it is gone or not readable */
export function describeProcess(pid: number): ProcessDescription {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const comm = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const age = uptime() - Number(fields[19]) / ticks;
  const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0+$/, "").replaceAll("\0", " ");
  return {
    pid,
    comm: printable(comm),
    state: stateOf(pid, fields),
    started: clock(new Date(Date.now() - age * 1000)),
    time: elapsed(Math.max(0, Math.floor(age))),
    mountNamespace: namespaceNumber(pid, "mnt"),
    userNamespace: namespaceNumber(pid, "user"),
    command: printable(command || `[${comm}]`),
  };
}

/** A process may call itself anything: nothing of that may start a line or drive a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be printed
  return text.replace(/[\x00-\x1f\x7f]/g, "?");
}

function uptime(): number {
  return Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
}

function namespaceNumber(pid: number, kind: "mnt" | "user"): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`).replace(/\D/g, "");
}

/** STAT: the state's letter, then `<`/`N` for nice, `s` session leader, `l` threads, `+` in the foreground. */
function stateOf(pid: number, fields: readonly string[]): string {
  const [state = "?", , group, session, , foreground] = fields;
  const nice = Number(fields[16]);
  return [
    state,
    nice < 0 ? "<" : nice > 0 ? "N" : "",
    Number(session) === pid ? "s" : "",
    Number(fields[17]) > 1 ? "l" : "",
    group === foreground ? "+" : "",
  ].join("");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const two = (value: number): string => String(value).padStart(2, "0");

/** STIME: the hour today, else the day, else the year. */
function clock(date: Date): string {
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (date.getFullYear() !== now.getFullYear()) return String(date.getFullYear());
  return `${months[date.getMonth()]}${two(date.getDate())}`;
}

/** ETIME: `[[DD-]HH:]MM:SS`. */
function elapsed(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (days > 0) return `${two(days)}-${two(hours)}:${rest}`;
  return hours > 0 ? `${two(hours)}:${rest}` : rest;
}
