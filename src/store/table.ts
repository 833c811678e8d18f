// SPDX-License-Identifier: Apache-2.0
// The one place that knows which stores there are.
import { EnrootError } from "../errors.ts";
import { ensureDirectory } from "../system/directory.ts";
import type { Store } from "./store.ts";

/**
 * Opens the store that is configured.
 * @param data ENROOT_DATA_PATH
 * @throws EnrootError Unsupported, or Usage when the directory cannot be made
 */
export async function openStore(backend: "dir" | "zfs", data: string): Promise<Store> {
  if (backend === "zfs") {
    throw new EnrootError("Unsupported", "Not in this version: ENROOT_STORAGE_BACKEND=zfs", {
      hint: "use dir",
    });
  }
  ensureDirectory(data, "ENROOT_DATA_PATH");
  return (await import("./dir/dir-store.ts")).openDirStore(data);
}
