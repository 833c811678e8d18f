// SPDX-License-Identifier: Apache-2.0
// Log lines on stderr: `[INFO] …`, `[WARN] …`, `[ERROR] …`, coloured on a terminal only.
// A leaf. consola costs 8 ms to load, so commands that log call openLog() first;
// without it (start, list, version) lines go through the same reporter directly.
import { writeSync } from "node:fs";

type Level = "INFO" | "WARN" | "ERROR" | "DEBUG";

const colours: Record<Level, string> = { INFO: "94", WARN: "33", ERROR: "31", DEBUG: "90" };

function report(level: Level, message: string): void {
  const terminal = process.stderr.isTTY === true;
  const tag = terminal ? `\x1b[1;${colours[level]}m[${level}]\x1b[0m` : `[${level}]`;
  try {
    writeSync(2, `${tag} ${message}\n`);
  } catch {
    // A closed or full stderr must not change what the command does.
  }
}

let send: (level: Level, message: string) => void = (level, message) => {
  if (level !== "DEBUG" || process.env.ENROOT_DEBUG) report(level, message);
};

/** Puts consola between callers and the reporter: levels, and one place to plug others in. */
export async function openLog(): Promise<void> {
  const { createConsola } = await import("consola/core");
  const names: Record<string, Level> = { info: "INFO", warn: "WARN", error: "ERROR", debug: "DEBUG" };
  const logger = createConsola({
    level: process.env.ENROOT_DEBUG ? 4 : 3,
    throttle: 0,
    reporters: [{ log: ({ type, args }) => report(names[type] ?? "INFO", args.map(String).join(" ")) }],
  });
  const methods = { INFO: logger.info, WARN: logger.warn, ERROR: logger.error, DEBUG: logger.debug };
  send = (level, message) => methods[level](message);
}

/** One line each. Messages never hold a secret, and never end with a period. */
export const log = {
  info: (message: string): void => send("INFO", message),
  warn: (message: string): void => send("WARN", message),
  error: (message: string): void => send("ERROR", message),
  debug: (message: string): void => send("DEBUG", message),
};
