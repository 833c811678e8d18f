// SPDX-License-Identifier: Apache-2.0
// Which names were written while layers were read from the top down, and what for.

import { openColumn } from "./column.ts";
import type { Member } from "./layer-index.ts";
import { type PathId, type PathTable, rootPath } from "./path-table.ts";
import type { Origin } from "./visible-names.ts";

/** The names. */
export interface WrittenPaths {
  readonly count: number;
  /** Notes a name, unless it does not go together with what was written before: `false`. */
  add(member: Member, origin: Origin): boolean;
  originOf(path: PathId): Origin | undefined;
}

const state = { nothing: 0, above: 1, leaf: 2 } as const;

/** Starts with none. */
export function openWrittenPaths(table: PathTable): WrittenPaths {
  const states = openColumn();
  const layers = openColumn();
  const indexes = openColumn();
  let count = 0;

  const standsBelowDirectories = (path: PathId): boolean => {
    for (let at = path; at !== rootPath; ) {
      at = table.parentOf(at);
      if (states.get(at) === state.leaf) return false;
      if (states.get(at) === state.above) return true;
      states.set(at, state.above);
    }
    return true;
  };
  return {
    get count() {
      return count;
    },
    add: ({ kind, path }, { layer, index }) => {
      const twice = indexes.get(path) !== 0;
      const fits =
        kind === "directory" ? states.get(path) !== state.leaf : states.get(path) === state.nothing;
      if (twice || !fits || !standsBelowDirectories(path)) return false;
      states.set(path, kind === "directory" ? state.above : state.leaf);
      layers.set(path, layer);
      indexes.set(path, index + 1);
      count++;
      return true;
    },
    originOf: (path) => {
      const index = indexes.get(path) - 1;
      return index < 0 ? undefined : { layer: layers.get(path), index };
    },
  };
}
