// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";

/** Reads exact numbers of bytes from chunks of any size, without copying what comes in one piece. */
export interface ByteStream {
  /** Exactly `count` bytes, or undefined at the end. @throws EnrootError Corrupt when it ends in between */
  exactly(count: number): Promise<Buffer | undefined>;
  /** The next `count` bytes piece by piece, as they come. @throws EnrootError Corrupt when it ends too early */
  pieces(count: number): AsyncGenerator<Buffer>;
  /** Passes over `count` bytes. @throws EnrootError Corrupt when it ends too early */
  skip(count: number): Promise<void>;
  /** Passes over `count` bytes, or fewer at the end. */
  upTo(count: number): Promise<void>;
  /** Reads to the end and drops what comes. */
  drain(): Promise<void>;
  /** How many bytes have been taken. */
  position(): number;
}

function truncated(): EnrootError {
  return new EnrootError("Corrupt", "Layer is truncated");
}

/** Makes a stream of chunks. */
export function openByteStream(chunks: AsyncIterable<Uint8Array>): ByteStream {
  const source = chunks[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let received = 0;

  const more = async (): Promise<boolean> => {
    const next = await source.next();
    if (next.done) return false;
    const { buffer, byteOffset, byteLength } = next.value;
    held = Buffer.from(buffer, byteOffset, byteLength);
    received += byteLength;
    return true;
  };
  const take = (count: number): Buffer => {
    const piece = held.subarray(0, count);
    held = held.subarray(count);
    return piece;
  };
  const exactly = async (count: number): Promise<Buffer | undefined> => {
    if (held.length >= count) return take(count);
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (held.length === 0 && !(await more())) {
        if (missing === count) return undefined;
        throw truncated();
      }
      const part = take(missing);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  };
  async function* pieces(count: number): AsyncGenerator<Buffer> {
    for (let missing = count; missing > 0; ) {
      if (held.length === 0 && !(await more())) throw truncated();
      const part = take(missing);
      missing -= part.length;
      if (part.length > 0) yield part;
    }
  }
  return {
    exactly,
    pieces,
    skip: async (count) => {
      for (let missing = count; missing > 0; ) {
        if (held.length === 0 && !(await more())) throw truncated();
        missing -= take(missing).length;
      }
    },
    upTo: async (count) => {
      for (let missing = count; missing > 0; ) {
        if (held.length === 0 && !(await more())) return;
        missing -= take(missing).length;
      }
    },
    drain: async () => {
      do held = Buffer.alloc(0);
      while (await more());
    },
    position: () => received - held.length,
  };
}
