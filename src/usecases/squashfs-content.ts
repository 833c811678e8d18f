// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { log, openLog } from "../log.ts";
import type { Content } from "../store/store.ts";
import { hashFile } from "../system/file-hash.ts";
import { openPermissions } from "../system/tree.ts";
import { requireUnsquashfs, unpackSquashfs } from "./unpacking.ts";

/** A squashfs file. @throws EnrootError Tool when the program that unpacks it is missing */
export function squashfsContent(file: string, settings: Settings): Content {
  const program = requireUnsquashfs();
  return {
    identify: async () => ({ key: (await hashFile(file)).digest("hex") }),
    fill: async (directory) => {
      await openLog();
      log.info("Extracting squashfs filesystem...");
      await unpackSquashfs({ program, file, directory, settings });
      await openPermissions(directory);
    },
  };
}
