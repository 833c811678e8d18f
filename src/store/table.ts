// SPDX-License-Identifier: Apache-2.0
// The one place that knows which stores there are.
import { ensureDirectory } from "../system/directory.ts";
import type { Store } from "./store.ts";

/** What a store needs to know of the configuration. */
export interface StoreSettings {
  readonly storageBackend: "dir" | "zfs";
  /** ENROOT_DATA_PATH */
  readonly dataPath: string;
  /** Directory of enroot-zfs-mount. */
  readonly helperPath: string;
  /** How long an unused template is kept, in seconds; Infinity: for ever. */
  readonly templateWarmSeconds: number;
  /** Percent of the templates' quota from which unused ones go. */
  readonly templatePressureThreshold: number;
}

/**
 * Opens the store that is configured.
 * @throws EnrootError Usage when its directory cannot be made, or is no ZFS dataset for that store
 */
export async function openStore(settings: StoreSettings): Promise<Store> {
  if (settings.storageBackend === "zfs") return (await import("./zfs/zfs-store.ts")).openZfsStore(settings);
  ensureDirectory(settings.dataPath, "ENROOT_DATA_PATH");
  return (await import("./dir/dir-store.ts")).openDirStore(settings.dataPath);
}
