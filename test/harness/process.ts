// SPDX-License-Identifier: Apache-2.0
// Running a program from a test: to its end, or in the background.

import type { FileSink, Subprocess } from "bun";
import { asUser } from "./user.ts";

/** How to run a program. */
export interface RunOptions {
  /** Variables added to the environment; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the program reads; nothing by default (/dev/null). "pipe" leaves the input open for `write`. */
  readonly stdin?: string | Uint8Array | "pipe";
  readonly cwd?: string;
  /** Runs the program on a pseudo-terminal; both outputs then arrive in `stdout`, with CR LF ends. */
  readonly tty?: boolean;
  /** The unprivileged user unless said otherwise. */
  readonly user?: "test" | "root";
  /**
   * Shell commands that root runs first, in a mount namespace of the program's own: what they mount is seen by nothing
   * else and gone with the program.
   */
  readonly prepare?: string;
  /** Seconds after which the program is killed, 300 by default. */
  readonly timeout?: number;
}

/** How a program ended. */
export interface Result {
  /** The exit status, or null when a signal ended the program. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program in the background. */
export interface Running {
  /** The process that was started: the program itself, not a wrapper (except on a terminal). */
  readonly pid: number;
  readonly exited: Promise<Result>;
  /** What the program has written to its standard output, and error, until now. */
  stdout(): string;
  stderr(): string;
  kill(signal?: NodeJS.Signals): void;
  /** Writes to the program's input when it was started with `stdin: "pipe"`. */
  write(text: string): Promise<void>;
  /** Ends the program's input. */
  end(): Promise<void>;
}

/** Starts `argv` in the background with exactly the environment `environment`, changed by the options. */
export function start(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  options: RunOptions = {},
): Running {
  const command = asUser(options.tty === true ? onTerminal(argv) : argv, options.user);
  const child = Bun.spawn(options.prepare === undefined ? command : prepared(options.prepare, command), {
    env: merged(environment, options.env ?? {}),
    cwd: options.cwd ?? "/",
    stdin: input(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    timeout: (options.timeout ?? 300) * 1000,
    killSignal: "SIGKILL",
  });
  const output = gather(child.stdout);
  const errors = gather(child.stderr);
  return {
    pid: child.pid,
    exited: ended(child, [output.done, errors.done]).then(({ status, signal }) => ({
      status,
      signal,
      stdout: output.text(),
      stderr: errors.text(),
    })),
    stdout: output.text,
    stderr: errors.text,
    kill: (signal = "SIGTERM") => child.kill(signal),
    write: async (text) => {
      const sink = pipeOf(child.stdin);
      sink.write(text);
      await sink.flush();
    },
    end: async () => {
      await pipeOf(child.stdin).end();
    },
  };
}

function merged(
  base: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const entries = Object.entries({ ...base, ...changes });
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

function input(stdin: RunOptions["stdin"]): "ignore" | "pipe" | Uint8Array {
  if (stdin === undefined) return "ignore";
  if (stdin === "pipe") return "pipe";
  return typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
}

function pipeOf(stdin: number | FileSink | undefined): FileSink {
  if (stdin === undefined || typeof stdin === "number") throw new Error('not started with stdin: "pipe"');
  return stdin;
}

function prepared(script: string, argv: readonly string[]): string[] {
  const shell = ["sh", "-ec", `${script}\nexec "$@"`, "prepare"];
  return ["unshare", "--mount", "--propagation=private", "--", ...shell, ...argv];
}

// `script` makes the terminal as the user who runs it, so the user owns it as in a real session.
function onTerminal(argv: readonly string[]): string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return ["script", "--quiet", "--return", "--command", `exec ${quoted}`, "/dev/null"];
}

function gather(stream: ReadableStream<Uint8Array>): { text: () => string; done: Promise<void> } {
  const decoder = new TextDecoder();
  let text = "";
  const read = async (): Promise<void> => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
    text += decoder.decode();
  };
  return { text: () => text, done: read() };
}

async function ended(
  child: Subprocess<"ignore" | "pipe" | Uint8Array, "pipe", "pipe">,
  outputs: readonly Promise<void>[],
): Promise<{ status: number | null; signal: string | null }> {
  await child.exited;
  await Promise.all(outputs);
  return { status: child.exitCode, signal: child.signalCode === null ? null : String(child.signalCode) };
}

/** Runs a program of the host as root with the tests' own environment; fails with its output when it fails. */
export async function host(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const own = Object.fromEntries(
    Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  const result = await start(argv, own, { user: "root", timeout: 3600, ...options }).exited;
  if (result.status !== 0) {
    const how = result.signal ?? `status ${result.status}`;
    throw new Error(`${argv.join(" ")}: ${how}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}

/** Waits until `condition` gives a value that is not false or undefined, and returns it; fails after some seconds. */
export async function until<T>(
  what: string,
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  seconds = 30,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not happen in ${seconds} s`);
    await Bun.sleep(20);
  }
}
