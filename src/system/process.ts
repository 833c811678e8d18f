// SPDX-License-Identifier: Apache-2.0
// Child processes: argv arrays, an explicit environment, no shell. execa costs 12 ms and is loaded when one is started.
// Every child ends when the process is told to (signals.ts).
import { closeSync, openSync } from "node:fs";
import { basename } from "node:path";
import { EnrootError } from "../errors.ts";
import { describeErrno } from "./errno.ts";
import { abortSignal, awaitChild } from "./signals.ts";

/** A program to run, and with what. */
export interface Command {
  /** The program's absolute path and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** Environment beyond PATH and LC_ALL; never an image's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Sends what the program writes to stdout to our stderr: a progress bar of its own. */
  readonly showProgress?: boolean;
}

/** How a program ended. */
export interface Outcome {
  readonly status: number;
  readonly signal: string | undefined;
  readonly stdout: string;
  /** The end of what it wrote there. */
  readonly stderr: string;
}

const tail = 1 << 20;

/** The environment of every helper: nothing of the caller's that could change what it does. */
export function helperEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", ...extra };
}

/** Runs a program to its end; a failing status is an outcome, not an error. @throws EnrootError Tool when it cannot start */
export async function run({ argv, env, cwd, input, showProgress = false }: Command): Promise<Outcome> {
  const { execa } = await import("execa");
  const [file, ...args] = argv;
  const child = execa(file, args, {
    env: helperEnvironment(env),
    extendEnv: false,
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: "ignore" } : { input }),
    stdout: showProgress ? 2 : "pipe",
    reject: false,
    stripFinalNewline: false,
    maxBuffer: { stdout: 64 * tail, stderr: 16 * tail },
    cancelSignal: abortSignal(),
    // execa's own clean-up would catch signals that the caller ignores.
    cleanup: false,
    forceKillAfterDelay: 5000,
  });
  const result = await awaitChild(child);
  if (result.exitCode === undefined && result.signal === undefined && !result.isCanceled) {
    throw new EnrootError("Tool", `Could not run ${basename(file)}: ${result.shortMessage}`, {
      cause: result,
    });
  }
  return {
    status: result.exitCode ?? 1,
    signal: result.signal,
    stdout: typeof result.stdout === "string" ? result.stdout : "",
    stderr: (result.stderr ?? "").slice(-tail),
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
  const words = stderr
    .trim()
    .split(/[\r\n]+/)
    .at(-1)
    ?.trim();
  const how = signal ? `was ended by ${signal}` : `exited with return code ${status}`;
  return new EnrootError("Tool", `${basename(file)} ${how}${words ? `: ${words}` : ""}`);
}

/**
 * Runs a program whose output nobody reads, without the cost of execa.
 * @param cancel ends it early; a clean-up passes null, because it must get to its end
 */
export async function runSilent(
  argv: Command["argv"],
  cancel: AbortSignal | null = abortSignal(),
): Promise<Omit<Outcome, "stdout">> {
  const child = Bun.spawn([...argv], {
    env: helperEnvironment(),
    cwd: "/",
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    ...(cancel === null ? {} : { signal: cancel }),
  });
  const stderr = readTail(child.stderr);
  const status = await awaitChild(child.exited);
  return { status, signal: signalName(child.signalCode), stderr: await stderr };
}

/** A program that says little. */
export interface QuietCommand {
  readonly argv: Command["argv"];
  /** A file that it reads; without one nothing. */
  readonly input?: string | undefined;
  /** Environment beyond PATH and LC_ALL. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends it early; a clean-up passes null, because it must get to its end. */
  readonly cancel?: AbortSignal | null | undefined;
}

/** Runs a program without the cost of execa; a failing status is an outcome. @throws EnrootError Tool when it cannot start */
export async function capture({ argv, input, env, cancel = abortSignal() }: QuietCommand): Promise<Outcome> {
  const child = Bun.spawn([...argv], {
    env: helperEnvironment(env),
    cwd: "/",
    stdin: input === undefined ? "ignore" : Bun.file(input),
    stdout: "pipe",
    stderr: "pipe",
    ...(cancel === null ? {} : { signal: cancel }),
  });
  const stdout = child.stdout.text();
  const stderr = readTail(child.stderr);
  const status = await awaitChild(child.exited);
  return { status, signal: signalName(child.signalCode), stdout: await stdout, stderr: await stderr };
}

/** A program whose output becomes a file. */
export interface FileCommand {
  readonly argv: Command["argv"];
  /** Environment beyond PATH and LC_ALL. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute path of the file, which is there; or a descriptor of ours. */
  readonly output: string | number;
}

/** Runs a program that writes bulk data: it goes to a file without passing through us. @throws EnrootError Tool */
export async function runToFile({ argv, env, output }: FileCommand): Promise<Omit<Outcome, "stdout">> {
  const child = Bun.spawn([...argv], {
    env: helperEnvironment(env),
    stdin: "ignore",
    stdout: typeof output === "number" ? output : Bun.file(output),
    stderr: "pipe",
    signal: abortSignal(),
  });
  const stderr = readTail(child.stderr);
  const status = await awaitChild(child.exited);
  return { status, signal: signalName(child.signalCode), stderr: await stderr };
}

/** A running program that bulk data is written to. */
export interface Sink {
  /** Resolves when the program has taken enough that more may follow. @throws EnrootError Tool once it has ended */
  write(chunk: Uint8Array): Promise<void>;
  /** Closes its stdin and resolves with how it ended. */
  end(): Promise<Omit<Outcome, "stdout">>;
  /** Ends it at once; safe after its end. */
  kill(): Promise<void>;
}

/** A program that bulk data is written to. */
export interface PipedCommand extends Omit<Command, "input" | "showProgress"> {
  /** A file that what it writes is added to; without one that is dropped. */
  readonly output?: string;
}

/** Starts a program that reads bulk data from us: nothing is held beyond one pipe's worth. @throws EnrootError Tool */
export function spawnPiped({ argv, env, cwd, output }: PipedCommand): Sink {
  const stdout = output === undefined ? undefined : openSync(output, "a");
  const child = startPiped(argv, {
    env: helperEnvironment(env),
    stdout: stdout ?? "ignore",
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (stdout !== undefined) closeSync(stdout);
  const stderr = readTail(child.stderr);
  const exit = awaitChild(child.exited);
  // A program that reads in the kernel (zfs receive) hears of no signal there, but of the end of its input.
  const letGo = (): void => {
    Promise.resolve(child.stdin.end()).catch(() => {});
  };
  abortSignal().addEventListener("abort", letGo, { once: true });
  const outcome = async (): Promise<Omit<Outcome, "stdout">> => {
    const status = await exit;
    return { status, signal: signalName(child.signalCode), stderr: await stderr };
  };
  return {
    write: async (chunk) => {
      try {
        child.stdin.write(chunk);
        await child.stdin.flush();
      } catch {
        throw failure(argv[0], await outcome());
      }
      if (child.exitCode !== null || child.signalCode !== null) throw failure(argv[0], await outcome());
    },
    end: async () => {
      try {
        await child.stdin.end();
      } catch {
        // It ended before it had read all: its status says why.
      }
      return outcome();
    },
    kill: async () => {
      child.kill("SIGKILL");
      letGo();
      await exit;
    },
  };
}

/**
 * Runs a program that reads a file, if any, and gives what it writes piece by piece.
 * @throws EnrootError Tool when it fails, which shows at its end
 */
export async function* outputOf({ argv, env, input }: QuietCommand): AsyncGenerator<Uint8Array> {
  const child = Bun.spawn([...argv], {
    env: helperEnvironment(env),
    cwd: "/",
    stdin: input === undefined ? "ignore" : Bun.file(input),
    stdout: "pipe",
    stderr: "pipe",
    signal: abortSignal(),
  });
  const stderr = readTail(child.stderr);
  const exit = awaitChild(child.exited);
  try {
    yield* child.stdout;
    const status = await exit;
    const signal = signalName(child.signalCode);
    if (status !== 0 || signal) throw failure(argv[0], { status, signal, stderr: await stderr });
  } finally {
    child.kill("SIGKILL");
    await exit;
  }
}

function startPiped(
  argv: Command["argv"],
  options: { env: Record<string, string>; stdout: number | "ignore"; cwd?: string },
) {
  try {
    return Bun.spawn([...argv], {
      ...options,
      stdin: "pipe",
      stderr: "pipe",
      signal: abortSignal(),
    });
  } catch (cause) {
    throw new EnrootError("Tool", `Could not run ${basename(argv[0])}: ${describeErrno(cause)}`, { cause });
  }
}

function signalName(signal: string | number | null): string | undefined {
  return signal === null ? undefined : String(signal);
}

async function readTail(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text = (text + decoder.decode(chunk, { stream: true })).slice(-65536);
  return text;
}
