// SPDX-License-Identifier: Apache-2.0
// What one layer changes in a tree of files that is there: what has to be deleted, and an archive of what is new. The
// layer is applied to a VirtualTree of that tree, so a link in it leads nowhere else, and whatever is deleted or written
// stands below directories alone.
import { openColumn } from "./column.ts";
import { type Flattening, readAny } from "./flattening.ts";
import { type LayerIndex, openLayerIndex } from "./layer-index.ts";
import { changeOf, splitPath } from "./layer-path.ts";
import { writeDirectory, writeLink } from "./member-writer.ts";
import { writeNames } from "./named-members.ts";
import { openPathTable, type PathId, type PathTable, rootPath } from "./path-table.ts";
import { openTally, type TarEntry } from "./tar-entry.ts";
import { type ArchiveSink, openTarWriter } from "./tar-writer.ts";
import { openVirtualTree, type Visible } from "./virtual-tree.ts";
import { groupByMember, isInDev, type VisibleName } from "./visible-names.ts";

/** Something of the tree that is there. */
export type FoundEntry = Pick<TarEntry, "path" | "type" | "link">;

/** What a layer changes. All paths are below the root. */
export interface LayerDelta {
  /** What has to be deleted first, with all that is in it. */
  readonly removed: readonly string[];
  /** Directories in which names come and go, and that must keep their time. */
  readonly touched: readonly string[];
  /** Directories that are there and get other permissions, and their time, in seconds. */
  readonly renewed: readonly { readonly path: string; readonly mtime: number }[];
  /** Files that get another name, each to be had as `aside/INDEX` before anything is deleted. */
  readonly linked: readonly string[];
  /** Writes the archive of what is new. @throws EnrootError Corrupt */
  write(sink: ArchiveSink): Promise<void>;
}

/** The tree is the lowest layer of two. */
const there = 0;

/** A layer over a tree. */
export interface LayerOver {
  /** What is there, directories before what is in them; nothing for the lowest layer. */
  readonly found: Iterable<FoundEntry>;
  /** One layer, or files to add. */
  readonly flattening: Flattening;
  /** Name of a directory that is in neither. */
  readonly aside: string;
}

/** Reads a layer's headers, and finds out what it changes. @throws EnrootError Corrupt */
export async function readDelta({ found, flattening, aside }: LayerOver): Promise<LayerDelta> {
  const table = openPathTable();
  const before = openLayerIndex(table);
  const origins = openColumn();
  for (const { path, type, link } of found) {
    const member = before.add({ kind: "entry", names: splitPath(path) }, type, link);
    const first = type === "hardlink" ? origins.get(find(table, link)) : before.length;
    origins.set(member.path, first);
  }
  const members = openLayerIndex(table);
  const times = openColumn();
  const count = openTally("Layer");
  await readAny(flattening, 0, async (entry) => {
    count(entry);
    times.set(members.length, entry.mtime);
    members.add(changeOf(entry.path), entry.type, entry.link);
  });
  const tree = openVirtualTree(table);
  tree.apply(before);
  tree.apply(members);
  for (const path of flattening.directories) tree.makeDirectory(Buffer.from(path).toString("latin1"));

  const change = compareWith(table, { before, members, origins }, tree.visible());
  const text = (ids: readonly PathId[]): string[] => ids.map((id) => table.textOf(id));
  const sources = new Map<PathId, number>();
  for (const { source } of change.links) if (!sources.has(source)) sources.set(source, sources.size);
  return {
    removed: text(change.removed),
    touched: text(change.touched),
    renewed: change.renewed.map(({ path, index }) => ({
      path: table.textOf(path),
      mtime: flattening.fixedTime ?? (index === undefined ? flattening.time : times.get(index) >>> 0),
    })),
    linked: text([...sources.keys()]),
    write: async (sink) => {
      const tar = openTarWriter(sink);
      await writeNames(flattening, tar, table, groupByMember(change.written));
      for (const { path, source } of change.links)
        await writeLink(tar, table.textOf(path), `${aside}/${sources.get(source)}`);
      for (const path of change.implicit)
        await writeDirectory(tar, table.textOf(path), flattening.fixedTime ?? flattening.time);
      await tar.end();
    },
  };
}

function find(table: PathTable, path: string): PathId {
  return splitPath(path).reduce((parent, name) => table.enter(parent, name), rootPath);
}

interface Before {
  readonly before: LayerIndex;
  readonly members: LayerIndex;
  /** By path: one more than the number of the entry that was found there. */
  readonly origins: { get(id: PathId): number };
}

interface Change {
  readonly removed: readonly PathId[];
  readonly touched: readonly PathId[];
  readonly written: readonly VisibleName[];
  readonly links: readonly { readonly path: PathId; readonly source: PathId }[];
  readonly implicit: readonly PathId[];
  /** Directories, and the members that they are from now. */
  readonly renewed: readonly { readonly path: PathId; readonly index: number | undefined }[];
}

/** Compares what was there with what is visible in the end. */
function compareWith(
  table: PathTable,
  { before, members, origins }: Before,
  visible: Iterable<Visible>,
): Change {
  const kept = new Uint8Array(table.size);
  const written: VisibleName[] = [];
  const links: { path: PathId; source: PathId }[] = [];
  const implicit: PathId[] = [];
  const renewed: { path: PathId; index: number | undefined }[] = [];
  const isDirectory = (id: PathId): boolean =>
    origins.get(id) > 0 && before.at(origins.get(id) - 1).kind === "directory";
  for (const { path, origin } of visible) {
    if (isInDev(table, path)) continue;
    if (origin === undefined) implicit.push(path);
    else if (origin.layer !== there) written.push({ path, origin: { layer: 0, index: origin.index } });
    else if (origins.get(path) === origin.index + 1) kept[path] = unchanged;
    else links.push({ path, source: before.at(origin.index).path });
    const isNew =
      origin === undefined || (origin.layer !== there && members.at(origin.index).kind === "directory");
    if (!isNew || !isDirectory(path)) continue;
    kept[path] = changed;
    renewed.push({ path, index: origin?.index });
  }
  const removed: PathId[] = [];
  const gone = (id: PathId): boolean => origins.get(id) > 0 && kept[id] === 0;
  for (let id = rootPath; id < table.size; id++) {
    // What is in a directory goes with it.
    if (gone(id) && !gone(table.parentOf(id))) removed.push(id);
  }
  const parents = [
    ...removed,
    ...implicit,
    ...written.map(({ path }) => path),
    ...links.map(({ path }) => path),
  ];
  const touched = new Set(parents.map((id) => table.parentOf(id)).filter((id) => kept[id] === unchanged));
  if (links.length > 0 && kept[rootPath] === unchanged) touched.add(rootPath);
  return { removed, touched: [...touched], written, links, implicit, renewed };
}

/** What becomes of something that is there, other than that it goes: a directory can stay with other permissions. */
const unchanged = 1;
const changed = 2;
