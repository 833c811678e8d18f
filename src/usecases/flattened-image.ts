// SPDX-License-Identifier: Apache-2.0
// What import and load share: an image's layers on their way into one file or one directory.
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import type { ImageSource } from "../image/image-source.ts";
import { writeExact, writeFirst } from "../image/layer/flatten.ts";
import type { Flattening } from "../image/layer/flattening.ts";
import type { ArchiveSink } from "../image/layer/tar-writer.ts";
import { addedFiles, wantedDirectories } from "../image/rootfs-files.ts";
import { log } from "../log.ts";
import { openImage } from "../registry/source.ts";
import { abortSignal } from "../system/signals.ts";
import { openLayerFiles } from "./layer-files.ts";
import { openProgress, type ProgressDisplay } from "./progress.ts";

/** What takes an archive of the whole image. */
export interface ArchiveOutput {
  /** Resolves once the piece is needed no more. @throws EnrootError Tool */
  readonly write: ArchiveSink;
  /** Completes what is made of it. @throws EnrootError Tool */
  finish(): Promise<void>;
  /** Stops, whatever has been made. */
  abandon(): Promise<void>;
}

/** An image, and where it goes. */
export interface ImageWriting {
  readonly image: ImageSource;
  readonly settings: Settings;
  readonly progress: ProgressDisplay;
  /** Bits of modes that are kept; all without it. */
  readonly modeMask?: number;
  /** Starts an output. */
  open(): ArchiveOutput;
  /** Takes away what an abandoned output has left. */
  clear(): Promise<void>;
}

/** An image that is wanted, and for which architecture. */
export interface WantedImage {
  readonly uri: string;
  /** OCI name. */
  readonly arch: string;
  readonly settings: Settings;
}

/** An image, and the display of how its download goes. */
export interface OpenImage {
  readonly image: ImageSource;
  readonly progress: ProgressDisplay;
  /** Lets go of both. */
  close(): Promise<void>;
}

/** Opens an image, whose download is shown. @throws EnrootError */
export async function openWanted({ uri, arch, settings }: WantedImage): Promise<OpenImage> {
  const progress = openProgress();
  const image = await openImage({ uri, arch, settings, signal: abortSignal(), onProgress: progress.fetched });
  const close = async (): Promise<void> => {
    progress.finish();
    await image.close();
  };
  return { image, progress, close };
}

/** Opens an image and lets go of it in the end. @throws EnrootError */
export async function withImage(
  wanted: WantedImage,
  use: (image: ImageSource, progress: ProgressDisplay) => Promise<void>,
): Promise<void> {
  const { image, progress, close } = await openWanted(wanted);
  try {
    await use(image, progress);
  } finally {
    await close();
  }
}

/**
 * Writes the image as one archive: once, or a second time when the layers turn out to refer to each other.
 * @throws EnrootError Corrupt, Registry, Tool
 */
export async function writeFlattened({
  image,
  settings,
  progress,
  modeMask = 0o7777,
  ...output
}: ImageWriting): Promise<void> {
  const files = openLayerFiles(image, settings);
  const flattening: Flattening = {
    layers: files.sources,
    added: addedFiles(image.config, image.uri),
    directories: wantedDirectories(image.config),
    time: timeOf(image, settings),
    fixedTime: fixedTimeOf(settings),
    modeMask,
  };
  const show = (): void => progress.written(files.progress());
  const first = await writeOutput(output.open(), {
    show,
    write: (sink) => writeFirst(flattening, sink),
    isGood: ({ exact }) => exact,
  });
  if (first.exact) return;
  log.debug("layers refer to each other: writing the image once more");
  await output.clear();
  files.restart();
  await writeOutput(output.open(), { show, write: (sink) => writeExact(flattening, first, sink) });
}

/** What is written into an output. */
export interface OutputWriting<T> {
  /** Called before each piece. */
  show(): void;
  write(sink: ArchiveSink): Promise<T>;
  /** Whether the output is of use; it is without this. */
  isGood?(result: T): boolean;
}

/** Writes an archive, after which the output is complete or abandoned. @throws whatever `write` throws */
export async function writeOutput<T>(
  output: ArchiveOutput,
  { show, write, isGood = () => true }: OutputWriting<T>,
): Promise<T> {
  try {
    const result = await write((piece) => {
      show();
      return output.write(piece);
    });
    await (isGood(result) ? output.finish() : output.abandon());
    return result;
  } catch (error) {
    await output.abandon();
    throw error;
  }
}

/** Time of what has none of its own, in seconds after 1970: when the image was made. */
export function timeOf(image: ImageSource, settings: Settings): number {
  const fixed = fixedTimeOf(settings);
  const created = Date.parse(image.config.created ?? "");
  if (fixed !== undefined || Number.isNaN(created)) return fixed ?? 0;
  return Math.min(0xffffffff, Math.max(0, Math.floor(created / 1000)));
}

/** SOURCE_DATE_EPOCH, the time of everything (reproducible-builds.org). @throws EnrootError Usage */
export function fixedTimeOf(settings: Settings): number | undefined {
  const text = settings.environment.get("SOURCE_DATE_EPOCH");
  if (!text) return undefined;
  const time = Number(text);
  if (/^\d+$/.test(text) && time <= 0xffffffff) return time;
  throw new EnrootError("Usage", `Invalid SOURCE_DATE_EPOCH: ${text}`);
}
