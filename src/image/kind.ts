// SPDX-License-Identifier: Apache-2.0
import { isStream, streamHeadLength } from "./zfs-stream.ts";

/** What a file is, told from its first bytes. */
export type ImageKind = "squashfs" | "pointer" | "stream" | "unknown";

/** How many bytes `imageKind` looks at. */
export const headLength = streamHeadLength;

/** First line of a pointer file. */
export const pointerMagic = "enroot-zfs-image:v1\n";

/** Recognises an image by content: squashfs 4 ("hsqs", little-endian), a pointer file or a stream of the ZFS store. */
export function imageKind(head: Uint8Array): ImageKind {
  const text = Buffer.from(head).toString("latin1");
  if (text.startsWith("hsqs")) return "squashfs";
  if (text.startsWith(pointerMagic)) return "pointer";
  return isStream(head) ? "stream" : "unknown";
}
