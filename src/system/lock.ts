// SPDX-License-Identifier: Apache-2.0
// Locks between processes: flock(2) on a file of ours. Bun has no flock, so flock(1) takes it on a descriptor that it
// shares with us; the kernel gives it back when we close it or die, which no lock file with a PID in it can match.
import { closeSync, openSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { describeErrno } from "./errno.ts";
import { failure, helperEnvironment } from "./process.ts";
import { requireProgram } from "./programs.ts";
import { abortSignal, awaitChild } from "./signals.ts";

/** A lock that is held until it is disposed of. */
export interface Lock extends Disposable {}

/** How a lock is taken. */
export interface LockOptions {
  /** Together with all others who share it. */
  readonly shared?: boolean;
  /** Ends the wait early. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for the lock on `path` and takes it. The file is made when it is missing and never deleted: whoever deleted it
 * would leave two holders behind.
 * @throws EnrootError Tool
 */
export async function takeLock(path: string, { shared, signal }: LockOptions = {}): Promise<Lock> {
  const lock = await flockOn(path, [shared ? "--shared" : "--exclusive"], signal);
  if (lock === undefined) throw new EnrootError("Tool", `Could not lock ${path}`);
  return lock;
}

/** Takes the lock unless anybody has it. @throws EnrootError Tool */
export function tryLock(path: string): Promise<Lock | undefined> {
  return flockOn(path, ["--exclusive", "--nonblock", "--conflict-exit-code", String(conflict)]);
}

/** None that flock(1) has for anything else (sysexits(3)). */
const conflict = 99;

async function flockOn(
  path: string,
  options: readonly string[],
  signal?: AbortSignal,
): Promise<Lock | undefined> {
  const flock = requireProgram("flock", "util-linux");
  const fd = openLock(path);
  try {
    const child = Bun.spawn([flock, ...options, "3"], {
      env: helperEnvironment(),
      stdio: ["ignore", "ignore", "pipe", fd],
      signal: signal ? AbortSignal.any([abortSignal(), signal]) : abortSignal(),
    });
    const status = await awaitChild(child.exited);
    const stderr = await child.stderr.text();
    if (status === conflict) {
      closeSync(fd);
      return undefined;
    }
    if (status !== 0) throw failure(flock, { status, signal: child.signalCode?.toString(), stderr });
    return { [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openLock(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (cause) {
    throw new EnrootError("Tool", `Could not lock ${path}: ${describeErrno(cause)}`, { cause });
  }
}
