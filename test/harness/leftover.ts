// SPDX-License-Identifier: Apache-2.0
// What a command may have left behind on the host.

import { readdir, readFile, readlink, stat } from "node:fs/promises";

/** The processes of a user that have to do with a directory, one line each, beginning with the process id. */
export async function processesOf(uid: number, directory: string): Promise<string[]> {
  const numbers = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(numbers.map((pid) => describe(pid, uid, directory)));
  return lines.filter((line) => line !== undefined);
}

/** The mount points at or below a directory in the tests' own mount namespace. */
export async function mountsBelow(directory: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => unescaped(line.split(" ")[4] ?? ""));
  return points.filter((point) => point === directory || point.startsWith(`${directory}/`));
}

// Spaces and the like are octal numbers in the kernel's tables.
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

async function describe(pid: string, uid: number, directory: string): Promise<string | undefined> {
  try {
    if ((await stat(`/proc/${pid}`)).uid !== uid && !(await runsAs(pid, uid))) return undefined;
    const traces = await Promise.all([
      readFile(`/proc/${pid}/environ`, "utf8"),
      readFile(`/proc/${pid}/mountinfo`, "utf8"),
      readlink(`/proc/${pid}/cwd`),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
    ]);
    if (!traces.some((text) => text.includes(directory))) return undefined;
    return `${pid} ${traces[3].replaceAll("\0", " ")}`;
  } catch {
    return undefined; // ended meanwhile, or a zombie, which has nothing any more
  }
}

// /proc entries of processes that are not dumpable belong to root.
async function runsAs(pid: string, uid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return new RegExp(`^Uid:\\t${uid}\\t`, "m").test(status);
}
