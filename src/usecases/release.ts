// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { openStore } from "../store/table.ts";

/** Takes away the root file system of a start of an image. @param id as the start has it @throws EnrootError */
export async function releaseImage(settings: Settings, id: string): Promise<void> {
  const store = await openStore(settings);
  await store.templates?.release(id);
}
