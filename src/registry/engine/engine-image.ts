// SPDX-License-Identifier: Apache-2.0
// dockerd:// and podman://: an image of a container engine as an ImageSource. The engine saves it, which makes nothing
// in there that would have to be taken away again.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { digestOf } from "../../image/digest.ts";
import type { ImageSource } from "../../image/image-source.ts";
import { openByteStream } from "../../image/layer/byte-stream.ts";
import { openTar } from "../../image/layer/tar-reader.ts";
import { checkLayers, configLimit, parseImageConfig } from "../../image/oci-config.ts";
import { parseEngineReference } from "../../image/reference.ts";
import {
  findMember,
  parseSavedManifest,
  type SavedMember,
  type SavedMembers,
  savedManifestLimit,
} from "../../image/saved-image.ts";
import { log } from "../../log.ts";
import { scratchFile } from "../../system/scratch.ts";
import type { ImageRequest } from "../source.ts";
import { type Engine, type EngineScheme, openEngine } from "./engine.ts";

/** Has an engine save an image, after fetching it if need be. @throws EnrootError Usage, Tool, Corrupt, Unsupported */
export async function openEngineImage(scheme: EngineScheme, request: ImageRequest): Promise<ImageSource> {
  const { uri, arch, settings } = request;
  const image = parseEngineReference(uri);
  const engine = openEngine(scheme, settings);
  await using undo = new AsyncDisposableStack();
  log.info("Fetching image");
  if ((await engine.find(image)) === undefined) {
    undo.defer(() => engine.remove(image));
    await engine.pull(image, arch);
  }
  const path = await save(engine, image, settings.tempPath, undo);
  const source = await readSaved(path, uri);
  if (source.config.architecture !== "" && source.config.architecture !== arch) {
    log.warn(`Image architecture doesn't match the requested one: ${source.config.architecture} != ${arch}`);
  }
  const kept = undo.move();
  return { ...source, close: () => kept.disposeAsync() };
}

/**
 * What an engine says at once that it knows an image by, in 64 hexadecimal digits: the digest of its configuration, unless
 * the engine keeps images in another form.
 * @throws EnrootError Usage, Tool
 */
export async function recogniseEngineImage(
  scheme: EngineScheme,
  { uri, arch, settings }: ImageRequest,
): Promise<string | undefined> {
  const known = await openEngine(scheme, settings).find(parseEngineReference(uri));
  return known?.arch === arch && known.id !== "" ? known.id : undefined;
}

async function save(
  engine: Engine,
  image: string,
  directory: string,
  undo: AsyncDisposableStack,
): Promise<string> {
  // The name is what it would be; the file is beside it under a hidden one, and never gets it.
  const { path } = undo.use(scratchFile(join(directory, "enroot-image.tar"), 0o600));
  await engine.save(image, path);
  return path;
}

async function readSaved(path: string, uri: string): Promise<Omit<ImageSource, "close">> {
  const members = await readMembers(path);
  const read = (name: string, limit: number): Promise<Buffer> =>
    readMember(path, findMember(members, name, uri), limit);
  const manifest = parseSavedManifest(await read("manifest.json", savedManifestLimit), uri);
  const bytes = await read(manifest.config, configLimit);
  const config = parseImageConfig(bytes, uri);
  const layers = manifest.layers.map((name) => findMember(members, name, uri));
  checkLayers(layers.length, config.diffIds, uri);
  return {
    uri,
    manifestDigest: undefined,
    configDigest: digestOf(bytes),
    config,
    layers,
    layerFile: async (index) => {
      const part = layers[index];
      if (part === undefined) throw new RangeError(`no layer ${index}`);
      return { path, part };
    },
    skipLayers: () => undefined,
  };
}

async function readMembers(path: string): Promise<SavedMembers> {
  const members = new Map<string, SavedMember>();
  const blob = createReadStream(path, { highWaterMark: 1 << 20 });
  try {
    const stream = openByteStream(blob);
    const tar = openTar(stream);
    for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
      const { type, link, stored } = entry;
      members.set(entry.path, { type, link, offset: stream.position(), size: stored });
    }
  } finally {
    blob.destroy();
  }
  return members;
}

async function readMember(path: string, { offset, size }: SavedMember, limit: number): Promise<Buffer> {
  if (size > limit) throw new EnrootError("Corrupt", `A saved image has a description of ${size} bytes`);
  await using file = await open(path, "r");
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, offset);
  return bytes;
}
