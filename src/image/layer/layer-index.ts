// SPDX-License-Identifier: Apache-2.0
// What a layer's members are and where they go, without their data and metadata: all that its place in the tree needs.

import { openColumn } from "./column.ts";
import type { Change } from "./layer-path.ts";
import { type PathId, type PathTable, rootPath } from "./path-table.ts";
import type { EntryType } from "./tar-entry.ts";

/** What a member does. */
export type MemberKind = EntryType | Exclude<Change["kind"], "entry">;

/** A member of a layer. */
export interface Member {
  readonly kind: MemberKind;
  /** Where its name says, whatever links are on the way. */
  readonly path: PathId;
  /** Target of a link, as the archive has it. */
  readonly link: string;
}

const kinds: readonly MemberKind[] = [
  "ignored",
  "file",
  "directory",
  "symlink",
  "hardlink",
  "fifo",
  "device",
  "whiteout",
  "opaque",
];

/** The members of one layer, in order. */
export interface LayerIndex {
  readonly length: number;
  /** Adds the next member. @throws EnrootError Corrupt when the image has too many */
  add(change: Change, type: EntryType, link: string): Member;
  at(index: number): Member;
}

/** Makes an empty index over an image's paths. */
export function openLayerIndex(table: PathTable): LayerIndex {
  const packed = openColumn();
  const links = new Map<number, string>();
  let length = 0;

  const pathOf = (change: Change): PathId => {
    if (change.kind === "ignored") return rootPath;
    return change.names.reduce((parent, name) => table.enter(parent, name), rootPath);
  };
  return {
    get length() {
      return length;
    },
    add: (change, type, link) => {
      const kind = change.kind === "entry" ? type : change.kind;
      const path = pathOf(change);
      packed.set(length, path * 16 + kinds.indexOf(kind));
      if (kind === "symlink" || kind === "hardlink") {
        table.charge(link.length);
        links.set(length, link);
      }
      length++;
      return { kind, path, link };
    },
    at: (index) => {
      const value = packed.get(index);
      return { kind: kinds[value % 16] ?? "ignored", path: value >>> 4, link: links.get(index) ?? "" };
    },
  };
}
