// SPDX-License-Identifier: Apache-2.0
// The names that an image has in the end, and the members of layers that they are from.
import { type Column, openColumn } from "./column.ts";
import { type PathId, type PathTable, rootPath } from "./path-table.ts";
import type { VirtualTree, Visible } from "./virtual-tree.ts";
import type { WrittenPaths } from "./written-paths.ts";

/** A member: the layer, and its place in it. */
export type Origin = NonNullable<Visible["origin"]>;

/** A name, and the member whose it is. */
export interface VisibleName {
  readonly path: PathId;
  readonly origin: Origin;
}

/** Whether a path is below /dev: whatever a layer has there is hidden by the host's. */
export function isInDev(table: PathTable, path: PathId): boolean {
  const dev = table.find(rootPath, "dev");
  if (dev === undefined) return false;
  for (let at = path; at !== rootPath && at >= dev; at = table.parentOf(at)) {
    if (table.parentOf(at) === dev) return true;
  }
  return false;
}

/** All names that are some member's. */
export function* memberNames(table: PathTable, tree: VirtualTree): Generator<VisibleName> {
  for (const { path, origin } of tree.visible()) {
    if (origin !== undefined && !isInDev(table, path)) yield { path, origin };
  }
}

/** All directories that no member is about. */
export function* implicitDirectories(table: PathTable, tree: VirtualTree): Generator<PathId> {
  for (const { path, origin } of tree.visible()) {
    if (origin === undefined && !isInDev(table, path)) yield path;
  }
}

/** Names by member. */
export interface NamesByMember {
  /** The layers that have any. */
  readonly layers: ReadonlySet<number>;
  of(origin: Origin): readonly PathId[];
}

/** Groups names by the member that they are from. Most members have one name. */
export function groupByMember(names: Iterable<VisibleName>): NamesByMember {
  const first = new Map<number, Column>();
  const others = new Map<PathId, PathId[]>();
  for (const { path, origin } of names) {
    const column = first.get(origin.layer) ?? openColumn();
    first.set(origin.layer, column);
    const known = column.get(origin.index) - 1;
    if (known < 0) column.set(origin.index, path + 1);
    else others.set(known, [...(others.get(known) ?? []), path]);
  }
  return {
    layers: new Set(first.keys()),
    of: ({ layer, index }) => {
      const path = (first.get(layer)?.get(index) ?? 0) - 1;
      return path < 0 ? [] : [path, ...(others.get(path) ?? [])];
    },
  };
}

/** Names that were not written, and whether any was that should not have been. */
export interface Comparison {
  readonly wrong: boolean;
  readonly missing: readonly VisibleName[];
}

/** Compares what was written with what is visible. */
export function compare(names: Iterable<VisibleName>, written: WrittenPaths): Comparison {
  const missing: VisibleName[] = [];
  let right = 0;
  for (const name of names) {
    const found = written.originOf(name.path);
    if (found === undefined) missing.push(name);
    else if (found.layer === name.origin.layer && found.index === name.origin.index) right++;
  }
  return { wrong: right !== written.count, missing };
}
