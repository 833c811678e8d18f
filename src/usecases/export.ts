// SPDX-License-Identifier: Apache-2.0
import { resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { scratchFile } from "../system/scratch.ts";
import { refuseOutput } from "./output-file.ts";
import { requirePacker, writeTree } from "./tree-squashfs.ts";

/** What `enroot export` is asked for. */
export interface ExportRequest {
  readonly settings: Settings;
  readonly name: string;
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
  output,
  format,
  force,
}: ExportRequest): Promise<void> {
  checkFormat(format ?? "sqsh");
  const container = parseContainerName(name);
  const target = resolve(output ?? `${container}.sqsh`);
  const program = requirePacker();
  const store = await openStore(settings.storageBackend, settings.dataPath);
  const rootfs = await store.rootfs(container);
  refuseOutput(target, force);
  await openLog();
  await using file = scratchFile(target);
  log.info("Creating squashfs filesystem...");
  await writeTree({ program, rootfs, path: file.path, target, settings });
  file.commit(force);
}

function checkFormat(format: string): void {
  if (format === "sqsh") return;
  if (format !== "zfs") throw new EnrootError("Usage", `Invalid format: ${format} (sqsh and zfs exist)`);
  throw new EnrootError("Unsupported", "Only the ZFS store has images of format zfs", {
    hint: "use --format sqsh or ENROOT_STORAGE_BACKEND=zfs",
  });
}
