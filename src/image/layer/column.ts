// SPDX-License-Identifier: Apache-2.0
// Growing arrays of numbers and of bytes.

/** A number for each index, 0 until it is set. */
export interface Column {
  get(index: number): number;
  set(index: number, value: number): void;
}

/** Makes a column. */
export function openColumn(): Column {
  let values = new Int32Array(64);
  return {
    get: (index) => values[index] ?? 0,
    set: (index, value) => {
      if (index >= values.length) {
        const larger = new Int32Array(Math.max(index + 1, values.length * 2));
        larger.set(values);
        values = larger;
      }
      values[index] = value;
    },
  };
}

/** Latin1 strings, one after the other. */
export interface Bytes {
  /** Adds a string. Returns where it ends. */
  add(text: string): number;
  text(start: number, end: number): string;
  equals(start: number, end: number, text: string): boolean;
}

/** Makes an empty one. */
export function openBytes(): Bytes {
  let held = Buffer.alloc(1024);
  let length = 0;
  return {
    add: (text) => {
      if (length + text.length > held.length) {
        held = Buffer.concat([held.subarray(0, length)], Math.max(length + text.length, held.length * 2));
      }
      length += held.write(text, length, "latin1");
      return length;
    },
    text: (start, end) => held.toString("latin1", start, end),
    equals: (start, end, text) => {
      if (end - start !== text.length) return false;
      for (let at = 0; at < text.length; at++) if (held[start + at] !== text.charCodeAt(at)) return false;
      return true;
    },
  };
}
