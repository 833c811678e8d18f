// SPDX-License-Identifier: Apache-2.0
// One member of a layer's archive. Names are bytes, kept as latin1 strings: one character for each.
import { EnrootError } from "../../errors.ts";

/** What a member is. Devices are recognised to be left out. */
export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "fifo" | "device";

/** A run of data in a sparse file. */
export interface SparseRun {
  readonly offset: number;
  readonly size: number;
}

/** A member's metadata. */
export interface TarEntry {
  readonly type: EntryType;
  /** As the archive has it. */
  readonly path: string;
  /** Target of a link, as the archive has it. */
  readonly link: string;
  /** Permission bits, set-id and sticky bits. */
  readonly mode: number;
  /** Seconds after 1970, within 32 bits. */
  readonly mtime: number;
  /** Bytes of data in the archive. */
  readonly stored: number;
  /** Bytes of the file when it is unpacked. */
  readonly size: number;
  /** Where the stored bytes go; undefined: one after the other. */
  readonly sparse: readonly SparseRun[] | undefined;
  /** Values as latin1 strings. */
  readonly xattrs: ReadonlyMap<string, string>;
}

/** Bounds on what an archive may ask for. Real images stay far below all of them. */
export const limits = {
  /** Bytes of the extended headers and long names of one member. */
  header: 1 << 20,
  /** Records that hold for all members. */
  globals: 64,
  /** Bytes of a path: PATH_MAX of Linux. */
  path: 4096,
  /** Bytes of one name: NAME_MAX of Linux, which is squashfs' limit too. */
  name: 255,
  /** Names in a path. */
  depth: 512,
  /** Members of all layers together, and their paths. */
  entries: 4_000_000,
  /** Bytes of all paths and links together. */
  text: 1 << 28,
  /** Names looked up because of links on paths. */
  steps: 50_000_000,
  /** Bytes of a layer's archive. */
  archive: 2 ** 41,
  /** Bytes of a file when it is unpacked, and of all files: a hole costs time too, though no space. */
  file: 2 ** 41,
  total: 2 ** 42,
  /** Runs of a sparse file. */
  runs: 100_000,
} as const;

/** Counts members; what is counted may have so many of so many bytes. @throws EnrootError Corrupt, from what is returned */
export function openTally(what: "Image" | "Layer"): (entry: Pick<TarEntry, "size">) => void {
  let count = 0;
  let total = 0;
  return ({ size }) => {
    count++;
    total += size;
    if (count > limits.entries || total > limits.total)
      throw new EnrootError("Corrupt", `${what} is too large: ${count} files of ${total} bytes`);
  };
}
