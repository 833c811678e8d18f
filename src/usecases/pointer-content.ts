// SPDX-License-Identifier: Apache-2.0
import { closeSync, openSync, readSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { type Pointer, parsePointer, pointerLimit } from "../image/pointer.ts";
import { openLog } from "../log.ts";
import type { Content } from "../store/store.ts";

/** What a pointer file points to: its template, or, where that is gone, the image that it was made of. */
export function pointerContent(file: string, settings: Settings): Content {
  const pointer = readPointer(file);
  const { key, uri, arch, manifestDigest } = pointer;
  let close = async (): Promise<void> => {};
  return {
    identify: async () => ({ key, uri, arch, manifestDigest }),
    fill: async (directory) => {
      await openLog();
      const { identityOf, remoteContent } = await import("./remote-content.ts");
      const remote = remoteContent({ uri, arch, settings });
      close = remote.close;
      const image = await remote.open();
      if (identityOf(image, arch).key !== key) {
        throw new EnrootError("Corrupt", `${uri} is another image than when ${file} was made of it`, {
          hint: "delete the file and import again",
        });
      }
      await remote.fill(directory);
    },
    close: () => close(),
  };
}

function readPointer(file: string): Pointer {
  const fd = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(pointerLimit + 1);
    return parsePointer(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)).toString(), file);
  } finally {
    closeSync(fd);
  }
}
