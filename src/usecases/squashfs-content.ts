// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { log, openLog } from "../log.ts";
import type { Content } from "../store/store.ts";
import { openPermissions } from "../system/tree.ts";
import { fileKey } from "./file-key.ts";
import { requireUnsquashfs, unpackSquashfs } from "./unpacking.ts";

/** A squashfs file. @throws EnrootError Tool when the program that unpacks it is missing */
export function squashfsContent(file: string, settings: Settings): Content {
  const program = requireUnsquashfs();
  return {
    identify: async () => ({ key: await fileKey(file, settings.cachePath) }),
    fill: async (directory) => {
      await openLog();
      log.info("Extracting squashfs filesystem...");
      await unpackSquashfs({ program, file, directory, settings });
      await openPermissions(directory);
    },
  };
}
