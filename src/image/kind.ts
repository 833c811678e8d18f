// SPDX-License-Identifier: Apache-2.0

/** What a file is, told from its first bytes. */
export type ImageKind = "squashfs" | "pointer" | "unknown";

/** How many bytes `imageKind` looks at. */
export const headLength = 32;

const pointerMagic = "enroot-zfs-image:v1\n";

/** Recognises an image by content: squashfs 4 ("hsqs", little-endian) or a pointer file of the ZFS store. */
export function imageKind(head: Uint8Array): ImageKind {
  const text = Buffer.from(head).toString("latin1");
  if (text.startsWith("hsqs")) return "squashfs";
  return text.startsWith(pointerMagic) ? "pointer" : "unknown";
}
