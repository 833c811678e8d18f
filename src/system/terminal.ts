// SPDX-License-Identifier: Apache-2.0
import { readSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { helperEnvironment } from "./process.ts";
import { requireProgram } from "./programs.ts";
import { onInterrupt } from "./signals.ts";

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

/**
 * Reads a line that is not shown while it is typed.
 * @returns undefined when stdin and stderr are not a terminal, or nothing is typed
 */
export async function askSecret(question: string): Promise<string | undefined> {
  if (!isatty(0) || !isatty(2)) return undefined;
  const stty = requireProgram("stty", "coreutils");
  const echo = (mode: "echo" | "-echo"): void =>
    void Bun.spawnSync([stty, mode], { env: helperEnvironment(), stdio: ["inherit", "ignore", "ignore"] });
  const show = (): void => echo("echo");
  const forget = onInterrupt(show);
  echo("-echo");
  try {
    writeSync(2, question);
    const reader = Bun.stdin.stream().getReader();
    // The terminal hands on whole lines.
    const line = Buffer.from((await reader.read()).value ?? []).toString();
    reader.releaseLock();
    writeSync(2, "\n");
    return line.replace(/\r?\n$/, "") || undefined;
  } finally {
    show();
    forget();
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
