// SPDX-License-Identifier: Apache-2.0
// Bodies of servers that fall silent, or drip: a time limit on the whole would also end what is large and well.
import { EnrootError } from "../errors.ts";

/** The least that has to come: so many bytes for so many seconds of waiting. */
export interface Pace {
  readonly seconds: number;
  readonly bytes: number;
}

/** For bodies of any size. */
export const slowest: Pace = { seconds: 60, bytes: 64 << 10 };

/**
 * The chunks of a body. Only time spent on waiting for the server counts, not what the caller does with a chunk.
 * @throws EnrootError Registry when it comes slower than `pace`, and whatever the body fails with
 */
export async function* paced(
  body: ReadableStream<Uint8Array> | null,
  pace: Pace = slowest,
): AsyncGenerator<Uint8Array, void> {
  const reader = body?.getReader();
  let waited = 0;
  let received = 0;
  try {
    for (;;) {
      const from = performance.now();
      const next = await within(reader?.read(), pace.seconds * 1000 - waited, received);
      if (!next || next.done) return;
      waited += performance.now() - from;
      received += next.value.length;
      if (received >= pace.bytes) waited = received = 0;
      yield next.value;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}

async function within<T>(
  result: Promise<T> | undefined,
  milliseconds: number,
  received: number,
): Promise<T | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const slow = new EnrootError("Registry", `the server is too slow, the last wait brought ${received} bytes`);
  const timer = setTimeout(() => reject(slow), Math.max(0, milliseconds));
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
