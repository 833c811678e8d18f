// SPDX-License-Identifier: Apache-2.0
// A root file system in memory, without its data: layers are applied to it one after the other, bottom layer first, as an
// extraction would. Links are followed inside of it, so nothing can be anywhere else.
import { EnrootError } from "../../errors.ts";
import { openColumn } from "./column.ts";
import type { LayerIndex, Member } from "./layer-index.ts";
import { showPath, splitPath } from "./layer-path.ts";
import { type PathId, type PathTable, rootPath } from "./path-table.ts";
import { limits } from "./tar-entry.ts";

/** What is at a path in the end. */
export interface Visible {
  readonly path: PathId;
  /** The member that it is from. Two names of one file have the same; a directory that no member is about has none. */
  readonly origin: { readonly layer: number; readonly index: number } | undefined;
}

/** The tree. */
export interface VirtualTree {
  /** Applies the next layer. @throws EnrootError Corrupt when a member cannot be applied */
  apply(index: LayerIndex): void;
  /** Makes directories, over the layers applied before, where nothing is. */
  makeDirectory(path: string): void;
  /** Everything that is there, directories before what is in them. */
  visible(): Generator<Visible>;
}

const kind = { none: 0, other: 1, directory: 2, symlink: 3, device: 4 } as const;
const implicit = -1;

/** How many links are followed on one path, as Linux does. */
const linkLimit = 40;

/** An empty root. */
export function openVirtualTree(table: PathTable): VirtualTree {
  const kinds = openColumn();
  /** The layer that has put it here, and the member that it is from. */
  const layers = openColumn();
  const originLayers = openColumn();
  const originIndexes = openColumn();
  /** The newest layer that has put something here or below. */
  const touched = openColumn();
  // Something exists while its stamp is its directory's; a directory that is made anew gets another, so taking one away
  // with all that is in it is one step.
  const stamps = openColumn();
  const inner = openColumn();
  const symlinks = new Map<PathId, string>();
  let layer = -1;
  let directories = 1;
  let steps = 0;
  kinds.set(rootPath, kind.directory);
  originIndexes.set(rootPath, implicit);
  inner.set(rootPath, directories);

  const kindOf = (id: PathId | undefined): number => {
    if (id === undefined) return kind.none;
    return id === rootPath || stamps.get(id) === inner.get(table.parentOf(id)) ? kinds.get(id) : kind.none;
  };
  const remove = (id: PathId): void => stamps.set(id, 0);
  const touch = (id: PathId): void => {
    for (let at = id; touched.get(at) < layer + 1; at = table.parentOf(at)) {
      touched.set(at, layer + 1);
      if (at === rootPath) return;
    }
  };
  const put = (id: PathId, what: number, origin: { layer: number; index: number }): PathId => {
    if (what === kind.directory && kindOf(id) !== kind.directory) inner.set(id, ++directories);
    kinds.set(id, what);
    layers.set(id, layer);
    originLayers.set(id, origin.layer);
    originIndexes.set(id, origin.index);
    if (id !== rootPath) stamps.set(id, inner.get(table.parentOf(id)));
    touch(id);
    return id;
  };

  /** Whether a path leads through directories alone: most do. */
  const isPlain = (id: PathId): boolean => {
    for (let at = id; at !== rootPath; at = table.parentOf(at)) {
      if (kindOf(at) !== kind.directory) return false;
    }
    return true;
  };
  /** The directory at a path, links followed; missing ones are made if so wanted, also in place of something else. */
  const directoryAt = (names: readonly string[], make: boolean | "where nothing is"): PathId | undefined => {
    const rest = [...names].reverse();
    let here = rootPath;
    let links = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (++steps > limits.steps) throw new EnrootError("Corrupt", "Image has too many links on its paths");
      if (name === "" || name === ".") continue;
      if (name === "..") {
        here = table.parentOf(here);
        continue;
      }
      const id = table.find(here, name);
      const what = kindOf(id);
      if (id !== undefined && what === kind.directory) here = id;
      else if (id !== undefined && what === kind.symlink) {
        const target = symlinks.get(id) ?? "";
        if (++links > linkLimit)
          throw new EnrootError("Corrupt", `Too many links in a layer: ${showPath(names.join("/"))}`);
        if (target.startsWith("/")) here = rootPath;
        rest.push(...target.split("/").reverse());
      } else if (make === true || (make && what === kind.none))
        here = put(table.enter(here, name), kind.directory, { layer: 0, index: implicit });
      else return undefined;
    }
    return here;
  };
  /** Where a member goes: its own name in the directory that its path leads to. */
  const placeOf = (path: PathId, make: boolean): PathId | undefined => {
    const parent = table.parentOf(path);
    if (path === rootPath || isPlain(parent)) return path;
    const names = table.namesOf(path);
    const directory = directoryAt(names.slice(0, -1), make);
    if (directory === undefined) return undefined;
    const name = names.at(-1) ?? "";
    return make ? table.enter(directory, name) : table.find(directory, name);
  };

  /** Takes away what lower layers have at a path, and leaves what this layer has put there already. */
  const hide = (id: PathId, hidden: Set<PathId>): void => {
    if (kindOf(id) === kind.none) return;
    if (touched.get(id) < layer + 1) remove(id);
    else if (kindOf(id) === kind.directory) {
      hideBelow(id, hidden);
      if (layers.get(id) < layer) put(id, kind.directory, { layer: 0, index: implicit });
    }
  };
  const hideBelow = (id: PathId, hidden: Set<PathId>): void => {
    // Once is enough for a layer: what was there from below stays away.
    if (hidden.has(id)) return;
    hidden.add(id);
    for (const child of table.below(id)) hide(child, hidden);
  };

  const kindOfMember = (member: Member): number => {
    if (member.kind === "directory" || member.kind === "symlink" || member.kind === "device")
      return kind[member.kind];
    return kind.other;
  };
  const putMember = (member: Member, index: number): void => {
    const id = placeOf(member.path, true) ?? rootPath;
    put(id, kindOfMember(member), { layer, index });
    if (member.kind === "symlink") symlinks.set(id, member.link);
  };
  /** Gives a file one more name. @returns whether it is there */
  const putLink = (member: Member): boolean => {
    const names = splitPath(member.link);
    const directory = directoryAt(names.slice(0, -1), false);
    const target = directory === undefined ? undefined : table.find(directory, names.at(-1) ?? "");
    const what = kindOf(target);
    if (target === undefined || what === kind.none || what === kind.directory) return false;
    const origin = { layer: originLayers.get(target), index: originIndexes.get(target) };
    const id = placeOf(member.path, true) ?? rootPath;
    put(id, what, origin);
    if (what === kind.symlink) symlinks.set(id, symlinks.get(target) ?? "");
    return true;
  };
  return {
    apply: (members) => {
      layer++;
      const hidden = new Set<PathId>();
      const waiting: Member[] = [];
      for (let index = 0; index < members.length; index++) {
        const member = members.at(index);
        if (member.kind === "ignored") continue;
        if (member.path === rootPath && member.kind !== "directory" && member.kind !== "opaque")
          throw new EnrootError("Corrupt", "The root of a layer is no directory");
        if (member.kind === "whiteout" || member.kind === "opaque") {
          const opaque = member.kind === "opaque";
          const id = opaque ? directoryAt(table.namesOf(member.path), false) : placeOf(member.path, false);
          if (id !== undefined) (opaque ? hideBelow : hide)(id, hidden);
        } else if (member.kind !== "hardlink") putMember(member, index);
        else if (!putLink(member)) waiting.push(member);
      }
      // Some archives have a link before what it is a link to, and a link to a link before that.
      for (const member of waiting.reverse()) if (!putLink(member)) throw missing(member);
    },
    makeDirectory: (path) => {
      layer++;
      directoryAt(splitPath(path), "where nothing is");
    },
    visible: function* () {
      const there = new Uint8Array(table.size);
      for (let id = rootPath; id < there.length; id++) {
        const parent = table.parentOf(id);
        const found = id === rootPath || (there[parent] === kind.directory && kindOf(id) !== kind.none);
        if (!found) continue;
        there[id] = kinds.get(id);
        if (there[id] === kind.device) continue;
        const index = originIndexes.get(id);
        yield { path: id, origin: index === implicit ? undefined : { layer: originLayers.get(id), index } };
      }
    },
  };

  function missing({ path, link }: Member): EnrootError {
    const name = showPath(table.textOf(path));
    return new EnrootError(
      "Corrupt",
      `Hard link in a layer to what is not there: ${name} to ${showPath(link)}`,
    );
  }
}
