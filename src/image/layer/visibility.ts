// SPDX-License-Identifier: Apache-2.0
// What upper layers hide of a lower one, judged from names alone while layers are read from the top down. Links between
// layers can make it wrong; the caller finds that out afterwards, from a VirtualTree.
import type { Change } from "./layer-path.ts";

interface Mark {
  readonly below: Map<string, Mark>;
  /** Something that is no directory is here, or a whiteout: nothing of a lower layer shows here or below. */
  closed: boolean;
  /** A directory's own metadata is known from an upper layer. */
  directory: boolean;
  /** Nothing of a lower layer shows below. */
  opaque: boolean;
  /** An upper layer has something below, so a lower file does not show here. */
  occupied: boolean;
}

/** Decides, member by member. */
export interface Visibility {
  /** Whether the member shows. It counts for the layers below from the next layer on. */
  admit(change: Change, isDirectory: boolean): boolean;
  /** Ends a layer: the next members are of the layer below it. */
  nextLayer(): void;
}

function newMark(): Mark {
  return { below: new Map(), closed: false, directory: false, opaque: false, occupied: false };
}

/** Starts above the top layer. */
export function openVisibility(): Visibility {
  const top = newMark();
  let pending: { change: Change; isDirectory: boolean }[] = [];

  const isHidden = (names: readonly string[], isDirectory: boolean): boolean => {
    let mark: Mark | undefined = top;
    for (const name of names) {
      if (mark.opaque || mark.closed) return true;
      mark = mark.below.get(name);
      if (!mark) return false;
    }
    return mark.closed || (isDirectory ? mark.directory : mark.occupied || mark.directory);
  };
  /** @param occupies whether something is really there, and not only hidden */
  const markAt = (names: readonly string[], occupies: boolean): Mark => {
    let mark = top;
    for (const name of names) {
      mark.occupied ||= occupies;
      const next = mark.below.get(name) ?? newMark();
      mark.below.set(name, next);
      mark = next;
    }
    return mark;
  };
  const record = (change: Change, isDirectory: boolean): void => {
    if (change.kind === "ignored") return;
    const mark = markAt(change.names, change.kind === "entry");
    if (change.kind === "opaque") mark.opaque = true;
    else if (change.kind === "entry" && isDirectory) mark.directory = true;
    else mark.closed = true;
  };
  return {
    admit: (change, isDirectory) => {
      pending.push({ change, isDirectory });
      return change.kind === "entry" && !isHidden(change.names, isDirectory);
    },
    nextLayer: () => {
      for (const { change, isDirectory } of pending) record(change, isDirectory);
      pending = [];
    },
  };
}
