// SPDX-License-Identifier: Apache-2.0
import { createReadStream } from "node:fs";

/** What comes on the standard input, piece by piece: by its number, for a socket of sshd has no name to be opened by. */
export function standardInput(): AsyncIterable<Uint8Array> {
  return createReadStream("", { fd: 0, highWaterMark: 1 << 20, autoClose: false });
}
