// SPDX-License-Identifier: Apache-2.0
// The zfs program, and what its complaints mean. Only options that OpenZFS 2.1, 2.2 and 2.3 have are used; where they
// differ, a command is tried and its answer read, since distributions carry features back.
import { EnrootError } from "../../errors.ts";
import { ownAccount } from "../../system/account.ts";
import { capture, type Outcome } from "../../system/process.ts";
import { requireProgram } from "../../system/programs.ts";

/** What zfs complains about, as far as something depends on it. */
export type Complaint =
  | "orphan"
  | "missing"
  | "exists"
  | "denied"
  | "busy"
  | "space"
  | "clones"
  | "children"
  | "other";

const patterns: readonly (readonly [Complaint, RegExp])[] = [
  ["denied", /permission denied|may only be|insufficient privileges/i],
  ["exists", /already exists|destination .* exists/i],
  ["clones", /has dependent clones/i],
  ["children", /has children/i],
  ["orphan", /parent does not exist/i],
  ["missing", /does not exist|no such (pool|dataset)|could not find any snapshots/i],
  ["busy", /is busy|being held/i],
  ["space", /out of space|quota exceeded|no space left/i],
];

/** Reads what zfs has written to stderr. */
export function complaintOf(stderr: string): Complaint {
  return patterns.find(([, pattern]) => pattern.test(stderr))?.[0] ?? "other";
}

/** Permissions that docs/zfs.md has an administrator delegate, for each verb of zfs. */
const delegations: Readonly<Record<string, string>> = {
  create: "create,mount,canmount,userprop",
  clone: "clone,create,mount,canmount",
  destroy: "destroy,mount",
  snapshot: "snapshot,mount",
  rename: "rename,create,mount",
  set: "userprop,readonly",
  send: "send",
  receive: "receive,create,mount,canmount",
};

/** Runs zfs; a failing status is an outcome. @param cancel null for a clean-up, which gets to its end */
export function tryZfs(args: readonly string[], cancel?: AbortSignal | null): Promise<Outcome> {
  return capture({ argv: [zfsProgram(), ...args], cancel });
}

/** Absolute path of zfs. @throws EnrootError Tool */
export function zfsProgram(): string {
  return requireProgram("zfs", "zfsutils-linux");
}

/** Runs zfs, which must succeed. @throws EnrootError Tool, NoSpace */
export async function zfs(args: readonly string[], cancel?: AbortSignal | null): Promise<string> {
  const outcome = await tryZfs(args, cancel);
  if (outcome.status === 0 && !outcome.signal) return outcome.stdout;
  throw refusal(args, outcome);
}

/** The error for a zfs that failed: its own first line, and what may help. */
export function refusal(
  args: readonly string[],
  { stderr, status, signal }: Omit<Outcome, "stdout">,
): EnrootError {
  const verb = args[0] ?? "";
  const how = signal ? `ended by ${signal}` : `return code ${status}`;
  const words = stderr.trim().split("\n")[0] || how;
  const complaint = complaintOf(stderr);
  const delegated = delegations[verb];
  if (complaint === "denied" && delegated !== undefined)
    return new EnrootError("Tool", `zfs ${verb}: ${words}`, {
      hint: `the administrator has to delegate it: zfs allow ${ownAccount().name} ${delegated} STORE`,
    });
  if (complaint === "space") {
    return new EnrootError("NoSpace", `zfs ${verb}: ${words}`, {
      hint: "remove containers, or raise the quota",
    });
  }
  const hint = /\/dev\/zfs|modules? .*not loaded|modprobe/i.test(stderr)
    ? "load the kernel module: modprobe zfs"
    : undefined;
  return new EnrootError("Tool", `zfs ${verb}: ${words}`, { hint });
}
