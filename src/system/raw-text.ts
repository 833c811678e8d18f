// SPDX-License-Identifier: Apache-2.0
// Words of the system are bytes, not always UTF-8. Bytes that are not become lone surrogates (U+DC80 to U+DCFF), which no
// proper text has, so that nothing is lost on the way from the command line to the plan.
import { readFileSync } from "node:fs";

/** Bytes as text from which `toBytes` makes the same bytes again. */
export function fromBytes(bytes: Uint8Array): string {
  return decode(bytes) ?? decodePieces(bytes);
}

/** The bytes that `fromBytes` got; UTF-8 for all other text. */
export function toBytes(text: string): Uint8Array {
  if (!/[\uDC80-\uDCFF]/u.test(text)) return Buffer.from(text);
  const pieces = [...text].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(char);
  });
  return Buffer.concat(pieces);
}

/** The words after the program's name. The runtime decodes them, and what is no UTF-8 is lost: those are read again. */
export function commandLine(): string[] {
  const words = process.argv.slice(2);
  if (!words.some((word) => word.includes("\uFFFD"))) return words;
  const bytes = readFileSync("/proc/self/cmdline");
  const raw: string[] = [];
  for (let at = 0, end = bytes.indexOf(0); end >= 0; at = end + 1, end = bytes.indexOf(0, at))
    raw.push(fromBytes(bytes.subarray(at, end)));
  return raw.slice(raw.length - words.length);
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function decodePieces(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at] ?? 0);
    const char = at + length <= bytes.length ? decode(bytes.subarray(at, at + length)) : undefined;
    text += char ?? String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
    at += char === undefined ? 1 : length;
  }
  return text;
}

/** How many bytes the character that begins with `byte` should have. */
function sequenceLength(byte: number): number {
  if (byte < 0xc0) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}
