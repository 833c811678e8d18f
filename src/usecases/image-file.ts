// SPDX-License-Identifier: Apache-2.0
import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { EnrootError } from "../errors.ts";
import { headLength, type ImageKind, imageKind } from "../image/kind.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";

/** Kind of the image file at `path`; undefined when there is no regular file. @throws EnrootError when it is unreadable */
export function probeImage(path: string): ImageKind | undefined {
  try {
    if (!statSync(path).isFile()) return undefined;
    const fd = openSync(path, "r");
    try {
      const head = Buffer.alloc(headLength);
      return imageKind(head.subarray(0, readSync(fd, head, 0, headLength, 0)));
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errnoOf(cause) ?? "")) return undefined;
    throw new EnrootError("Tool", `Could not read ${path}: ${describeErrno(cause)}`, { cause });
  }
}

/**
 * Absolute, resolved path of a squashfs image.
 * @throws EnrootError NotFound when it is missing, Usage when it is no image, Unsupported when only the ZFS store takes it
 */
export function requireSquashfs(image: string): string {
  const path = resolve(image);
  const kind = probeImage(path);
  if (kind === undefined) throw new EnrootError("NotFound", `No such file or directory: ${path}`);
  if (kind === "squashfs") return realpathSync(path);
  if (kind === "pointer" || path.endsWith(".zfs")) {
    throw new EnrootError("Unsupported", `Only the ZFS store can use this image: ${path}`, {
      hint: "import it again with --format squashfs",
    });
  }
  throw new EnrootError("Usage", `Invalid image format: ${path}`, { hint: "a squashfs image is needed" });
}
