// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";
import type { HttpResponse } from "../../system/http.ts";

/**
 * Reads a body whole.
 * @param limit in bytes
 * @throws EnrootError Registry when it is larger, or breaks off
 */
export async function readBody({ body, url }: HttpResponse, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body ?? []) {
      size += chunk.length;
      if (size > limit) throw new EnrootError("Registry", `Answer of more than ${limit} bytes: ${url}`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof EnrootError) throw cause;
    throw new EnrootError("Registry", `Answer broke off: ${url}`, { cause });
  }
  return Buffer.concat(chunks);
}
