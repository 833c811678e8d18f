// SPDX-License-Identifier: Apache-2.0
// Reads tar archives: POSIX ustar and pax (IEEE 1003.1-2024, pax), GNU's extensions (tar manual, "Basic Tar Format"), v7.
import { EnrootError } from "../../errors.ts";
import type { ByteStream } from "./byte-stream.ts";
import { mergeExtended, type PaxRecords, parsePax } from "./pax.ts";
import { parseSparseHeader, parseSparseText, readGnuRuns, runSizes } from "./sparse.ts";
import { type EntryType, limits, type SparseRun, type TarEntry } from "./tar-entry.ts";

const block = 512;

function corrupt(why: string): EnrootError {
  return new EnrootError("Corrupt", `Invalid layer archive: ${why}`);
}

/** Text of a field up to its first NUL. */
function field(header: Buffer, start: number, length: number): string {
  const nul = header.indexOf(0, start);
  return header.toString("latin1", start, nul < 0 ? start + length : Math.min(nul, start + length));
}

/** A number in octal, or in base 256 when the first bit says so. @throws EnrootError Corrupt */
export function tarNumber(header: Buffer, start: number, length: number): number {
  const first = header[start] ?? 0;
  if (first & 0x80) {
    let value = first & 0x40 ? BigInt(first) - 256n : BigInt(first & 0x7f);
    for (const byte of header.subarray(start + 1, start + length)) value = value * 256n + BigInt(byte);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
      throw corrupt("a number is too large");
    return Number(value);
  }
  const text = field(header, start, length).trim();
  if (!/^[0-7]*$/.test(text)) throw corrupt(`${JSON.stringify(text)} is no number`);
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function checkSum(header: Buffer): void {
  let unsigned = 8 * 32;
  let signed = 8 * 32;
  for (let at = 0; at < block; at++) {
    if (at >= 148 && at < 156) continue;
    const byte = header[at] ?? 0;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stored = tarNumber(header, 148, 8);
  if (stored !== unsigned && stored !== signed) throw corrupt("a header's checksum is wrong");
}

const zeros = Buffer.alloc(block);

/** Headers that say more about the next one, or about all that follow. */
const extended = new Set(["L", "K", "x", "X", "g"]);

const types: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "device",
  "4": "device",
  "5": "directory",
  D: "directory",
  "6": "fifo",
};

/** A reader over one archive. */
export interface TarReader {
  /** The next member, after the data of the one before, whatever was read of it; undefined at the end. @throws EnrootError */
  next(): Promise<TarEntry | undefined>;
  /** Stored data of the current member. */
  data(): AsyncGenerator<Buffer>;
}

/** Opens an archive. */
export function openTar(stream: ByteStream): TarReader {
  const globals: PaxRecords = new Map();
  let unread = 0;
  let padding = 0;

  const readText = async (size: number): Promise<Buffer> => {
    const data = (await stream.exactly(size)) ?? Buffer.alloc(0);
    if (data.length !== size) throw new EnrootError("Corrupt", "Layer is truncated");
    await stream.skip((block - (size % block)) % block);
    return Buffer.from(data);
  };
  const header = async (): Promise<Buffer | undefined> => {
    await stream.skip(unread);
    // Some writers leave out what fills the last block.
    if (padding > 0) await stream.upTo(padding);
    unread = padding = 0;
    const bytes = await stream.exactly(block);
    // One block of zeros ends an archive; some writers forget even that.
    if (bytes === undefined || bytes.equals(zeros)) return undefined;
    checkSum(bytes);
    return Buffer.from(bytes);
  };
  const next = async (): Promise<TarEntry | undefined> => {
    const local: PaxRecords = new Map();
    let held = 0;
    for (;;) {
      const bytes = await header();
      if (bytes === undefined) return undefined;
      const flag = String.fromCharCode(bytes[156] ?? 0);
      const size = tarNumber(bytes, 124, 12);
      if (size < 0) throw corrupt("a size is negative");
      if (extended.has(flag)) held += size;
      if (held > limits.header) throw corrupt(`an extended header has ${held} bytes`);
      if (flag === "L") local.set("path", trimNul(await readText(size)));
      else if (flag === "K") local.set("linkpath", trimNul(await readText(size)));
      else if (flag === "x" || flag === "X") putAll(local, parsePax(await readText(size)));
      else if (flag === "g") putAll(globals, parsePax(await readText(size)), limits.globals);
      else if (flag === "V" || flag === "M" || flag === "N")
        await stream.skip(size + ((block - (size % block)) % block));
      else return describe(bytes, flag, mergeExtended(globals, local));
    }
  };
  const describe = async (bytes: Buffer, flag: string, records: PaxRecords): Promise<TarEntry> => {
    const entry = basicEntry(bytes, flag, records);
    const stored =
      entry.type === "file" ? paxNumber(records, "size", tarNumber(bytes, 124, 12)) : dataAfter(bytes, flag);
    unread = stored;
    padding = (block - (stored % block)) % block;
    if (entry.type !== "file") return { ...entry, stored: 0, size: 0, sparse: undefined };
    return await fileEntry(bytes, flag, records, { ...entry, stored });
  };
  const fileEntry = async (
    bytes: Buffer,
    flag: string,
    records: PaxRecords,
    entry: TarEntry,
  ): Promise<TarEntry> => {
    let sparse: SparseRun[] | undefined;
    let { stored } = entry;
    let size = stored;
    if (flag === "S") {
      sparse = await readGnuRuns(stream, bytes);
      size = tarNumber(bytes, 483, 12);
    } else if (records.get("GNU.sparse.major") === "1") {
      const { runs, length } = await parseSparseText(stream, stored);
      sparse = runs;
      stored -= length;
      unread = stored;
      size = paxNumber(records, "GNU.sparse.realsize", stored);
    } else if (records.has("GNU.sparse.map") || records.has("GNU.sparse.offset")) {
      sparse = parseSparseHeader(records);
      size = paxNumber(records, "GNU.sparse.size", paxNumber(records, "GNU.sparse.realsize", stored));
    }
    if (size > limits.file || size < 0) throw corrupt(`${entry.path} would have ${size} bytes`);
    if (sparse && runSizes(sparse, size) !== stored)
      throw corrupt(`${entry.path} has other data than its map says`);
    return { ...entry, stored, size, sparse };
  };
  return {
    next,
    data: async function* () {
      while (unread > 0) {
        for await (const piece of stream.pieces(unread)) {
          unread -= piece.length;
          yield piece;
        }
      }
    },
  };
}

function putAll(records: PaxRecords, more: PaxRecords, limit = Number.POSITIVE_INFINITY): void {
  for (const [name, value] of more) records.set(name, value);
  if (records.size > limit) throw corrupt("it has too many global headers");
}

function trimNul(text: Buffer): string {
  return text.toString("latin1").replace(/\0+$/, "");
}

/** Members without data may state a size: of links it means the target, of others it is skipped. */
function dataAfter(header: Buffer, flag: string): number {
  return "123456".includes(flag) ? 0 : tarNumber(header, 124, 12);
}

function paxNumber(records: PaxRecords, name: string, fallback: number): number {
  const text = records.get(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw corrupt(`${name} is ${JSON.stringify(text.slice(0, 40))}`);
  return value;
}

function basicEntry(header: Buffer, flag: string, records: PaxRecords): TarEntry {
  const prefix = header.toString("latin1", 257, 263) === "ustar\0" ? field(header, 345, 155) : "";
  const name = field(header, 0, 100);
  const path =
    records.get("GNU.sparse.name") ?? records.get("path") ?? (prefix === "" ? name : `${prefix}/${name}`);
  const type = Object.hasOwn(types, flag) ? types[flag] : undefined;
  if (type === undefined)
    throw corrupt(`${JSON.stringify(path.slice(0, 100))} is of the unknown type ${JSON.stringify(flag)}`);
  if (path.includes("\0")) throw corrupt("a name has a NUL in it");
  return {
    // Old archives mark directories by a slash alone.
    type: type === "file" && path.endsWith("/") ? "directory" : type,
    path,
    link: records.get("linkpath") ?? field(header, 157, 100),
    mode: tarNumber(header, 100, 8) & 0o7777,
    mtime: modificationTime(header, records),
    stored: 0,
    size: 0,
    sparse: undefined,
    xattrs: extendedAttributes(records),
  };
}

/** Whole seconds as squashfs has them: rounded down, held within its 32 bits. */
function modificationTime(header: Buffer, records: PaxRecords): number {
  const text = records.get("mtime");
  const seconds =
    text !== undefined && /^-?\d+(\.\d*)?$/.test(text) ? Number(text) : tarNumber(header, 136, 12);
  return Math.min(0xffffffff, Math.max(0, Math.floor(seconds)));
}

const xattrPrefix = "SCHILY.xattr.";

function extendedAttributes(records: PaxRecords): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of records) {
    if (name.startsWith(xattrPrefix)) found.set(name.slice(xattrPrefix.length), value);
  }
  return found;
}
