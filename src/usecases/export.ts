// SPDX-License-Identifier: Apache-2.0
import { resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import type { ContainerName, Store } from "../store/store.ts";
import { openStore } from "../store/table.ts";
import { scratchFile } from "../system/scratch.ts";
import { refuseOutput } from "./output-file.ts";
import { requirePacker, writeTree } from "./tree-squashfs.ts";

/** What `enroot export` is asked for. */
export interface ExportRequest {
  readonly settings: Settings;
  readonly name: string;
  /** Another machine to make the container on instead of a file: `zfs://…`. */
  readonly peer: string | undefined;
  readonly output: string | undefined;
  readonly format: string | undefined;
  readonly force: boolean;
}

/**
 * Makes an image file of a container as it is now.
 * @throws EnrootError with nothing new under the file's name
 */
export async function exportContainer({
  settings,
  name,
  peer,
  output,
  format,
  force,
}: ExportRequest): Promise<void> {
  const container = parseContainerName(name);
  if (peer !== undefined)
    return (await import("./peer.ts")).pushContainer({ settings, uri: peer, name: container });
  const extension = extensionOf(format ?? "sqsh");
  const target = resolve(output ?? `${container}.${extension}`);
  const store = await openStore(settings);
  if (extension !== "sqsh") return exportStream({ store, container, target, force });
  const program = requirePacker();
  const rootfs = await store.rootfs(container);
  refuseOutput(target, force);
  await openLog();
  await using file = scratchFile(target);
  log.info("Creating squashfs filesystem...");
  await writeTree({ program, rootfs, path: file.path, target, settings });
  file.commit(force);
}

function extensionOf(format: string): "sqsh" | "zfs" {
  if (format === "sqsh" || format === "zfs") return format;
  throw new EnrootError("Usage", `Invalid format: ${format} (sqsh and zfs exist)`);
}

interface StreamExport {
  readonly store: Store;
  readonly container: ContainerName;
  readonly target: string;
  readonly force: boolean;
}

async function exportStream({ store, container, target, force }: StreamExport): Promise<void> {
  if (store.streams === undefined) {
    throw new EnrootError("Unsupported", "Only the ZFS store has images of format zfs", {
      hint: "use --format sqsh or ENROOT_STORAGE_BACKEND=zfs",
    });
  }
  refuseOutput(target, force);
  await using file = scratchFile(target);
  log.info("Creating zfs send stream...");
  await store.streams.send(container, { kind: "whole" }, file.path);
  file.commit(force);
}

/** Writes a container's stream to the standard output, for another enroot. @throws EnrootError */
export async function sendContainer(settings: Settings, name: string): Promise<void> {
  const container = parseContainerName(name);
  const { requireStreams } = await import("./peer.ts");
  await (await requireStreams(settings)).send(container, { kind: "whole" }, 1);
}
