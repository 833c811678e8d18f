// SPDX-License-Identifier: Apache-2.0
// Layers as they come from a registry: gzip (with several members), zstd (with several frames) or plain, told by content.
import type { Readable, Transform } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { EnrootError } from "../../errors.ts";
import { checkZstdFrames, type FrameCheck } from "./zstd-frames.ts";

/** What OCI does not allow, but somebody may try. */
const foreign = [
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  { name: "lz4", magic: [0x04, 0x22, 0x4d, 0x18] },
] as const;

/** Compression of a blob, from its first bytes: RFC 1952 for gzip, RFC 8878 for zstd (skippable frames too). */
export function compressionOf(head: Uint8Array): "gzip" | "zstd" | "none" {
  const [a = 0, b = 0, c = 0, d = 0] = head;
  const name = foreign.find(({ magic }) => magic.every((byte, at) => head[at] === byte))?.name;
  if (name)
    throw new EnrootError(
      "Unsupported",
      `Layer is compressed with ${name}: only gzip and zstd are supported`,
    );
  if (a === 0x1f && b === 0x8b) return "gzip";
  if (b === 0xb5 && c === 0x2f && a === 0x28 && d === 0xfd) return "zstd";
  if (b === 0x2a && c === 0x4d && d === 0x18 && (a & 0xf0) === 0x50) return "zstd";
  return "none";
}

/** Large pieces: three times as fast as the default of 16 KiB. */
const chunkSize = 1 << 20;

/**
 * Decompresses a blob.
 * @param blob its bytes; consumed
 * @param head its first bytes, which `blob` has too
 * @throws EnrootError Corrupt when the data is damaged or ends too early
 */
export async function* decompress(blob: Readable, head: Uint8Array): AsyncGenerator<Uint8Array> {
  const kind = compressionOf(head);
  if (kind === "none") {
    yield* blob;
    return;
  }
  const decoder: Transform =
    kind === "gzip"
      ? createGunzip({ chunkSize })
      : createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: 27 } });
  blob.on("error", (error) => decoder.destroy(error));
  // The runtime takes a zstd stream that breaks off for a complete one, so the frames are checked beside it.
  const frames = kind === "zstd" ? checkZstdFrames() : undefined;
  if (frames) blob.on("data", (chunk: Buffer) => follow(frames, chunk, decoder));
  blob.pipe(decoder);
  try {
    yield* decoder;
    frames?.end();
  } catch (cause) {
    if (cause instanceof EnrootError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EnrootError("Corrupt", `Layer is damaged or truncated: ${why}`, { cause });
  } finally {
    blob.destroy();
    decoder.destroy();
  }
}

function follow(frames: FrameCheck, chunk: Buffer, decoder: Transform): void {
  try {
    frames.push(chunk);
  } catch (error) {
    decoder.destroy(error instanceof Error ? error : undefined);
  }
}
