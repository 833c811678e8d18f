// SPDX-License-Identifier: Apache-2.0
import type { AddedFile } from "../rootfs-files.ts";
import { type LayerSource, readLayer } from "./layer-source.ts";
import type { TarEntry } from "./tar-entry.ts";
import type { TarReader } from "./tar-reader.ts";

/** What is flattened. */
export interface Flattening {
  /** Bottom layer first. */
  readonly layers: readonly LayerSource[];
  /** Files that go over all layers. */
  readonly added: readonly AddedFile[];
  /** Directories that exist in the end, unless something else is in their way. */
  readonly directories: readonly string[];
  /** Time of what has none of its own, in seconds. */
  readonly time: number;
  /** Time of everything instead of its own. */
  readonly fixedTime: number | undefined;
  /** The bits of modes that are kept. */
  readonly modeMask: number;
}

/** Told of each member of a layer, with its place in it and a way to its data. */
export type Visit = (entry: TarEntry, index: number, data: TarReader["data"]) => Promise<void>;

/** Reads a layer of the image; the one above them all is the added files. @throws EnrootError Corrupt */
export async function readAny(
  { layers, added, time }: Flattening,
  layer: number,
  visit: Visit,
): Promise<void> {
  const source = layers[layer];
  if (source) return readLayer(source, visit);
  for (const [index, { path, content, mode }] of added.entries()) {
    const data = Buffer.from(content);
    const size = data.length;
    const plain = { link: "", mtime: time, stored: size, sparse: undefined, xattrs: new Map() };
    await visit({ ...plain, type: "file", path, mode, size }, index, async function* () {
      yield data;
    });
  }
}
