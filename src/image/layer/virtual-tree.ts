// SPDX-License-Identifier: Apache-2.0
// A root file system in memory, without its data: members of layers are applied to it one after the other, bottom layer
// first, as an extraction would. Links are followed inside of it, so nothing can be anywhere else.
import { EnrootError } from "../../errors.ts";
import { changeOf, showPath, splitPath } from "./layer-path.ts";
import type { EntryType } from "./tar-entry.ts";

/** What is applied: a member's metadata, and which one it is. */
export interface Member {
  readonly layer: number;
  readonly index: number;
  readonly type: EntryType;
  readonly path: string;
  readonly link: string;
}

/** A file, or a directory with what is in it. Two names of one file share its node. */
export interface TreeNode {
  /** The member that it is from; undefined: a directory that no layer mentions by itself. */
  readonly origin: Member | undefined;
  /** The layer that put it here. */
  readonly layer: number;
  readonly children: Map<string, TreeNode> | undefined;
}

/** How many links are followed on one path, as Linux does. */
const linkLimit = 40;

/** The tree. */
export interface VirtualTree {
  readonly root: TreeNode;
  /** Applies a member. @throws EnrootError Corrupt when it cannot be applied */
  apply(member: Member): void;
  /** Makes directories unless something is there already. */
  makeDirectory(path: string, layer: number): void;
}

/** An empty root. */
export function openVirtualTree(): VirtualTree {
  let root: TreeNode = { origin: undefined, layer: 0, children: new Map() };

  /** The directory at `names`, links followed. Missing ones are made for `layer`, or undefined comes back without one. */
  const directoryAt = (names: readonly string[], layer: number | undefined): TreeNode | undefined => {
    const rest = [...names].reverse();
    let trail: TreeNode[] = [root];
    let links = 0;
    while (rest.length > 0) {
      const name = rest.pop() ?? "";
      const here = trail.at(-1) ?? root;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const child = here.children?.get(name);
      if (child?.children) trail.push(child);
      else if (child?.origin?.type === "symlink") {
        if (++links > linkLimit)
          throw new EnrootError("Corrupt", `Too many links in a layer: ${showPath(names.join("/"))}`);
        if (child.origin.link.startsWith("/")) trail = [root];
        rest.push(...child.origin.link.split("/").reverse());
      } else {
        if (layer === undefined) return undefined;
        const made: TreeNode = { origin: undefined, layer, children: new Map() };
        here.children?.set(name, made);
        trail.push(made);
      }
    }
    return trail.at(-1);
  };

  const hide = (names: readonly string[], layer: number): void => {
    const parent = directoryAt(names.slice(0, -1), undefined);
    const name = names.at(-1) ?? "";
    const child = parent?.children?.get(name);
    if (!parent?.children || !child) return;
    if (!child.children) {
      if (child.layer < layer) parent.children.delete(name);
    } else if (!hideBelow(child, layer) && child.layer < layer) parent.children.delete(name);
    else if (child.layer < layer)
      parent.children.set(name, { origin: undefined, layer, children: child.children });
  };

  /** Takes away what lower layers have in a directory. Returns whether anything is left. */
  const hideBelow = (directory: TreeNode, layer: number): boolean => {
    for (const [name, child] of [...(directory.children ?? [])]) {
      if (child.children && hideBelow(child, layer)) {
        if (child.layer < layer)
          directory.children?.set(name, { origin: undefined, layer, children: child.children });
      } else if (child.layer < layer) directory.children?.delete(name);
    }
    return (directory.children?.size ?? 0) > 0;
  };

  const putEntry = (names: readonly string[], member: Member): void => {
    const name = names.at(-1);
    if (name === undefined) {
      if (member.type !== "directory")
        throw new EnrootError("Corrupt", "The root of a layer is no directory");
      root = { origin: member, layer: member.layer, children: root.children };
      return;
    }
    const parent = directoryAt(names.slice(0, -1), member.layer);
    const old = parent?.children?.get(name);
    parent?.children?.set(name, member.type === "hardlink" ? linkTarget(member) : newNode(member, old));
  };

  const newNode = (member: Member, old: TreeNode | undefined): TreeNode => {
    const children = member.type === "directory" ? (old?.children ?? new Map<string, TreeNode>()) : undefined;
    return { origin: member, layer: member.layer, children };
  };

  const linkTarget = (member: Member): TreeNode => {
    const names = splitPath(member.link);
    const target = directoryAt(names.slice(0, -1), undefined)?.children?.get(names.at(-1) ?? "");
    if (target && !target.children) return { ...target, layer: member.layer };
    throw new EnrootError(
      "Corrupt",
      `Hard link in a layer to what is not there: ${showPath(member.path)} to ${showPath(member.link)}`,
    );
  };

  return {
    get root() {
      return root;
    },
    apply: (member) => {
      const change = changeOf(member.path);
      if (change.kind === "entry") putEntry(change.names, member);
      else if (change.kind === "whiteout") hide(change.names, member.layer);
      else if (change.kind === "opaque") {
        const directory = directoryAt(change.names, undefined);
        if (directory) hideBelow(directory, member.layer);
      }
    },
    makeDirectory: (path, layer) => {
      directoryAt(splitPath(path), layer);
    },
  };
}
