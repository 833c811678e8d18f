// SPDX-License-Identifier: Apache-2.0
// Many layers to one archive, with one decompression of each. Layers are read from the top down, and what no upper layer
// hides by name is written at once. Afterwards a VirtualTree tells from the headers alone what should have been written.
// What is missing then (hard links across layers, or to what an upper layer hides) is added. Only if something was
// written wrongly, because names of one layer go through links of another, a second archive is written from the tree.
import { type Flattening, readAny } from "./flattening.ts";
import { type LayerIndex, type Member, openLayerIndex } from "./layer-index.ts";
import { changeOf, splitPath } from "./layer-path.ts";
import { writeDirectory, writeLink, writeMember } from "./member-writer.ts";
import { writeNames } from "./named-members.ts";
import { openPathTable, type PathId, type PathTable, rootPath } from "./path-table.ts";
import { openTally } from "./tar-entry.ts";
import { type ArchiveSink, openTarWriter, type TarWriter } from "./tar-writer.ts";
import { openVirtualTree, type VirtualTree } from "./virtual-tree.ts";
import { openVisibility } from "./visibility.ts";
import {
  compare,
  groupByMember,
  implicitDirectories,
  isInDev,
  memberNames,
  type Origin,
  type VisibleName,
} from "./visible-names.ts";
import { openWrittenPaths, type WrittenPaths } from "./written-paths.ts";

/** What the layers come to. */
interface Image {
  readonly table: PathTable;
  readonly tree: VirtualTree;
}

/** What the first pass found out. */
export interface FirstPass extends Image {
  /** Whether the archive is what it should be; it is not complete otherwise. */
  readonly exact: boolean;
}

/** Writes the archive, most likely rightly. */
export async function writeFirst(flattening: Flattening, sink: ArchiveSink): Promise<FirstPass> {
  const tar = openTarWriter(sink);
  const table = openPathTable();
  const written = openWrittenPaths(table);
  const { indexes, fits } = await writeShown(flattening, { tar, table, written });
  const tree = openVirtualTree(table);
  for (const members of indexes) tree.apply(members);
  for (const path of flattening.directories) tree.makeDirectory(Buffer.from(path).toString("latin1"));
  const image = { table, tree };
  if (!fits) return { exact: false, ...image };
  const { wrong, missing } = compare(memberNames(table, tree), written);
  if (wrong) return { exact: false, ...image };
  const unread = await writeMissingLinks(tar, image, { written, missing });
  if (unread.length > 0) await writeNames(flattening, tar, table, groupByMember(unread));
  await finish(flattening, tar, image);
  return { exact: true, ...image };
}

/** Writes the archive of exactly what a first pass found to be visible. */
export async function writeExact(flattening: Flattening, image: Image, sink: ArchiveSink): Promise<void> {
  const tar = openTarWriter(sink);
  await writeNames(flattening, tar, image.table, groupByMember(memberNames(image.table, image.tree)));
  await finish(flattening, tar, image);
}

interface Output {
  readonly tar: TarWriter;
  readonly table: PathTable;
  readonly written: WrittenPaths;
}

/** Writes what no upper layer hides by name. `fits`: whether all of that goes together in one archive. */
async function writeShown(
  flattening: Flattening,
  { tar, table, written }: Output,
): Promise<{ indexes: LayerIndex[]; fits: boolean }> {
  const visibility = openVisibility(table);
  const indexes: LayerIndex[] = [];
  let fits = true;
  const count = openTally("Image");
  for (let layer = flattening.layers.length; layer >= 0; layer--) {
    const members = openLayerIndex(table);
    indexes[layer] = members;
    await readAny(flattening, layer, async (entry, index, data) => {
      count(entry);
      const member = members.add(changeOf(entry.path), entry.type, entry.link);
      if (!fits || !visibility.shows(member) || isDropped(table, member)) return;
      const origin = originOf(member, { layer, index }, table, written);
      if (origin === undefined) return;
      fits = written.add(member, origin);
      if (fits) await writeMember({ tar, entry, path: table.textOf(member.path), data, ...flattening });
    });
    visibility.addLayer(members);
  }
  return { indexes, fits };
}

/** Devices are the host's to give. */
function isDropped(table: PathTable, { kind, path }: Pick<Member, "kind" | "path">): boolean {
  return kind === "device" || isInDev(table, path);
}

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

/** Writes missing names of members that have other names in the archive. Returns those that have none. */
async function writeMissingLinks(
  tar: TarWriter,
  { table, tree }: Image,
  { written, missing }: { written: WrittenPaths; missing: readonly VisibleName[] },
): Promise<VisibleName[]> {
  if (missing.length === 0) return [];
  const wanted = groupByMember(missing);
  const known = new Map<PathId, PathId>();
  for (const { path, origin } of memberNames(table, tree)) {
    if (written.originOf(path) === undefined) continue;
    for (const name of wanted.of(origin)) if (!known.has(name)) known.set(name, path);
  }
  for (const [name, target] of known) await writeLink(tar, table.textOf(name), table.textOf(target));
  return missing.filter(({ path }) => !known.has(path));
}

/** Writes the directories that no member is about, and ends the archive. */
async function finish(
  { time, fixedTime }: Flattening,
  tar: TarWriter,
  { table, tree }: Image,
): Promise<void> {
  for (const path of implicitDirectories(table, tree)) {
    await writeDirectory(tar, table.textOf(path), fixedTime ?? time);
  }
  await tar.end();
}
