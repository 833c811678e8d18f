// SPDX-License-Identifier: Apache-2.0
// Boot: run the command line, print what went wrong in one line, exit.
import { runEnroot } from "./cli/run.ts";
import { EnrootError } from "./errors.ts";
import { log } from "./log.ts";

function explain(error: unknown): string {
  if (error instanceof EnrootError) return error.hint ? `${error.message} (${error.hint})` : error.message;
  return error instanceof Error ? error.message : String(error);
}

try {
  process.exitCode = await runEnroot(process.argv.slice(2));
} catch (error) {
  log.error(explain(error).replaceAll("\n", " "));
  if (process.env.ENROOT_DEBUG) console.error(error);
  process.exitCode = 1;
}
process.exit();
