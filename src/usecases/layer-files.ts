// SPDX-License-Identifier: Apache-2.0
// The layers of an image as files in the cache, read one after the other.
import { closeSync, createReadStream, openSync, type ReadStream, readSync } from "node:fs";
import { Readable } from "node:stream";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import type { ImageSource } from "../image/image-source.ts";
import { compressionOf } from "../image/layer/decompress.ts";
import type { LayerSource } from "../image/layer/layer-source.ts";
import type { Progress } from "../registry/source.ts";
import { outputOf } from "../system/process.ts";
import { requireProgram } from "../system/programs.ts";

/** The layers, and how much of them was read. */
export interface LayerFiles {
  /** Bottom layer first. */
  readonly sources: readonly LayerSource[];
  progress(): Progress;
  /** Counts from the beginning. */
  restart(): void;
}

/** Opens an image's layers. @throws EnrootError Corrupt, Tool */
export function openLayerFiles(image: ImageSource, settings: Settings): LayerFiles {
  const gzip = settings.gzipProgram;
  const unpacker = gzip === undefined ? undefined : programOf(gzip);
  const bytesTotal = image.layers.reduce((sum, { size }) => sum + size, 0);
  let current: ReadStream | undefined;
  let opened: number[] = [];

  const source = (index: number): LayerSource => {
    const diffId = image.config.diffIds[index];
    if (diffId === undefined) throw new EnrootError("Corrupt", `No digest for layer ${index}: ${image.uri}`);
    const open = async (): ReturnType<LayerSource["open"]> => {
      const { path, part } = await image.layerFile(index);
      const head = headOf(path, part?.offset ?? 0);
      opened.push(index);
      current = undefined;
      if (unpacker !== undefined && part === undefined && compressionOf(head) === "gzip")
        return {
          blob: Readable.from(outputOf({ argv: [unpacker, "-d", "-c"], input: path })),
          head: Buffer.alloc(0),
        };
      const range = part && { start: part.offset, end: part.offset + part.size - 1 };
      current = createReadStream(path, { highWaterMark: 1 << 20, ...range });
      return { blob: current, head };
    };
    return { diffId, open };
  };
  return {
    sources: image.layers.map((_, index) => source(index)),
    progress: () => {
      const done = opened.slice(0, -1).reduce((sum, index) => sum + (image.layers[index]?.size ?? 0), 0);
      const bytesDone = done + (current?.bytesRead ?? 0);
      return {
        bytesDone,
        bytesTotal,
        layersDone: Math.max(0, opened.length - 1),
        layersTotal: image.layers.length,
      };
    },
    restart: () => {
      opened = [];
      current = undefined;
    },
  };
}

/** First bytes of a layer: enough to tell how it is compressed. */
function headOf(path: string, offset: number): Buffer {
  const head = Buffer.alloc(8);
  const fd = openSync(path, "r");
  try {
    return head.subarray(0, readSync(fd, head, 0, head.length, offset));
  } finally {
    closeSync(fd);
  }
}

/** A program by its name, or by its absolute path. */
function programOf(name: string): string {
  return name.startsWith("/") ? name : requireProgram(name, name);
}
