// SPDX-License-Identifier: Apache-2.0
import { existsSync, lstatSync, truncateSync, writeFileSync } from "node:fs";
import { machine } from "node:os";
import { dirname, resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { parseArchitecture } from "../image/architecture.ts";
import { isPeerUri } from "../image/peer-uri.ts";
import { formatPointer } from "../image/pointer.ts";
import { imageName } from "../image/reference.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { scratchFile } from "../system/scratch.ts";
import { standardInput } from "../system/standard-input.ts";
import { fixedTimeOf, timeOf, type WantedImage, withImage, writeFlattened } from "./flattened-image.ts";
import { remoteContent } from "./remote-content.ts";
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
  if (isPeerUri(uri)) {
    const { importPeer } = await import("./peer.ts");
    return importPeer({ settings, uri, output: request.output, force: settings.forceOverride });
  }
  const format = formatOf(request);
  const arch = parseArchitecture(request.arch ?? machine());
  const output = resolve(request.output ?? `${imageName(uri)}.sqsh`);
  fixedTimeOf(settings);
  refuseOutput(output);
  if (format === "pointer") return importPointer({ settings, uri, arch, output });
  // Missing programs are told of before anything is fetched.
  squashfsCommand({ path: output, target: output, settings, time: 0 });
  await openLog();
  await using file = scratchFile(output);
  await withImage({ uri, arch, settings }, async (image, progress) => {
    const time = timeOf(image, settings);
    log.info("Creating squashfs filesystem...");
    await writeFlattened({
      image,
      settings,
      progress,
      open: () => openSquashfs({ path: file.path, target: output, settings, time }),
      clear: async () => truncateSync(file.path),
    });
    file.commit(false);
  });
}

function formatOf({ format, settings }: ImportRequest): "pointer" | "squashfs" {
  if (format === undefined) return settings.importFormat;
  if (format === "squashfs") return format;
  if (format !== "pointer")
    throw new EnrootError("Usage", `Invalid format: ${format} (pointer and squashfs exist)`);
  return format;
}

interface PointerImport extends WantedImage {
  readonly output: string;
}

/** The image becomes a template, unless it is one already, and the file says which. */
async function importPointer({ output, ...wanted }: PointerImport): Promise<void> {
  const store = await openStore(wanted.settings);
  if (store.templates === undefined) {
    throw new EnrootError("Unsupported", "Only the ZFS store has pointer files", {
      hint: "use --format squashfs or ENROOT_STORAGE_BACKEND=zfs",
    });
  }
  const content = remoteContent(wanted);
  await openLog();
  await using file = scratchFile(output);
  try {
    const { identity, had } = await store.templates.ensure(content);
    if (had) log.info("The image is there already");
    const { key, uri = wanted.uri, manifestDigest } = identity;
    const imported = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    writeFileSync(file.path, formatPointer({ key, manifestDigest, arch: wanted.arch, uri, imported }));
    file.commit(false);
  } finally {
    await content.close();
  }
}

function refuseOutput(output: string): void {
  if (lstatSync(output, { throwIfNoEntry: false }))
    throw new EnrootError("Exists", `File already exists: ${output}`);
  if (!existsSync(dirname(output)))
    throw new EnrootError("NotFound", `No such directory: ${dirname(output)}`);
}

/** Makes a container of a stream on the standard input, from another enroot. @throws EnrootError */
export async function receiveContainer(settings: Settings, name: string | undefined): Promise<void> {
  if (name === undefined) throw new EnrootError("Usage", "--zfs-recv needs --name");
  const { requireStreams } = await import("./peer.ts");
  const streams = await requireStreams(settings);
  const chunks = standardInput();
  await streams.receive({ name: parseContainerName(name), force: settings.forceOverride, chunks });
}
