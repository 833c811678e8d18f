// SPDX-License-Identifier: Apache-2.0
// One AbortController a process: it reaches every child and every request. After a signal the clean-ups run, newest
// first, and the process ends by that very signal, so that callers see what happened.

type Cleanup = () => void | Promise<void>;

const ending = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
const controller = new AbortController();
const cleanups = new Set<Cleanup>();
let watching = false;

/** Aborted when the process is told to end. */
export function abortSignal(): AbortSignal {
  watch();
  return controller.signal;
}

/**
 * Registers what must be undone should a signal end the process now.
 * @returns takes the registration back
 */
export function onInterrupt(cleanup: Cleanup): () => void {
  watch();
  cleanups.add(cleanup);
  return () => cleanups.delete(cleanup);
}

function watch(): void {
  if (watching) return;
  watching = true;
  for (const signal of ending) process.on(signal, () => void end(signal));
}

let ended = false;

async function end(signal: (typeof ending)[number]): Promise<void> {
  if (ended) return;
  ended = true;
  controller.abort(new Error(`interrupted by ${signal}`));
  for (const cleanup of [...cleanups].reverse()) {
    try {
      await cleanup();
    } catch {
      // Undo tolerates what is gone already, and never hides why we end.
    }
  }
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
