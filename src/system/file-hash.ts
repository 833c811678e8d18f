// SPDX-License-Identifier: Apache-2.0
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";

/** The sha256 of what a file holds from byte `start` on, open for more. */
export async function hashFile(path: string, start = 0): Promise<Hash> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { start, highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash;
}
