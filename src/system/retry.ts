// SPDX-License-Identifier: Apache-2.0
// How long to wait before something is tried again.

/** Longest wait that a server may ask for before a retry, in seconds. */
const longestWait = 120;

/** Seconds before attempt `count + 1`: 1, 2, 4… up to 30, of which a random half is taken off. */
export function backoff(count: number): number {
  return Math.min(30, 2 ** count) * (0.5 + Math.random() / 2);
}

/** Seconds that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3). */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  const date = / GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  const seconds = /^\d+$/.test(header) ? Number(header) : (date - now) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(longestWait, Math.max(0, seconds));
}

/** Waits; a signal ends it early. */
export async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  const { setTimeout: wait } = await import("node:timers/promises");
  await wait(seconds * 1000, undefined, { signal });
}
