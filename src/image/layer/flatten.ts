// SPDX-License-Identifier: Apache-2.0
// Many layers to one archive, with one decompression of each. Layers are read from the top down, and what no upper layer
// hides by name is written at once. Afterwards a VirtualTree tells from the headers alone whether that was right; it is,
// unless names of one layer go through links of another, or hard links cross layers. Then a second archive is written,
// of exactly what the tree has.
import { EnrootError } from "../../errors.ts";
import type { AddedFile } from "../rootfs-files.ts";
import { type Column, openColumn } from "./column.ts";
import { type LayerIndex, type Member, openLayerIndex } from "./layer-index.ts";
import { changeOf, splitPath } from "./layer-path.ts";
import { type LayerSource, readLayer } from "./layer-source.ts";
import { writeDirectory, writeMember } from "./member-writer.ts";
import { openPathTable, type PathId, type PathTable, rootPath } from "./path-table.ts";
import { limits, type TarEntry } from "./tar-entry.ts";
import type { TarReader } from "./tar-reader.ts";
import { type ArchiveSink, openTarWriter, type TarWriter } from "./tar-writer.ts";
import { openVirtualTree, type VirtualTree, type Visible } from "./virtual-tree.ts";
import { openVisibility } from "./visibility.ts";
import { openWrittenPaths, type WrittenPaths } from "./written-paths.ts";

/** What is flattened. */
export interface Flattening {
  /** Bottom layer first. */
  readonly layers: readonly LayerSource[];
  /** Files that go over all layers. */
  readonly added: readonly AddedFile[];
  /** A directory that exists in the end. */
  readonly workingDir: string;
  /** Time of what has none of its own, in seconds. */
  readonly time: number;
  /** Time of everything instead of its own. */
  readonly fixedTime: number | undefined;
}

/** What the first pass found out. */
export interface FirstPass {
  /** Whether the archive is what it should be. */
  readonly exact: boolean;
  readonly table: PathTable;
  readonly tree: VirtualTree;
}

/** Writes the archive, most likely rightly. */
export async function writeFirst(flattening: Flattening, sink: ArchiveSink): Promise<FirstPass> {
  const tar = openTarWriter(sink);
  const table = openPathTable();
  const visibility = openVisibility(table);
  const written = openWrittenPaths(table);
  const indexes: LayerIndex[] = [];
  let exact = true;
  let count = 0;
  let total = 0;

  for (let layer = flattening.layers.length; layer >= 0; layer--) {
    const members = openLayerIndex(table);
    indexes[layer] = members;
    await readAny(flattening, layer, async (entry, index, data) => {
      total += entry.size;
      if (++count > limits.entries || total > limits.total)
        throw new EnrootError("Corrupt", `Image is too large: ${count} files of ${total} bytes`);
      const member = members.add(changeOf(entry.path), entry.type, entry.link);
      if (!exact || !visibility.shows(member) || isDropped(table, member)) return;
      const origin = originOf(member, { layer, index }, table, written);
      exact = origin !== undefined && written.add(member, origin);
      if (exact) await writeMember({ tar, entry, path: table.textOf(member.path), data, ...flattening });
    });
    visibility.addLayer(members);
  }
  const tree = openVirtualTree(table);
  for (const members of indexes) tree.apply(members);
  tree.makeDirectory(Buffer.from(flattening.workingDir).toString("latin1"));
  exact &&= isSame(written, tree, table);
  if (exact) await finish(tar, flattening, { table, tree });
  return { exact, table, tree };
}

/** Writes the archive of exactly what a first pass found to be visible. */
export async function writeExact(
  flattening: Flattening,
  { table, tree }: Omit<FirstPass, "exact">,
  sink: ArchiveSink,
): Promise<void> {
  const tar = openTarWriter(sink);
  const names = namesByOrigin(table, tree);
  for (let layer = flattening.layers.length; layer >= 0; layer--) {
    await readAny(flattening, layer, async (entry, index, data) => {
      const [first, ...others] = names(layer, index);
      if (first === undefined) return;
      const path = table.textOf(first);
      await writeMember({ tar, entry, path, data, ...flattening });
      const link: TarEntry = { ...entry, type: "hardlink", link: path, xattrs: new Map() };
      for (const other of others)
        await writeMember({ tar, entry: link, path: table.textOf(other), data, ...flattening });
    });
  }
  await finish(tar, flattening, { table, tree });
}

type Visit = (entry: TarEntry, index: number, data: TarReader["data"]) => Promise<void>;

/** A layer of the image, or above them the files that are added. */
async function readAny({ layers, added, time }: Flattening, layer: number, visit: Visit): Promise<void> {
  const source = layers[layer];
  if (source) return readLayer(source, visit);
  for (const [index, { path, content, mode }] of added.entries()) {
    const data = Buffer.from(content);
    const size = data.length;
    const plain = { link: "", mtime: time, stored: size, sparse: undefined, xattrs: new Map() };
    await visit({ ...plain, type: "file", path, mode, size }, index, async function* () {
      yield data;
    });
  }
}

/** Devices are the host's to give; whatever a layer has in /dev is hidden by it. */
function isDropped(table: PathTable, { kind, path }: Pick<Member, "kind" | "path">): boolean {
  return kind === "device" || isInDev(table, path);
}

function isInDev(table: PathTable, path: PathId): boolean {
  const dev = table.find(rootPath, "dev");
  if (dev === undefined) return false;
  for (let at = path; at !== rootPath && at >= dev; at = table.parentOf(at)) {
    if (table.parentOf(at) === dev) return true;
  }
  return false;
}

type Origin = NonNullable<Visible["origin"]>;

/** The member that a name's data is of; for a hard link its target's, if that is written from the same layer. */
function originOf(
  { kind, link }: Member,
  own: Origin,
  table: PathTable,
  written: WrittenPaths,
): Origin | undefined {
  if (kind !== "hardlink") return own;
  let target: PathId | undefined = rootPath;
  for (const name of splitPath(link)) target = target === undefined ? target : table.find(target, name);
  const origin = target === undefined ? undefined : written.originOf(target);
  return origin?.layer === own.layer ? origin : undefined;
}

/** Whether what was written by name is what is visible. */
function isSame(written: WrittenPaths, tree: VirtualTree, table: PathTable): boolean {
  let count = 0;
  for (const { path, origin } of tree.visible()) {
    if (origin === undefined || isInDev(table, path)) continue;
    const found = written.originOf(path);
    if (found?.layer !== origin.layer || found.index !== origin.index) return false;
    count++;
  }
  return count === written.count;
}

/** Looks up under which names a member is visible. */
function namesByOrigin(table: PathTable, tree: VirtualTree): (layer: number, index: number) => PathId[] {
  const first: Column[] = [];
  const others = new Map<PathId, PathId[]>();
  for (const { path, origin } of tree.visible()) {
    if (origin === undefined || isInDev(table, path)) continue;
    const column = first[origin.layer] ?? openColumn();
    first[origin.layer] = column;
    const known = column.get(origin.index) - 1;
    if (known < 0) column.set(origin.index, path + 1);
    else others.set(known, [...(others.get(known) ?? []), path]);
  }
  return (layer, index) => {
    const path = (first[layer]?.get(index) ?? 0) - 1;
    return path < 0 ? [] : [path, ...(others.get(path) ?? [])];
  };
}

/** Writes the directories that no member is about, and ends the archive. */
async function finish(
  tar: TarWriter,
  { time, fixedTime }: Flattening,
  { table, tree }: Omit<FirstPass, "exact">,
): Promise<void> {
  for (const { path, origin } of tree.visible()) {
    if (origin !== undefined || isInDev(table, path)) continue;
    await writeDirectory(tar, table.textOf(path), fixedTime ?? time);
  }
  await tar.end();
}
