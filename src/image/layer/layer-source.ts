// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { EnrootError } from "../../errors.ts";
import type { DiffId } from "../digest.ts";
import { openByteStream } from "./byte-stream.ts";
import { decompress } from "./decompress.ts";
import { limits, type TarEntry } from "./tar-entry.ts";
import { openTar, type TarReader } from "./tar-reader.ts";

/** A layer that can be read, more than once. */
export interface LayerSource {
  /** Opens the blob, and gives its first bytes besides. */
  readonly open: () => Promise<{ readonly blob: Readable; readonly head: Uint8Array }>;
  /** What the uncompressed archive must be. */
  readonly diffId: DiffId;
}

/** Told of each member, with the reader at its data. */
export type EntryVisitor = (entry: TarEntry, index: number, data: TarReader["data"]) => Promise<void>;

/**
 * Reads a layer to its end.
 * @throws EnrootError Corrupt when it is not what its diffID says; whatever `visit` throws
 */
export async function readLayer({ open, diffId }: LayerSource, visit: EntryVisitor): Promise<void> {
  const hash = createHash("sha256");
  const { blob, head } = await open();
  async function* hashed(): AsyncGenerator<Uint8Array> {
    let total = 0;
    for await (const chunk of decompress(blob, head)) {
      total += chunk.length;
      if (total > limits.archive) throw new EnrootError("Corrupt", "Layer is too large when it is unpacked");
      hash.update(chunk);
      yield chunk;
    }
  }
  const stream = openByteStream(hashed());
  try {
    const tar = openTar(stream);
    for (let index = 0; ; index++) {
      const entry = await tar.next();
      if (entry === undefined) break;
      await visit(entry, index, tar.data);
    }
    await stream.drain();
  } finally {
    blob.destroy();
  }
  const actual = `sha256:${hash.digest("hex")}`;
  if (actual !== diffId) {
    throw new EnrootError(
      "Corrupt",
      `Digest mismatch: the layer ${diffId} of the image configuration is ${actual}`,
    );
  }
}
