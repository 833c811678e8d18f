// SPDX-License-Identifier: Apache-2.0
// Scripts of the system's own configuration, run by bash. Nothing of an image and nothing of a registry gets here.
import { describeErrno } from "./errno.ts";

/** What a script printed, and how it ended. */
export interface ScriptOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Variables that make bash run something else than the script it is given. */
const hijacking = /^(BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4|BASH_FUNC_.*)$/;

/**
 * Runs `script` with `args` as `$1`, `$2`… in the root directory, so that no pattern meets the caller's files.
 * A bash that cannot be run is a failed script.
 */
export function runScript(
  script: string,
  args: readonly string[],
  environment: Iterable<readonly [string, string]>,
): ScriptOutcome {
  const env = Object.fromEntries([...environment].filter(([name]) => !hijacking.test(name)));
  try {
    const child = Bun.spawnSync(["/bin/bash", "--norc", "-c", script, "enroot", ...args], {
      env,
      cwd: "/",
      stdin: "ignore",
      stderr: "pipe",
    });
    return { status: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
  } catch (error) {
    return { status: 127, stdout: "", stderr: `bash: ${describeErrno(error)}` };
  }
}

/** What bash has against a script's syntax, in one line; undefined when it has nothing. The script is not run. */
export function syntaxProblem(file: string): string | undefined {
  const child = Bun.spawnSync(["/bin/bash", "--norc", "-n", "--", file], {
    env: { LC_ALL: "C" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if (child.exitCode === 0) return undefined;
  return child.stderr.toString().trim().split("\n")[0] || `bash exited with return code ${child.exitCode}`;
}
