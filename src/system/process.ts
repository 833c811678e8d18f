// SPDX-License-Identifier: Apache-2.0
// Child processes: argv arrays, an explicit environment, no shell. execa costs 12 ms and is loaded when one is started.
import { basename } from "node:path";
import { EnrootError } from "../errors.ts";
import { abortSignal } from "./signals.ts";

/** A program to run, and with what. */
export interface Command {
  /** The program's absolute path and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** Environment beyond PATH, LANG and HOME; never an image's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Lets the program write to our terminal's stderr (a progress bar of its own). */
  readonly showStderr?: boolean;
}

/** How a program ended. */
export interface Outcome {
  readonly status: number;
  readonly signal: string | undefined;
  readonly stdout: string;
  /** The end of what it wrote there, at most 64 KiB. */
  readonly stderr: string;
}

/** The environment of every helper: nothing of the caller's that could change what it does. */
export function helperEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", ...extra };
}

/** Runs a program to its end; a failing status is an outcome, not an error. @throws EnrootError Tool when it cannot start */
export async function run({ argv, env, cwd, input, showStderr = false }: Command): Promise<Outcome> {
  const { execa } = await import("execa");
  const [file, ...args] = argv;
  const result = await execa(file, args, {
    env: helperEnvironment(env),
    extendEnv: false,
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: "ignore" } : { input }),
    stderr: showStderr ? "inherit" : "pipe",
    reject: false,
    stripFinalNewline: false,
    maxBuffer: { stdout: 64 << 20, stderr: 1 << 20 },
    cancelSignal: abortSignal(),
    forceKillAfterDelay: 5000,
  });
  if (result.exitCode === undefined && result.signal === undefined && !result.isCanceled) {
    throw new EnrootError("Tool", `Could not run ${basename(file)}: ${result.shortMessage}`, { cause: result });
  }
  return {
    status: result.exitCode ?? 1,
    signal: result.signal,
    stdout: result.stdout,
    stderr: (result.stderr ?? "").slice(-65536),
  };
}

/** Runs a program that must succeed. @throws EnrootError Tool with the last line it wrote to stderr */
export async function runSuccessfully(command: Command): Promise<Outcome> {
  const outcome = await run(command);
  if (outcome.status !== 0 || outcome.signal) throw failure(command.argv[0], outcome);
  return outcome;
}

/** The error for a program that failed: its name and its own last words. */
export function failure(file: string, { status, signal, stderr }: Omit<Outcome, "stdout">): EnrootError {
  const words = stderr.trim().split(/[\r\n]+/).at(-1)?.trim();
  const how = signal ? `was ended by ${signal}` : `exited with return code ${status}`;
  return new EnrootError("Tool", `${basename(file)} ${how}${words ? `: ${words}` : ""}`);
}
