// SPDX-License-Identifier: Apache-2.0
import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { headLength, type ImageKind, imageKind } from "../image/kind.ts";
import type { Content, Store } from "../store/store.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";

/** First bytes of a file: enough to tell what it is. @throws when it is unreadable */
export function headOfFile(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(headLength);
    return head.subarray(0, readSync(fd, head, 0, headLength, 0));
  } finally {
    closeSync(fd);
  }
}

/** Kind of the image file at `path`; undefined when there is no regular file. @throws EnrootError when it is unreadable */
export function probeImage(path: string): ImageKind | undefined {
  try {
    if (!statSync(path).isFile()) return undefined;
    return imageKind(headOfFile(path));
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(errnoOf(cause) ?? "")) return undefined;
    throw new EnrootError("Tool", `Could not read ${path}: ${describeErrno(cause)}`, { cause });
  }
}

/** An image file. */
export interface ImageFile {
  /** Absolute, resolved. */
  readonly path: string;
  readonly kind: Exclude<ImageKind, "unknown">;
}

/** Finds an image file. @throws EnrootError NotFound when it is missing, Usage when it is no image */
export function resolveImage(image: string): ImageFile {
  const path = resolve(image);
  const kind = probeImage(path);
  if (kind === undefined) throw new EnrootError("NotFound", `No such file or directory: ${path}`);
  if (kind !== "unknown") return { path: realpathSync(path), kind };
  if (path.endsWith(".zfs")) throw new EnrootError("Corrupt", `Not a stream of ZFS: ${path}`);
  throw new EnrootError("Usage", `Invalid image format: ${path}`, { hint: "a squashfs image is needed" });
}

/**
 * Absolute, resolved path of a squashfs image.
 * @throws EnrootError NotFound when it is missing, Usage when it is no image, Unsupported when only the ZFS store takes it
 */
export function requireSquashfs(image: string): string {
  const { path, kind } = resolveImage(image);
  if (kind === "squashfs") return path;
  throw onlyZfs(path);
}

function onlyZfs(path: string): EnrootError {
  return new EnrootError("Unsupported", `Only the ZFS store can use this image: ${path}`, {
    hint: "import it again with --format squashfs",
  });
}

/**
 * What containers of an image file are made of. A pointer's image is fetched only when its template is gone.
 * @throws EnrootError Unsupported when the store does not take such files, Corrupt, Tool
 */
export async function openImageFile(
  { path, kind }: ImageFile,
  settings: Settings,
  store: Store,
): Promise<Content> {
  if (kind === "squashfs") return (await import("./squashfs-content.ts")).squashfsContent(path, settings);
  if (store.templates === undefined) throw onlyZfs(path);
  if (kind === "stream") return (await import("./stream-content.ts")).streamContent(path, settings);
  return (await import("./pointer-content.ts")).pointerContent(path, settings);
}
