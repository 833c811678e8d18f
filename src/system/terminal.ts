// SPDX-License-Identifier: Apache-2.0
import { readSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

/**
 * Reads one line of stdin as an answer: only `y` and `Y` are yes. The question is put on a terminal only.
 * @returns undefined at the end of input
 */
export function askYesNo(question: string): boolean | undefined {
  if (isatty(0)) writeSync(2, `${question} [y/N] `);
  const line = readLine();
  return line === undefined ? undefined : /^[yY]$/.test(line.trim());
}

/** Byte by byte: what follows the line may be meant for somebody else. */
function readLine(): string | undefined {
  const byte = Buffer.alloc(1);
  const line: number[] = [];
  for (;;) {
    if (!readByte(byte)) return line.length > 0 ? Buffer.from(line).toString() : undefined;
    if (byte[0] === 10) return Buffer.from(line).toString();
    line.push(byte[0] ?? 0);
  }
}

function readByte(byte: Buffer): boolean {
  try {
    return readSync(0, byte, 0, 1, null) > 0;
  } catch {
    // Closed, or a terminal that is not ours any more: nobody answers.
    return false;
  }
}

/** Whether stderr is a terminal. */
export function isTerminal(): boolean {
  return process.stderr.isTTY === true;
}

/** Writes to the terminal that stderr is. */
export function writeTerminal(text: string): void {
  writeSync(2, text);
}

/** Columns of the terminal that stderr is. */
export function terminalWidth(): number {
  return process.stderr.columns || 80;
}
