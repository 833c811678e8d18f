// SPDX-License-Identifier: Apache-2.0
// Walks over the frames and blocks of a zstd stream (RFC 8878, 3.1) without decoding: only to know that the last is whole.
import { EnrootError } from "../../errors.ts";

/** Follows a stream. */
export interface FrameCheck {
  push(chunk: Uint8Array): void;
  /** @throws EnrootError Corrupt unless the stream has ended with a frame */
  end(): void;
}

const frameMagic = 0xfd2fb528;

type State = "magic" | "skippable" | "descriptor" | "block";

/** Starts following a stream from its first byte. */
export function checkZstdFrames(): FrameCheck {
  let state: State = "magic";
  let header: number[] = [];
  let needed = 4;
  let skip = 0;
  let afterSkip: State = "magic";
  let checksum = false;

  const expect = (next: State, bytes: number): void => {
    state = next;
    needed = bytes;
    header = [];
  };
  const little = (): number => header.reduce((sum, byte, index) => sum + byte * 2 ** (8 * index), 0);
  const skipThen = (bytes: number, next: State): void => {
    skip = bytes;
    afterSkip = next;
    expect(next, next === "block" ? 3 : 4);
  };
  const advance = (): void => {
    const value = little();
    if (state === "magic") {
      if (value === frameMagic) expect("descriptor", 1);
      else if ((value & 0xfffffff0) >>> 0 === 0x184d2a50) expect("skippable", 4);
      else throw new EnrootError("Corrupt", "Layer is damaged: no zstd frame where one should begin");
    } else if (state === "skippable") skipThen(value, "magic");
    else if (state === "descriptor") {
      checksum = (value & 4) !== 0;
      skipThen(headerRest(value), "block");
    } else {
      const size = value >>> 3;
      const bytes = ((value >>> 1) & 3) === 1 ? 1 : size;
      if ((value & 1) === 0) skipThen(bytes, "block");
      else skipThen(bytes + (checksum ? 4 : 0), "magic");
    }
  };
  return {
    push: (chunk) => {
      for (let at = 0; at < chunk.length; ) {
        if (skip > 0) {
          const step = Math.min(skip, chunk.length - at);
          skip -= step;
          at += step;
          continue;
        }
        header.push(chunk[at++] ?? 0);
        if (header.length === needed) advance();
      }
    },
    end: () => {
      if (skip > 0 || state !== "magic" || header.length > 0 || afterSkip !== "magic") {
        throw new EnrootError("Corrupt", "Layer is truncated: its last zstd frame is not complete");
      }
    },
  };
}

/** Length of a frame header after its descriptor byte: window, dictionary and content size (3.1.1.1.1). */
function headerRest(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const flag = descriptor >>> 6;
  const content = flag === 0 ? (single ? 1 : 0) : 2 ** flag;
  return (single ? 0 : 1) + dictionary + content;
}
