// SPDX-License-Identifier: Apache-2.0
// The first record of what `zfs send` writes: struct dmu_replay_record with drr_begin, sys/zfs_ioctl.h of OpenZFS.
// A stream is refused by this record alone when it could be anything but one file system: properties, several datasets
// and volumes come in other kinds of streams.
import { EnrootError } from "../errors.ts";

/** What the first record says. */
export interface StreamHead {
  /** Number of the snapshot that it gives. */
  readonly toGuid: bigint;
  /** Number of the snapshot that it builds on; 0: none, the stream is a whole file system. */
  readonly fromGuid: bigint;
}

/** How many bytes `parseStreamHead` looks at: up to the name of the snapshot. */
export const streamHeadLength = 56;

/** DMU_BACKUP_MAGIC */
const magic = 0x2f5bacbacn;
/** DMU_SUBSTREAM, the kind without properties, and DMU_OST_ZFS, a file system. */
const substream = 1n;
const fileSystem = 2;
/** DMU_BACKUP_FEATURE_RAW: encrypted blocks, of no use without a key. */
const raw = 1n << 24n;

/** Whether bytes begin as a stream does. */
export function isStream(head: Uint8Array): boolean {
  const view = Buffer.from(head);
  return view.length >= 16 && view.readUInt32LE(0) === 0 && view.readBigUInt64LE(8) === magic;
}

/**
 * Parses the first record.
 * @param what the file's name, for messages
 * @throws EnrootError Corrupt, Unsupported
 */
export function parseStreamHead(head: Uint8Array, what: string): StreamHead {
  const view = Buffer.from(head);
  if (view.length < streamHeadLength || !isStream(view))
    throw new EnrootError("Corrupt", `Not a stream of ZFS: ${what}`);
  const version = view.readBigUInt64LE(16);
  if ((version & 3n) !== substream || view.readUInt32LE(32) !== fileSystem)
    throw new EnrootError("Unsupported", `Not a stream of one ZFS file system: ${what}`, {
      hint: "make it with enroot export --format=zfs",
    });
  if (((version >> 2n) & raw) !== 0n)
    throw new EnrootError("Unsupported", `The stream is of an encrypted file system: ${what}`);
  return { toGuid: view.readBigUInt64LE(40), fromGuid: view.readBigUInt64LE(48) };
}
