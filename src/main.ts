// SPDX-License-Identifier: Apache-2.0
// Boot: run the command line, print what went wrong in one line, exit. May import: cli, errors, log, and of system errno, raw-text, signals.
import { runEnroot } from "./cli/run.ts";
import { EnrootError } from "./errors.ts";
import { log } from "./log.ts";
import { describeErrno, errnoOf } from "./system/errno.ts";
import { commandLine } from "./system/raw-text.ts";
import { interruption } from "./system/signals.ts";

function explain(error: unknown): string {
  if (error instanceof EnrootError) return error.hint ? `${error.message} (${error.hint})` : error.message;
  // A system error that nobody expected still names its file.
  const file = error instanceof Error && "path" in error ? `${error.path}: ` : "";
  return errnoOf(error) ? `${file}${describeErrno(error)}` : `Internal error: ${describeErrno(error)}`;
}

async function main(): Promise<number> {
  try {
    return await runEnroot(commandLine());
  } catch (error) {
    // After a signal everything fails; that the process ends by the signal says enough.
    await interruption();
    log.error(explain(error).replace(/\s*\n\s*/g, " "));
    log.debug(Bun.inspect(error));
    return 1;
  }
}

process.exit(await main());
