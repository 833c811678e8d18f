// SPDX-License-Identifier: Apache-2.0
import { writeSync } from "node:fs";
import { EnrootError } from "../errors.ts";

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/**
 * Prints results on stdout, whole: process.exit() would cut off what a stream still holds. Nobody reading is fine.
 * @throws EnrootError Tool when it cannot be written (a full disk)
 */
export function print(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (cause) {
      const code = codeOf(cause);
      if (code === "EPIPE") return;
      if (code !== "EAGAIN")
        throw new EnrootError("Tool", `Could not write to stdout: ${code ?? "?"}`, { cause });
      // The other end has made the pipe non-blocking, and reads slowly.
      Bun.sleepSync(1);
    }
  }
}
