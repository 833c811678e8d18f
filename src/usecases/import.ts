// SPDX-License-Identifier: Apache-2.0
import {
  closeSync,
  createReadStream,
  existsSync,
  lstatSync,
  openSync,
  readSync,
  truncateSync,
} from "node:fs";
import { machine } from "node:os";
import { dirname, resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { parseArchitecture } from "../image/architecture.ts";
import type { ImageSource } from "../image/image-source.ts";
import { type Flattening, writeExact, writeFirst } from "../image/layer/flatten.ts";
import type { LayerSource } from "../image/layer/layer-source.ts";
import { defaultName, parseReference } from "../image/reference.ts";
import { addedFiles } from "../image/rootfs-files.ts";
import { log, openLog } from "../log.ts";
import { openImage } from "../registry/source.ts";
import { scratchFile } from "../system/scratch.ts";
import { abortSignal } from "../system/signals.ts";
import { openProgress } from "./progress.ts";
import { openSquashfs, squashfsCommand } from "./squashfs.ts";

/** What `enroot import` is asked for. */
export interface ImportRequest {
  readonly settings: Settings;
  readonly uri: string;
  readonly arch: string | undefined;
  readonly output: string | undefined;
  readonly format: string | undefined;
}

/**
 * Makes an image file of an image in a registry.
 * @throws EnrootError with nothing under the file's name
 */
export async function importImage(request: ImportRequest): Promise<void> {
  const { settings, uri } = request;
  checkFormat(request);
  const arch = parseArchitecture(request.arch ?? machine());
  const output = resolve(request.output ?? `${nameOf(uri)}.sqsh`);
  refuseOutput(output);
  // Missing programs are told of before anything is fetched.
  squashfsCommand({ path: output, settings, time: 0 });
  await openLog();
  await using file = scratchFile(output);
  const progress = openProgress();
  const image = await openImage({ uri, arch, settings, signal: abortSignal(), onProgress: progress.show });
  try {
    await writeImage({ image, path: file.path, settings });
    progress.finish();
    file.commit(false);
  } finally {
    progress.finish();
    await image.close();
  }
}

function checkFormat({ format, settings }: ImportRequest): void {
  if (format === undefined || format === "squashfs") return;
  if (format !== "pointer")
    throw new EnrootError("Usage", `Invalid format: ${format} (pointer and squashfs exist)`);
  if (settings.storageBackend === "dir") {
    throw new EnrootError("Unsupported", "Only the ZFS store has pointer files", {
      hint: "use --format squashfs or ENROOT_STORAGE_BACKEND=zfs",
    });
  }
}

/** Default name of the image file. For schemes without references it is not needed: opening them fails. */
function nameOf(uri: string): string {
  return uri.startsWith("docker://") ? defaultName(parseReference(uri)) : "image";
}

function refuseOutput(output: string): void {
  if (lstatSync(output, { throwIfNoEntry: false }))
    throw new EnrootError("Exists", `File already exists: ${output}`);
  if (!existsSync(dirname(output)))
    throw new EnrootError("NotFound", `No such directory: ${dirname(output)}`);
}

interface Writing {
  readonly image: ImageSource;
  readonly path: string;
  readonly settings: Settings;
}

async function writeImage({ image, path, settings }: Writing): Promise<void> {
  const fixedTime = parseTime(settings.environment.get("SOURCE_DATE_EPOCH"));
  const created = Date.parse(image.config.created ?? "");
  const time =
    fixedTime ?? (Number.isNaN(created) ? 0 : Math.min(0xffffffff, Math.max(0, Math.floor(created / 1000))));
  const flattening: Flattening = {
    layers: image.layers.map((_, index) => layerSource(image, index)),
    added: addedFiles(image.config, image.uri),
    workingDir: image.config.workingDir,
    time,
    fixedTime,
  };
  log.info("Creating squashfs filesystem...");
  const first = openSquashfs({ path, settings, time });
  try {
    const pass = await writeFirst(flattening, first.write);
    if (pass.exact) return await first.finish();
    await first.abandon();
    log.debug("layers refer to each other: writing the image once more");
    truncateSync(path);
    const second = openSquashfs({ path, settings, time });
    try {
      await writeExact(flattening, pass, second.write);
      await second.finish();
    } catch (error) {
      await second.abandon();
      throw error;
    }
  } catch (error) {
    await first.abandon();
    throw error;
  }
}

function parseTime(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const time = Number(text);
  if (/^\d+$/.test(text) && time <= 0xffffffff) return time;
  throw new EnrootError("Usage", `Invalid SOURCE_DATE_EPOCH: ${text}`);
}

function layerSource(image: ImageSource, index: number): LayerSource {
  const diffId = image.config.diffIds[index];
  if (diffId === undefined) throw new EnrootError("Corrupt", `No digest for layer ${index}: ${image.uri}`);
  return {
    diffId,
    open: async () => {
      const path = await image.layerFile(index);
      const head = Buffer.alloc(4);
      const fd = openSync(path, "r");
      const count = readSync(fd, head, 0, head.length, 0);
      closeSync(fd);
      return { blob: createReadStream(path, { highWaterMark: 1 << 20 }), head: head.subarray(0, count) };
    },
  };
}
