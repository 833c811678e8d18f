// SPDX-License-Identifier: Apache-2.0
// How a member of a layer stands in the archive that an image file is made from.
import { EnrootError } from "../../errors.ts";
import { splitPath } from "./layer-path.ts";
import type { TarEntry } from "./tar-entry.ts";
import type { TarReader } from "./tar-reader.ts";
import type { TarWriter } from "./tar-writer.ts";

/** A member, and the name it gets. */
export interface Writing {
  readonly tar: TarWriter;
  readonly entry: TarEntry;
  readonly path: string;
  /** Its stored data. */
  readonly data: TarReader["data"];
  /** A time that it gets instead of its own. */
  readonly fixedTime: number | undefined;
}

/** Writes a member, with its data if it is a file. */
export async function writeMember({ tar, entry, path, data, fixedTime }: Writing): Promise<void> {
  await tar.header({
    ...entry,
    path: path === "" ? "./" : path,
    link: entry.type === "hardlink" ? splitPath(entry.link).join("/") : entry.link,
    mode: usableMode(entry),
    mtime: fixedTime ?? entry.mtime,
    xattrs: new Map([...entry.xattrs].filter(([name]) => isKept(name))),
  });
  if (entry.type !== "file") return;
  if (entry.sparse) await writeSparse(tar, entry, data);
  else for await (const piece of data()) await tar.data(piece);
  await tar.pad(entry.size);
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
function isKept(name: string): boolean {
  return name === "security.capability" || (name.startsWith("user.") && !name.startsWith("user.overlay."));
}

async function writeSparse(
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
