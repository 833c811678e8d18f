// SPDX-License-Identifier: Apache-2.0
import { basename } from "node:path";
import type { Settings } from "../config/settings.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { openImageFile, resolveImage } from "./image-file.ts";

/** What `enroot create` is asked for. */
export interface CreateRequest {
  readonly settings: Settings;
  readonly image: string;
  readonly name: string | undefined;
  readonly force: boolean;
}

/**
 * Makes a container of an image file.
 * @throws EnrootError with nothing left behind
 */
export async function createContainer({ settings, image, name, force }: CreateRequest): Promise<void> {
  const file = resolveImage(image);
  const container = parseContainerName(name ?? basename(file.path).replace(/\.(sqsh|zfs)$/, ""));
  const store = await openStore(settings);
  const content = await openImageFile(file, settings, store);
  try {
    await store.create({ name: container, force, content });
  } finally {
    await content.close?.();
  }
}
