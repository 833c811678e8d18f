// SPDX-License-Identifier: Apache-2.0
// An image layer by layer, each put over the tree of those below, so that images that begin alike can share them. A layer
// is read twice, first for what it hides: nothing but what its own place in the tree allows is deleted or written.
import { createHash, randomBytes } from "node:crypto";
import { linkSync, lstatSync, mkdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import type { ImageSource } from "../image/image-source.ts";
import type { Flattening } from "../image/layer/flattening.ts";
import { type LayerDelta, readDelta } from "../image/layer/layer-delta.ts";
import { addedFiles, wantedDirectories } from "../image/rootfs-files.ts";
import { log } from "../log.ts";
import type { LayerChain } from "../store/store.ts";
import { describeErrno } from "../system/errno.ts";
import { removeListed, removeTree } from "../system/tree.ts";
import { bytePath, type TreeEntry, walkTree } from "../system/tree-walk.ts";
import { openDirectoryOutput } from "./directory-output.ts";
import { timeOf, writeOutput } from "./flattened-image.ts";
import { openLayerFiles } from "./layer-files.ts";
import type { ProgressDisplay } from "./progress.ts";

/** Where the layers come from, and how they are unpacked. */
export interface LayerChainOptions {
  readonly image: ImageSource;
  readonly settings: Settings;
  readonly progress: ProgressDisplay;
  /** Absolute path of tar. */
  readonly program: string;
  /** Bits of modes that are kept. */
  readonly modeMask: number;
}

/**
 * Time of directories that no layer is about, in seconds after 1970, until the image is complete, which they get the time
 * of: they are shared with images of other times. The last one that an archive's members can have.
 */
const unsettled = 0xffffffff;

/** The layers of an image. @throws EnrootError Corrupt */
export function openLayerChain({
  image,
  settings,
  progress,
  program,
  modeMask,
}: LayerChainOptions): LayerChain {
  const { sources, progress: done } = openLayerFiles(image, settings);
  const plain = { directories: [], added: [], layers: [], fixedTime: undefined, modeMask };
  const unpack = (directory: string, delta: LayerDelta): Promise<void> => {
    const output = openDirectoryOutput({ program, directory, data: settings.dataPath });
    return writeOutput(output, { show: () => progress.written(done()), write: (sink) => delta.write(sink) });
  };
  const put = async (
    directory: string,
    found: readonly TreeEntry[],
    flattening: Flattening,
  ): Promise<void> => {
    const aside = `.enroot.${randomBytes(8).toString("hex")}`;
    const delta = await readDelta({ found, flattening, aside });
    const restore = keepTimes(directory, delta.touched);
    if (delta.linked.length > 0) linkAside(directory, aside, delta.linked);
    await removeListed(directory, delta.removed);
    await unpack(directory, delta);
    if (delta.linked.length > 0) await removeTree(join(directory, aside));
    // tar makes some links last, and changes the time of directories that it did not make itself.
    for (const { path, mtime } of delta.renewed) utimesSync(bytePath(directory, path), mtime, mtime);
    restore();
  };
  return {
    ids: chainIds(image.config.diffIds),
    skip: (count) => image.skipLayers(count),
    apply: async (index, directory) => {
      const layer = sources[index];
      if (layer === undefined) throw new RangeError(`no layer ${index}`);
      log.debug(`layer ${index + 1} of ${sources.length}: ${layer.diffId}`);
      // The root of the lowest is no directory of the image's, but of the place that it is put into.
      const found = index === 0 ? [] : [...walkTree(directory)];
      await put(directory, found, { ...plain, layers: [layer], time: unsettled });
    },
    complete: async (directory) => {
      const added = addedFiles(image.config, image.uri);
      const directories = wantedDirectories(image.config);
      const time = timeOf(image, settings);
      const found = [...walkTree(directory)];
      await put(directory, found, { ...plain, added, directories, time });
      for (const { path, type, mtime } of found) {
        if (type === "directory" && mtime === unsettled) utimesSync(bytePath(directory, path), time, time);
      }
    },
  };
}

/**
 * What each layer is known by together with all below it (OCI image specification, config.md, "Layer ChainID").
 * @param diffIds `sha256:…`, bottom first
 */
export function chainIds(diffIds: readonly string[]): string[] {
  const ids: string[] = [];
  for (const diffId of diffIds) {
    const below = ids.at(-1);
    const text = `sha256:${below} ${diffId}`;
    ids.push(
      below === undefined ? diffId.replace("sha256:", "") : createHash("sha256").update(text).digest("hex"),
    );
  }
  return ids;
}

/** Returns what gives directories the time again that they have now. */
function keepTimes(directory: string, paths: readonly string[]): () => void {
  const places = paths.map((path) => bytePath(directory, path));
  const times = places.map((place) => ({ place, stat: lstatSync(place) }));
  return () => {
    for (const { place, stat } of times) utimesSync(place, stat.atimeMs / 1000, stat.mtimeMs / 1000);
  };
}

/** Files that may go under all of their names get another one while the layer is unpacked. */
function linkAside(directory: string, aside: string, paths: readonly string[]): void {
  try {
    mkdirSync(join(directory, aside), 0o700);
    for (const [index, path] of paths.entries())
      linkSync(bytePath(directory, path), join(directory, aside, String(index)));
  } catch (cause) {
    throw new EnrootError("Tool", `Could not link in ${directory}: ${describeErrno(cause)}`, { cause });
  }
}
