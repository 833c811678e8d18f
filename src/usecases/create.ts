// SPDX-License-Identifier: Apache-2.0
import { basename } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { failure, run } from "../system/process.ts";
import { requireProgram } from "../system/programs.ts";
import { openPermissions } from "../system/tree.ts";
import { requireSquashfs } from "./image-file.ts";

/** What `enroot create` is asked for. */
export interface CreateRequest {
  readonly settings: Settings;
  readonly image: string;
  readonly name: string | undefined;
  readonly force: boolean;
}

/**
 * Unpacks an image file as a container.
 * @throws EnrootError with nothing left behind
 */
export async function createContainer({ settings, image, name, force }: CreateRequest): Promise<void> {
  const file = requireSquashfs(image);
  const container = parseContainerName(name ?? basename(image).replace(/\.(sqsh|zfs)$/, ""));
  const unsquashfs = requireProgram("unsquashfs", "squashfs-tools");
  const store = await openStore(settings.storageBackend, settings.dataPath);
  await openLog();
  await store.create({
    name: container,
    force,
    fill: async (directory) => {
      log.info("Extracting squashfs filesystem...");
      await unpack({ unsquashfs, file, directory, settings });
      await openPermissions(directory);
    },
  });
}

interface Unpacking {
  readonly unsquashfs: string;
  readonly file: string;
  readonly directory: string;
  readonly settings: Settings;
}

async function unpack({ unsquashfs, file, directory, settings }: Unpacking): Promise<void> {
  const terminal = process.stderr.isTTY === true;
  // -user-xattrs: file capabilities and the like have no meaning for files that the caller owns.
  const options = ["-user-xattrs", "-processors", String(settings.maxProcessors), "-f", "-d", directory];
  if (!terminal) options.push("-no-progress");
  const outcome = await run({ argv: [unsquashfs, ...options, file] });
  if (outcome.status === 0 && !outcome.signal) return;
  if (onlyDevicesMissing(outcome.stderr)) return;
  if (/no space left|disk quota exceeded/i.test(outcome.stderr)) {
    throw new EnrootError("Tool", `No space left to unpack ${file} in ${settings.dataPath}`, {
      hint: "free some, or set ENROOT_DATA_PATH to another file system",
    });
  }
  throw failure(unsquashfs, outcome);
}

/** Device nodes are not wanted, and only root could make them; unsquashfs counts each as a failure. */
function onlyDevicesMissing(stderr: string): boolean {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return lines.length > 0 && lines.every((line) => /because you're not superuser!$/.test(line.trim()));
}
