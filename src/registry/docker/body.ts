// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";
import { describeTransport, type HttpResponse } from "../../system/http.ts";
import { paced } from "../../system/pace.ts";

/** Seconds in which a whole document has to come once its first byte is there. */
const patience = 60;

/**
 * Reads a body whole.
 * @param limit in bytes
 * @throws EnrootError Registry when it is larger, or breaks off
 */
export async function readBody({ body, url }: HttpResponse, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of paced(body, { seconds: patience, bytes: limit })) {
      size += chunk.length;
      if (size > limit) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new EnrootError("Registry", `Answer broke off: ${url}: ${describeTransport(cause)}`, { cause });
  }
  if (size > limit) throw new EnrootError("Registry", `Answer of more than ${limit} bytes: ${url}`);
  return Buffer.concat(chunks);
}
