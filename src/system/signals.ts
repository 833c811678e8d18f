// SPDX-License-Identifier: Apache-2.0
// One AbortController a process: it reaches every child and every request. After a signal the children are waited for,
// the clean-ups run, newest first, and the process ends by that very signal, so that callers see what happened.
import { readFileSync } from "node:fs";
import { constants } from "node:os";

type Cleanup = () => void | Promise<void>;

const ending = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
type Ending = (typeof ending)[number];

const controller = new AbortController();
const cleanups = new Set<Cleanup>();
const children = new Set<Promise<unknown>>();
let watching = false;
let ended: Promise<never> | undefined;

/** Aborted when the process is told to end. */
export function abortSignal(): AbortSignal {
  watch();
  return controller.signal;
}

/**
 * Registers what must be undone should a signal end the process now. No child runs any more when it is called.
 * @returns takes the registration back
 */
export function onInterrupt(cleanup: Cleanup): () => void {
  watch();
  cleanups.add(cleanup);
  return () => cleanups.delete(cleanup);
}

/** Has a signal's clean-up wait for a child process, which `abortSignal` ends. */
export function awaitChild<T>(exit: Promise<T>): Promise<T> {
  children.add(exit);
  const forget = (): void => void children.delete(exit);
  exit.then(forget, forget);
  return exit;
}

/** The end that a signal has begun, never resolved; undefined as long as there was none. */
export function interruption(): Promise<never> | undefined {
  return ended;
}

function watch(): void {
  if (watching) return;
  watching = true;
  const ignored = ignoredSignals();
  for (const signal of ending) {
    // What the caller ignores (nohup, background jobs of a shell) stays ignored.
    if ((ignored >> BigInt(constants.signals[signal] - 1)) & 1n) continue;
    process.on(signal, () => {
      ended ??= end(signal);
    });
  }
}

/** Mask of the signals that were ignored when this process was started. */
function ignoredSignals(): bigint {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return BigInt(`0x${mask ?? "0"}`);
}

async function end(signal: Ending): Promise<never> {
  controller.abort(new Error(`interrupted by ${signal}`));
  await Promise.allSettled(children);
  for (const cleanup of [...cleanups].reverse()) {
    try {
      await cleanup();
    } catch {
      // Undo tolerates what is gone already, and never hides why we end.
    }
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  return new Promise(() => {});
}
