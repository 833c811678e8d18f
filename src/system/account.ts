// SPDX-License-Identifier: Apache-2.0
// The calling user as the password database has it. Neither $USER nor os.userInfo() will do: a Slurm epilog has no
// USER and no HOME, and Bun takes both from the environment.
import { readFileSync } from "node:fs";

/** One line of the password database. */
export interface Account {
  readonly name: string;
  readonly home: string;
}

function parseEntry(line: string, uid: string): Account | undefined {
  const [name = "", , id, , , home = ""] = line.split(":");
  return id === uid && name !== "" ? { name, home } : undefined;
}

function localEntry(uid: string): Account | undefined {
  try {
    for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
      const account = parseEntry(line, uid);
      if (account) return account;
    }
  } catch {
    // No local database: the directory service is asked next.
  }
  return undefined;
}

function servedEntry(uid: string): Account | undefined {
  try {
    const entry = Bun.spawnSync(["/usr/bin/getent", "passwd", uid], {
      env: {},
      stdin: "ignore",
      stderr: "ignore",
    });
    return parseEntry(entry.stdout.toString().trim(), uid);
  } catch {
    return undefined;
  }
}

let found: Account | undefined;

/** Name and home directory of the effective user: /etc/passwd first, then what getent knows; the uid and `/` if nothing does. */
export function ownAccount(): Account {
  const uid = String(process.geteuid?.() ?? 0);
  found ??= localEntry(uid) ?? servedEntry(uid) ?? { name: uid, home: "/" };
  return found;
}
