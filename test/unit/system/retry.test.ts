// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { backoff, pause, retryAfter } from "../../../src/system/retry.ts";

test.each<[string | null, number | undefined]>([
  [null, undefined],
  ["0", 0],
  ["7", 7],
  ["86400", 120],
  ["Sat, 01 Jan 2000 00:00:10 GMT", 10],
  ["Fri, 31 Dec 1999 23:59:00 GMT", 0],
  ["soon", undefined],
  ["-5", undefined],
])("Retry-After: %s is %s seconds", (header, seconds) => {
  expect(retryAfter(header, Date.parse("2000-01-01T00:00:00Z"))).toBe(seconds as number);
});

test("waits grow, up to a limit, and differ", () => {
  for (const [count, longest] of [
    [0, 1],
    [1, 2],
    [3, 8],
    [5, 30],
    [50, 30],
  ] as const) {
    const wait = backoff(count);
    expect(wait).toBeLessThanOrEqual(longest);
    expect(wait).toBeGreaterThanOrEqual(longest / 2);
  }
  expect(new Set(Array.from({ length: 20 }, () => backoff(5))).size).toBeGreaterThan(1);
});

test("a signal ends a wait", async () => {
  const stop = new AbortController();
  const wait = pause(1000, stop.signal);
  stop.abort();
  await expect(wait).rejects.toThrow();
});
