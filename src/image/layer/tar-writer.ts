// SPDX-License-Identifier: Apache-2.0
// Writes the archive that an image file is made from: ustar headers, pax where they do not suffice, everything of root.
import type { SparseRun, TarEntry } from "./tar-entry.ts";

const block = 512;
/** Small members are gathered into pieces of this size. */
const batch = 256 << 10;
const zeros = Buffer.alloc(64 << 10);

/** Takes pieces of the archive one after the other, and says when the next may come. */
export type ArchiveSink = (piece: Uint8Array) => Promise<void>;

/** What a header says. */
export interface Header
  extends Pick<TarEntry, "type" | "path" | "link" | "mode" | "mtime" | "size" | "xattrs"> {
  /** Where the data that follows goes, and how much of it there is; what is between is a hole. */
  readonly runs?: readonly SparseRun[];
  readonly stored?: number;
}

/** A writer of one archive. */
export interface TarWriter {
  /** Begins a member; a file's data follows, exactly `size` bytes, or `stored` when it has holes. */
  header(header: Header): Promise<void>;
  data(piece: Uint8Array): Promise<void>;
  /** So many zero bytes of data. */
  hole(size: number): Promise<void>;
  /** Fills up the member's last block. */
  pad(size: number): Promise<void>;
  /** Ends the archive. */
  end(): Promise<void>;
}

const flags: Readonly<Record<TarEntry["type"], string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  directory: "5",
  fifo: "6",
  device: "3",
};

/**
 * Opens an archive.
 * @param sink resolves once it needs the piece no more: its memory is used again
 */
export function openTarWriter(sink: ArchiveSink): TarWriter {
  // One is filled while the other is on its way.
  let slab = Buffer.allocUnsafeSlow(batch);
  let other = Buffer.allocUnsafeSlow(batch);
  let length = 0;
  let sending: Promise<void> = Promise.resolve();

  const send = async (piece: Uint8Array): Promise<void> => {
    await sending;
    sending = sink(piece);
    // Whoever sends next, or ends, gets the error.
    sending.catch(() => {});
  };
  const flush = async (): Promise<void> => {
    if (length === 0) return;
    const piece = slab.subarray(0, length);
    [slab, other] = [other, slab];
    length = 0;
    await send(piece);
  };
  const data = async (piece: Uint8Array): Promise<void> => {
    // Copying costs less than a write of its own, but only up to a point.
    const large = piece.length >= batch / 2;
    if (large || length + piece.length > batch) await flush();
    if (large) return send(piece);
    slab.set(piece, length);
    length += piece.length;
  };
  const hole = async (size: number): Promise<void> => {
    for (let left = size; left > 0; left -= zeros.length)
      await data(zeros.subarray(0, Math.min(left, zeros.length)));
  };
  const pad = async (size: number): Promise<void> => hole((block - (size % block)) % block);
  return {
    header: async (entry) => {
      const records = paxRecords(entry);
      if (records.length > 0) {
        const body = Buffer.concat(records);
        await data(ustar({ path: "pax", link: "", flag: "x", mode: 0o644, mtime: 0, size: body.length }));
        await data(body);
        await pad(body.length);
      }
      const { path, link, mode, mtime, type } = entry;
      const size = type === "file" ? dataSize(entry) : 0;
      await data(ustar({ path, link, flag: flags[type], mode, mtime, size }));
    },
    data,
    hole,
    pad,
    end: async () => {
      await hole(2 * block);
      await flush();
      await sending;
    },
  };
}

interface Ustar {
  readonly path: string;
  readonly link: string;
  readonly flag: string;
  readonly mode: number;
  readonly mtime: number;
  readonly size: number;
}

const largestSize = 0o77777777777;

function ustar({ path, link, flag, mode, mtime, size }: Ustar): Buffer {
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number): void => {
    header.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  };
  header.write(path.slice(0, 100), 0, "latin1");
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(Math.min(size, largestSize), 124, 11);
  octal(mtime, 136, 11);
  header.write(flag, 156, "latin1");
  header.write(link.slice(0, 100), 157, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (let at = 0; at < block; at++) sum += header[at] ?? 0;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

function dataSize({ size, runs, stored }: Header): number {
  return runs === undefined ? size : (stored ?? 0);
}

function paxRecords(header: Header): Buffer[] {
  const { path, link, type, xattrs } = header;
  const size = dataSize(header);
  const records: Buffer[] = sparseRecords(header);
  if (path.length > 100) records.push(record("path", path));
  if (link.length > 100) records.push(record("linkpath", link));
  if (type === "file" && size > largestSize) records.push(record("size", String(size)));
  for (const [name, value] of xattrs) records.push(record(`SCHILY.xattr.${name}`, value));
  return records;
}

/** GNU's format 0.1 (tar manual, "Storing Sparse Files"): the map is a record, and the data is nothing but data. */
function sparseRecords({ path, size, runs }: Header): Buffer[] {
  if (runs === undefined) return [];
  const map = [...runs, { offset: size, size: 0 }];
  return [
    record("GNU.sparse.size", String(size)),
    record("GNU.sparse.numblocks", String(map.length)),
    record("GNU.sparse.name", path),
    record("GNU.sparse.map", map.map((run) => `${run.offset},${run.size}`).join(",")),
  ];
}

/** `LENGTH KEY=VALUE\n`; the length counts its own digits. */
function record(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.from(`${length}${rest}`, "latin1");
}
