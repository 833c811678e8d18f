// SPDX-License-Identifier: Apache-2.0
import { readSync, writeSync } from "node:fs";

/** Asks on stderr and reads one line of stdin: only `y` or `Y` is yes; the end of input is no. */
export async function askYesNo(question: string): Promise<boolean> {
  writeSync(2, `${question} [y/N] `);
  const line = readLine();
  return line === "y" || line === "Y";
}

function readLine(): string {
  const byte = Buffer.alloc(1);
  let line = "";
  for (;;) {
    let count = 0;
    try {
      count = readSync(0, byte, 0, 1, null);
    } catch {
      return line;
    }
    if (count === 0 || byte[0] === 10) return line.trim();
    line += byte.toString("latin1");
  }
}
