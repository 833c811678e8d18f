// SPDX-License-Identifier: Apache-2.0
// How a member of a layer stands in the archive that an image file is made from.
import { EnrootError } from "../../errors.ts";
import { showPath, splitPath } from "./layer-path.ts";
import type { SparseRun, TarEntry } from "./tar-entry.ts";
import type { TarReader } from "./tar-reader.ts";
import type { TarWriter } from "./tar-writer.ts";

/** Holes of this size are kept as such; smaller ones become zeros, which the squashfs writer makes holes again. */
const largeHole = 64 << 20;
/** tar2sqfs reads extended headers of 64 KiB: of that, so much is for a map or for attributes. */
const manyRuns = 1000;
const attributesLimit = 48 << 10;
/** A file of more parts is filled with zeros, unless that takes too long. */
const largestFill = 2 ** 36;

/** A member, and the name it gets. */
export interface Writing {
  readonly tar: TarWriter;
  readonly entry: TarEntry;
  readonly path: string;
  /** Its stored data. */
  readonly data: TarReader["data"];
  /** A time that it gets instead of its own. */
  readonly fixedTime: number | undefined;
  readonly modeMask: number;
}

/** Writes a member, with its data if it is a file. */
export async function writeMember({ tar, entry, path, data, fixedTime, modeMask }: Writing): Promise<void> {
  const runs = worthwhileHoles(entry);
  await tar.header({
    ...entry,
    ...(runs === undefined ? {} : { runs }),
    path: path === "" ? "./" : path,
    link: entry.type === "hardlink" ? splitPath(entry.link).join("/") : entry.link,
    mode: usableMode(entry) & modeMask,
    mtime: fixedTime ?? entry.mtime,
    xattrs: keptAttributes(entry),
  });
  if (entry.type !== "file") return;
  if (entry.sparse && runs === undefined) await writeFilled(tar, entry, data);
  else for await (const piece of data()) await tar.data(piece);
  await tar.pad(runs === undefined ? entry.size : entry.stored);
}

/** The runs of a file whose holes are so large that filling them with zeros would take long. */
function worthwhileHoles({ sparse, size, stored }: TarEntry): readonly SparseRun[] | undefined {
  const holes = size - stored;
  if (sparse === undefined || holes < largeHole) return undefined;
  const runs = sparse.filter((run) => run.size > 0);
  if (runs.length <= manyRuns) return runs;
  if (holes <= largestFill) return undefined;
  throw new EnrootError("Unsupported", `A sparse file of ${size} bytes has ${runs.length} parts`);
}

/** Writes a directory that no member is about. */
export async function writeDirectory(tar: TarWriter, path: string, mtime: number): Promise<void> {
  const name = path === "" ? "./" : path;
  await tar.header({
    type: "directory",
    path: name,
    link: "",
    mode: 0o755,
    mtime,
    size: 0,
    xattrs: new Map(),
  });
}

/** Writes one more name of a file that is written already. */
export async function writeLink(tar: TarWriter, path: string, link: string): Promise<void> {
  await tar.header({ type: "hardlink", path, link, mode: 0o644, mtime: 0, size: 0, xattrs: new Map() });
}

/**
 * Root needs no permission for what images have for root alone (/etc/shadow, sudo); whoever runs the container is not
 * root outside of it, and owns all files.
 */
function usableMode({ type, mode }: TarEntry): number {
  if (type === "directory") return mode | 0o700;
  if (type === "file") return mode | (mode & 0o111 ? 0o500 : 0o400);
  return mode;
}

/** Attributes that mean something in an image: a user's own, and file capabilities. */
function keptAttributes({ path, xattrs }: TarEntry): ReadonlyMap<string, string> {
  if (xattrs.size === 0) return xattrs;
  const kept = [...xattrs].filter(
    ([name]) =>
      name === "security.capability" || (name.startsWith("user.") && !name.startsWith("user.overlay.")),
  );
  const bytes = kept.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  if (bytes > attributesLimit)
    throw new EnrootError("Unsupported", `Too large extended attributes of ${showPath(path)}`);
  return new Map(kept);
}

async function writeFilled(
  tar: TarWriter,
  { sparse, size }: TarEntry,
  data: TarReader["data"],
): Promise<void> {
  const pieces = data();
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  for (const run of sparse ?? []) {
    await tar.hole(run.offset - at);
    for (let missing = run.size; missing > 0; ) {
      if (rest.length === 0) rest = (await pieces.next()).value ?? Buffer.alloc(0);
      if (rest.length === 0) throw new EnrootError("Corrupt", "Layer is truncated");
      const piece = rest.subarray(0, missing);
      rest = rest.subarray(piece.length);
      missing -= piece.length;
      await tar.data(piece);
    }
    at = run.offset + run.size;
  }
  await tar.hole(size - at);
}
