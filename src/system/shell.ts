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

/** The variables that a script gets. */
export function scriptEnvironment(environment: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries([...environment].filter(([name]) => !hijacking.test(name)));
}

/**
 * Runs `script` with `args` as `$1`, `$2`… in the root directory, so that no pattern meets the caller's files.
 * A bash that cannot be run is a failed script.
 */
export function runScript(
  script: string,
  args: readonly string[],
  environment: Iterable<readonly [string, string]>,
): ScriptOutcome {
  const env = scriptEnvironment(environment);
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

/** What bash says of a script's syntax, be it a file or a text. The script is not run. */
export function checkSyntax(script: { readonly file: string } | { readonly text: string }): ScriptOutcome {
  const command = ["/bin/bash", "--norc", "-n"];
  const child = Bun.spawnSync("file" in script ? [...command, "--", script.file] : command, {
    env: { LC_ALL: "C" },
    stdin: "file" in script ? "ignore" : Buffer.from(script.text),
    stdout: "ignore",
    stderr: "pipe",
  });
  return { status: child.exitCode, stdout: "", stderr: child.stderr.toString() };
}
