// SPDX-License-Identifier: Apache-2.0
import { existsSync, lstatSync, truncateSync } from "node:fs";
import { machine } from "node:os";
import { dirname, resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { parseArchitecture } from "../image/architecture.ts";
import type { ImageSource } from "../image/image-source.ts";
import { writeExact, writeFirst } from "../image/layer/flatten.ts";
import type { Flattening } from "../image/layer/flattening.ts";
import type { ArchiveSink } from "../image/layer/tar-writer.ts";
import { defaultName, parseReference } from "../image/reference.ts";
import { addedFiles, workingDirectory } from "../image/rootfs-files.ts";
import { log, openLog } from "../log.ts";
import { openImage } from "../registry/source.ts";
import { scratchFile } from "../system/scratch.ts";
import { abortSignal } from "../system/signals.ts";
import { openLayerFiles } from "./layer-files.ts";
import { openProgress, type ProgressDisplay } from "./progress.ts";
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
  const fixedTime = parseTime(settings.environment.get("SOURCE_DATE_EPOCH"));
  refuseOutput(output);
  // Missing programs are told of before anything is fetched.
  squashfsCommand({ path: output, target: output, settings, time: 0 });
  await openLog();
  await using file = scratchFile(output);
  const progress = openProgress();
  const image = await openImage({ uri, arch, settings, signal: abortSignal(), onProgress: progress.fetched });
  try {
    await writeImage({ image, path: file.path, target: output, settings, progress, fixedTime });
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
  readonly target: string;
  readonly settings: Settings;
  readonly progress: ProgressDisplay;
  readonly fixedTime: number | undefined;
}

async function writeImage({ image, path, target, settings, progress, fixedTime }: Writing): Promise<void> {
  const created = Date.parse(image.config.created ?? "");
  const time =
    fixedTime ?? (Number.isNaN(created) ? 0 : Math.min(0xffffffff, Math.max(0, Math.floor(created / 1000))));
  const files = openLayerFiles(image, settings);
  const flattening: Flattening = {
    layers: files.sources,
    added: addedFiles(image.config, image.uri),
    workingDir: workingDirectory(image.config),
    time,
    fixedTime,
  };
  const attempt = async <T>(write: (sink: ArchiveSink) => Promise<T>, isGood: (result: T) => boolean) => {
    const squashfs = openSquashfs({ path, target, settings, time });
    try {
      const result = await write((piece) => {
        progress.written(files.progress());
        return squashfs.write(piece);
      });
      await (isGood(result) ? squashfs.finish() : squashfs.abandon());
      return result;
    } catch (error) {
      await squashfs.abandon();
      throw error;
    }
  };
  log.info("Creating squashfs filesystem...");
  const first = await attempt(
    (sink) => writeFirst(flattening, sink),
    ({ exact }) => exact,
  );
  if (first.exact) return;
  log.debug("layers refer to each other: writing the image once more");
  truncateSync(path);
  files.restart();
  await attempt(
    (sink) => writeExact(flattening, first, sink),
    () => true,
  );
}

function parseTime(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const time = Number(text);
  if (/^\d+$/.test(text) && time <= 0xffffffff) return time;
  throw new EnrootError("Usage", `Invalid SOURCE_DATE_EPOCH: ${text}`);
}
