// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { paced } from "../../../src/system/pace.ts";

async function collect(
  body: ReadableStream<Uint8Array> | null,
  pace = { seconds: 0.05, bytes: 100 },
): Promise<number> {
  let size = 0;
  for await (const chunk of paced(body, pace)) size += chunk.length;
  return size;
}

test("no body is an empty one", async () => {
  expect(await collect(null)).toBe(0);
});

test("all of a body comes", async () => {
  expect(await collect(new Response("x".repeat(1000)).body)).toBe(1000);
});

test.each<[string, () => ReadableStream<Uint8Array>]>([
  ["never begins", () => new ReadableStream({ pull: () => new Promise<void>(() => {}) })],
  [
    "falls silent",
    () => new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1000)) }),
  ],
  [
    "drips",
    () =>
      new ReadableStream({
        async pull(controller) {
          await Bun.sleep(5);
          controller.enqueue(new Uint8Array(1));
        },
      }),
  ],
])("a body that %s is given up, and told so", async (_, make) => {
  const cancelled = Promise.withResolvers<void>();
  const inner = make().getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value } = await inner.read();
      if (value) controller.enqueue(value);
    },
    cancel: () => cancelled.resolve(),
  });
  await expect(collect(body)).rejects.toThrow("the server is too slow");
  await cancelled.promise;
});

test("time that the reader takes does not count", async () => {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(1));
      if (++given === 3) controller.close();
    },
  });
  let given = 0;
  for await (const _ of paced(body, { seconds: 0.5, bytes: 100 })) await Bun.sleep(300);
  expect(given).toBe(3);
});

test("a reader that stops early ends the transfer", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel: () => cancelled.resolve(),
  });
  for await (const _ of paced(body)) break;
  await cancelled.promise;
});
