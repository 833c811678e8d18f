// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { parseStreamHead } from "../image/zfs-stream.ts";
import type { Content } from "../store/store.ts";
import { fileKey } from "./file-key.ts";
import { headOfFile } from "./image-file.ts";

/** A file made by `zfs send`. @throws EnrootError Corrupt, Unsupported */
export function streamContent(file: string, settings: Settings): Content {
  const { fromGuid } = parseStreamHead(headOfFile(file), file);
  if (fromGuid !== 0n)
    throw new EnrootError("Unsupported", `The stream is a difference to another file system: ${file}`);
  return {
    identify: async () => ({ key: await fileKey(file, settings.cachePath) }),
    fill: () =>
      Promise.reject(new EnrootError("Unsupported", `Only the ZFS store can use this image: ${file}`)),
    stream: file,
  };
}
