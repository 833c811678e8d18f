// SPDX-License-Identifier: Apache-2.0
import { closeSync, openSync, statSync, writeFileSync, writeSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { openByteStream } from "../image/layer/byte-stream.ts";
import { splitPath } from "../image/layer/layer-path.ts";
import { writeDirectory, writeMember } from "../image/layer/member-writer.ts";
import type { TarEntry } from "../image/layer/tar-entry.ts";
import { openTar, type TarReader } from "../image/layer/tar-reader.ts";
import { openTarWriter, type TarWriter } from "../image/layer/tar-writer.ts";
import { log, openLog } from "../log.ts";
import { hashFile } from "../system/file-hash.ts";
import { failure, outputOf, spawnPiped } from "../system/process.ts";
import { findProgram, requireProgram } from "../system/programs.ts";
import { scratchFile } from "../system/scratch.ts";
import { type BundleFile, bundleFiles } from "./bundle-files.ts";
import { bundleHeader } from "./bundle-header.ts";
import { fixedTimeOf } from "./flattened-image.ts";
import { requireSquashfs } from "./image-file.ts";
import { refuseOutput } from "./output-file.ts";

/** What `enroot bundle` is asked for. */
export interface BundleRequest {
  readonly settings: Settings;
  readonly image: string;
  readonly output: string | undefined;
  readonly target: string | undefined;
  readonly description: string | undefined;
  readonly version: string;
  readonly all: boolean;
  readonly checksum: boolean;
  readonly force: boolean;
}

/**
 * Makes one file of an image that extracts and runs itself.
 * @throws EnrootError with nothing new under the file's name
 */
export async function bundleImage(request: BundleRequest): Promise<void> {
  const { settings, force } = request;
  const image = requireSquashfs(request.image);
  const output = resolve(request.output ?? `${basename(image).replace(/\.sqsh$/, "")}.run`);
  const target = request.target ?? basename(output).replace(/\.run$/, "");
  const reader = requireProgram("sqfs2tar", "squashfs-tools-ng");
  const gzip = gzipProgram(settings);
  const files = bundleFiles(settings, request.all);
  refuseOutput(output, force);
  await openLog();
  await using file = scratchFile(output, 0o777);
  const { description = "", version } = request;
  const about = { description, target, version, sha256: request.checksum ? "0".repeat(64) : undefined };
  const head = bundleHeader({ ...about, size: 0, unpacked: 0 }, settings.libraryPath);
  writeFileSync(file.path, head);
  log.info("Generating bundle...");
  const unpacked = await writeArchive({ image, reader, gzip, files, path: file.path, settings });
  const sha256 = request.checksum ? (await hashFile(file.path, head.length)).digest("hex") : undefined;
  const size = statSync(file.path).size - head.length;
  overwrite(file.path, bundleHeader({ ...about, sha256, size, unpacked }, settings.libraryPath));
  file.commit(force);
}

/** pigz uses all processors; every machine that runs a bundle has what reads either. */
function gzipProgram({ gzipProgram: own }: Settings): string {
  if (own?.startsWith("/")) return own;
  return own === undefined
    ? (findProgram("pigz") ?? requireProgram("gzip", "gzip"))
    : requireProgram(own, own);
}

interface Archiving {
  readonly image: string;
  readonly reader: string;
  readonly gzip: string;
  readonly files: readonly BundleFile[];
  readonly path: string;
  readonly settings: Settings;
}

/** Adds the archive to the file. Returns the bytes of all files in it. */
async function writeArchive(archiving: Archiving): Promise<number> {
  const { image, reader, gzip, files, path, settings } = archiving;
  const sink = spawnPiped({ argv: [gzip, "-n", "-c"], output: path });
  try {
    const tar = openTarWriter(sink.write);
    const archive = openTar(openByteStream(outputOf({ argv: [reader, image] })));
    const fixedTime = fixedTimeOf(settings);
    const unpacked = (await copyImage(archive, tar, fixedTime)) + (await addFiles(files, tar, fixedTime));
    await tar.end();
    const outcome = await sink.end();
    if (outcome.status !== 0) throw failure(gzip, outcome);
    return unpacked;
  } catch (error) {
    await sink.kill();
    throw error;
  }
}

async function copyImage(archive: TarReader, tar: TarWriter, fixedTime: number | undefined): Promise<number> {
  let unpacked = 0;
  for (let entry = await archive.next(); entry !== undefined; entry = await archive.next()) {
    if (isDropped(entry)) continue;
    unpacked += entry.size;
    const path = entry.path.replace(/\/+$/, "");
    await writeMember({ tar, entry, path, data: archive.data, fixedTime, modeMask: 0o1777 });
  }
  return unpacked;
}

/** Devices are the host's to give, and an old bundle's directory is not this one's. */
function isDropped({ path, type }: TarEntry): boolean {
  const [first, second] = splitPath(path);
  return (
    type === "device" || first === ".enroot" || first === ".lock" || (first === "dev" && second !== undefined)
  );
}

async function addFiles(
  files: readonly BundleFile[],
  tar: TarWriter,
  fixedTime: number | undefined,
): Promise<number> {
  const directories = new Set([".enroot", ".enroot/etc", ".enroot/etc/system", ".enroot/etc/user"]);
  for (const { path } of files) directories.add(path.slice(0, path.lastIndexOf("/")));
  for (const path of [...directories].sort()) await writeDirectory(tar, path, fixedTime ?? 0);
  for (const { path, mode, mtime, content } of files) {
    const size = content.length;
    await tar.header({
      type: "file",
      path,
      link: "",
      mode,
      mtime: fixedTime ?? mtime,
      size,
      xattrs: new Map(),
    });
    await tar.data(content);
    await tar.pad(size);
  }
  return files.reduce((sum, { content }) => sum + content.length, 0);
}

function overwrite(path: string, head: Buffer): void {
  const fd = openSync(path, "r+");
  try {
    for (let at = 0; at < head.length; ) at += writeSync(fd, head, at, head.length - at, at);
  } finally {
    closeSync(fd);
  }
}
