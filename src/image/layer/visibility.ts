// SPDX-License-Identifier: Apache-2.0
// What upper layers hide of a lower one, judged from names alone while layers are read from the top down. Links between
// layers can make it wrong; the caller finds that out afterwards, from a VirtualTree.

import { openColumn } from "./column.ts";
import type { LayerIndex, Member } from "./layer-index.ts";
import { type PathId, type PathTable, rootPath } from "./path-table.ts";

/** What upper layers have at a path. */
const marks = {
  /** Something that is no directory, or a whiteout: nothing of a lower layer shows here or below. */
  closed: 1,
  /** A directory's own metadata. */
  directory: 2,
  /** A mark that nothing of a lower layer shows below. */
  opaque: 4,
  /** Something below, so a lower file does not show here. */
  occupied: 8,
} as const;

/** Decides, layer by layer. */
export interface Visibility {
  /** Whether what lower layers have at a member's path shows, going by the layers above. */
  shows(member: Member): boolean;
  /** Counts a layer's members for the layers below it. */
  addLayer(index: LayerIndex): void;
}

/** Starts above the top layer. */
export function openVisibility(table: PathTable): Visibility {
  const above = openColumn();

  const mark = (id: PathId, bits: number): void => above.set(id, above.get(id) | bits);
  const occupy = (id: PathId): void => {
    for (let at = id; at !== rootPath; ) {
      at = table.parentOf(at);
      if (above.get(at) & marks.occupied) return;
      mark(at, marks.occupied);
    }
  };
  const add = ({ kind, path }: Member): void => {
    if (kind === "ignored") return;
    if (kind === "opaque") mark(path, marks.opaque);
    else mark(path, kind === "directory" ? marks.directory : marks.closed);
    if (kind !== "opaque" && kind !== "whiteout") occupy(path);
  };
  return {
    shows: ({ kind, path }) => {
      if (kind === "ignored" || kind === "whiteout" || kind === "opaque") return false;
      const hiding = kind === "directory" ? marks.directory : marks.directory | marks.occupied;
      if (above.get(path) & (marks.closed | hiding)) return false;
      for (let at = path; at !== rootPath; ) {
        at = table.parentOf(at);
        if (above.get(at) & (marks.closed | marks.opaque)) return false;
      }
      return true;
    },
    addLayer: (index) => {
      for (let at = 0; at < index.length; at++) add(index.at(at));
    },
  };
}
