// SPDX-License-Identifier: Apache-2.0
// Mounts as a process sees them: proc(5), /proc/PID/mountinfo.
import { readFileSync } from "node:fs";

/** One mount. */
export interface Mount {
  /** Numbers of the file system: MAJOR:MINOR. */
  readonly device: string;
  /** Which of its directories is mounted. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
}

/** Turns mountinfo's octal escapes back into characters. */
export function unescapeMount(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function parseMount(line: string): Mount {
  const [front = "", back = ""] = line.split(" - ", 2);
  const [, , device = "", root = "", point = ""] = front.split(" ", 5);
  const [type = "", source = ""] = back.split(" ", 2);
  return {
    device,
    type,
    root: unescapeMount(root),
    point: unescapeMount(point),
    source: unescapeMount(source),
  };
}

/** The mounts of a process, oldest first: of two on one point the later one covers the earlier. @throws when it is gone */
export function readMounts(pid: number | "self"): Mount[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
  return lines.filter((line) => line !== "").map(parseMount);
}
