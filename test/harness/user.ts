// SPDX-License-Identifier: Apache-2.0
// The unprivileged user that runs enroot in tests, and how a command becomes that user's.

import { readFileSync } from "node:fs";

/** The user's name, made by `scripts/setup --test`. */
export const userName = "enroot-test";

/** The line of the user in a passwd file. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The unprivileged user's numbers; says how to make the user when there is none. */
export function testUser(): Account {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`${userName}:`));
  if (line === undefined) throw new Error(`There is no user ${userName}: run scripts/setup --test`);
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * The command `argv` run as the test user (or as root), by programs that each become the next one, so the process id
 * stays the same. Undoes what Bun leaves in its children: a raised descriptor limit and ignored signals.
 */
export function asUser(argv: readonly string[], user: "test" | "root" = "test"): string[] {
  const plain = ["prlimit", "--nofile=1024:", "--", "env", "--default-signal", "--"];
  if (user === "root") return [...plain, ...argv];
  const { uid, gid } = testUser();
  const drop = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all", "--"];
  return [...plain, ...drop, ...argv];
}
