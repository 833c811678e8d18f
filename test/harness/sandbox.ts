// SPDX-License-Identifier: Apache-2.0
// A place of its own for a test: a home and enroot directories that the unprivileged user owns, gone at the end,
// together with a check that enroot left nothing behind: no process, no mount.

import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { enrootBinary } from "./binary.ts";
import { mountsBelow, processesOf } from "./leftover.ts";
import { type Result, type Running, type RunOptions, start, until } from "./process.ts";
import { testUser } from "./user.ts";
import { zfsStore } from "./zfs.ts";

/** The directories of a sandbox, all below `root`. */
export interface Directories {
  readonly root: string;
  readonly home: string;
  /** ENROOT_CONFIG_PATH */
  readonly config: string;
  /** ENROOT_CACHE_PATH */
  readonly cache: string;
  /** ENROOT_DATA_PATH */
  readonly data: string;
  /** ENROOT_RUNTIME_PATH */
  readonly runtime: string;
  /** ENROOT_TEMP_PATH */
  readonly temp: string;
  /** The working directory of the commands. */
  readonly work: string;
}

/** A test's own place; see `sandbox`. */
export interface Sandbox extends Directories, AsyncDisposable {
  /** The environment that commands get. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs enroot to its end. */
  enroot(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** Runs enroot and fails, showing the errors, unless it succeeds; returns its standard output. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Starts enroot in the background. */
  start(args: readonly string[], options?: RunOptions): Running;
  /** Runs any other program in the same place, as the same user. */
  run(argv: readonly string[], options?: RunOptions): Promise<Result>;
}

/** What a sandbox may be given. */
export interface SandboxOptions {
  /** Added to the environment of every command. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether ENROOT_STORAGE_BACKEND of the tests decides where containers are; true by default. */
  readonly chosenStore?: boolean;
  /** Seconds that processes have to end by themselves once the test is over, 10 by default. */
  readonly grace?: number;
}

/** Makes a sandbox: `await using box = await sandbox()`. */
export async function sandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  await using undo = new AsyncDisposableStack();
  const place = await directories();
  const env = { ...environment(place), ...(await chosenStore(place, options, undo)), ...options.env };
  const running = new Set<Running>();
  const launch = (argv: readonly string[], options: RunOptions = {}): Running => {
    const child = start(argv, env, { cwd: place.work, ...options });
    running.add(child);
    child.exited.finally(() => running.delete(child)).catch(() => {});
    return child;
  };
  const enroot = (args: readonly string[], options?: RunOptions): Promise<Result> =>
    launch([enrootBinary(), ...args], options).exited;
  const stack = undo.move();
  return {
    ...place,
    env,
    enroot,
    ok: async (args, options) => succeeded(args, await enroot(args, options)),
    start: (args, options) => launch([enrootBinary(), ...args], options),
    run: (argv, options) => launch(argv, options).exited,
    [Symbol.asyncDispose]: () => dispose(place, running, { grace: options.grace ?? 10, stack }),
  };
}

/** Whether the tests are run with ENROOT_STORAGE_BACKEND=zfs: containers are datasets then. */
export function isZfsChosen(): boolean {
  return process.env["ENROOT_STORAGE_BACKEND"] === "zfs";
}

/** Makes the sandbox's store a dataset where the tests are run with ENROOT_STORAGE_BACKEND=zfs. */
async function chosenStore(
  place: Directories,
  { chosenStore = true }: SandboxOptions,
  undo: AsyncDisposableStack,
): Promise<Record<string, string>> {
  if (!chosenStore || !isZfsChosen()) return {};
  undo.use(await zfsStore(place.data));
  return { ENROOT_STORAGE_BACKEND: "zfs" };
}

async function directories(): Promise<Directories> {
  const { uid, gid } = testUser();
  const root = await mkdtemp(join(tmpdir(), "enroot-test."));
  await chown(root, uid, gid);
  const make = async (name: string): Promise<string> => {
    const path = join(root, name);
    await mkdir(path, { mode: 0o700 });
    await chown(path, uid, gid);
    return path;
  };
  return {
    root,
    home: await make("home"),
    config: await make("config"),
    cache: await make("cache"),
    data: await make("data"),
    runtime: await make("runtime"),
    temp: await make("temp"),
    work: await make("work"),
  };
}

function environment(place: Directories): Record<string, string> {
  return {
    // Other enroots find their helpers on PATH.
    PATH: `${process.env["ENROOT"] ? `${dirname(enrootBinary())}:` : ""}/usr/local/bin:/usr/bin:/bin`,
    HOME: place.home,
    LANG: "C.UTF-8",
    TERM: "xterm-256color",
    ENROOT_CONFIG_PATH: place.config,
    ENROOT_CACHE_PATH: place.cache,
    ENROOT_DATA_PATH: place.data,
    ENROOT_RUNTIME_PATH: place.runtime,
    ENROOT_TEMP_PATH: place.temp,
  };
}

function succeeded(args: readonly string[], result: Result): string {
  if (result.status === 0) return result.stdout;
  const how = result.signal ?? `status ${result.status}`;
  throw new Error(`enroot ${args.join(" ")}: ${how}\n${result.stdout}${result.stderr}`);
}

interface Ending {
  readonly grace: number;
  readonly stack: AsyncDisposableStack;
}

async function dispose(
  place: Directories,
  running: ReadonlySet<Running>,
  { grace, stack }: Ending,
): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all([...running].map((child) => child.exited));
  const { uid } = testUser();
  let left: string[] = [];
  const clean = async (): Promise<boolean> => {
    left = await processesOf(uid, place.root);
    return left.length === 0;
  };
  await until("the end of every process", clean, grace).catch(() => {});
  for (const line of left) process.kill(Number.parseInt(line, 10), "SIGKILL");
  await stack.disposeAsync();
  const mounts = await mountsBelow(place.root);
  if (mounts.length === 0) await rm(place.root, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`enroot left processes:\n${left.join("\n")}`);
  if (mounts.length > 0) throw new Error(`enroot left mounts:\n${mounts.join("\n")}`);
}
