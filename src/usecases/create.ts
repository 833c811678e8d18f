// SPDX-License-Identifier: Apache-2.0
import { basename } from "node:path";
import type { Settings } from "../config/settings.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { openPermissions } from "../system/tree.ts";
import { requireSquashfs } from "./image-file.ts";
import { requireUnsquashfs, unpackSquashfs } from "./unpacking.ts";

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
  const container = parseContainerName(name ?? basename(file).replace(/\.(sqsh|zfs)$/, ""));
  const program = requireUnsquashfs();
  const store = await openStore(settings.storageBackend, settings.dataPath);
  await openLog();
  await store.create({
    name: container,
    force,
    fill: async (directory) => {
      log.info("Extracting squashfs filesystem...");
      await unpackSquashfs({ program, file, directory, settings });
      await openPermissions(directory);
    },
  });
}
