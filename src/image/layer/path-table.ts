// SPDX-License-Identifier: Apache-2.0
// Every path that the layers of an image speak of, once, as a number. Large images have some hundred thousand of them:
// as objects they would take more memory than all else together, so they stand in columns of numbers.
import { EnrootError } from "../../errors.ts";
import { openBytes, openColumn } from "./column.ts";
import { showPath } from "./layer-path.ts";
import { limits } from "./tar-entry.ts";

/** A path below the root of an image. Parents have smaller numbers than what is in them. */
export type PathId = number;

/** The path of everything. */
export const rootPath: PathId = 0;

/** The paths of an image. Names are bytes, kept as latin1 strings. */
export interface PathTable {
  /** How many there are: the next one's number. */
  readonly size: number;
  /** The number of a name in a directory, a new one if need be. @throws EnrootError Corrupt when there are too many */
  enter(parent: PathId, name: string): PathId;
  /** The number of a name in a directory, if it has one. */
  find(parent: PathId, name: string): PathId | undefined;
  parentOf(id: PathId): PathId;
  /** What was ever entered in a directory. */
  below(id: PathId): Generator<PathId>;
  /** Names joined by slashes; the root is empty. */
  textOf(id: PathId): string;
  namesOf(id: PathId): string[];
  /** Counts bytes that are kept for the image beside its paths. @throws EnrootError Corrupt when there are too many */
  charge(bytes: number): void;
}

/** Makes an empty table. */
export function openPathTable(): PathTable {
  const names = openBytes();
  const ends = openColumn();
  const parents = openColumn();
  const lengths = openColumn();
  const firstBelow = openColumn();
  const nextBeside = openColumn();
  let size = 1;
  let bytes = 0;
  // Open addressing, at most half full; 0 is an empty slot, for the root is never looked up. Nobody shall know which
  // names fall together, so the hash begins with a random number.
  let slots = new Int32Array(1024);
  const seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;

  const charge = (more: number): void => {
    bytes += more;
    if (bytes > limits.text) throw new EnrootError("Corrupt", "Image has too many and too long paths");
  };
  const nameOf = (id: PathId): string => names.text(ends.get(id - 1), ends.get(id));
  const slotOf = (parent: PathId, name: string): number => {
    for (let at = hash(name, parent ^ seed); ; at++) {
      const slot = at & (slots.length - 1);
      const id = slots[slot] ?? 0;
      if (id === 0 || (parents.get(id) === parent && names.equals(ends.get(id - 1), ends.get(id), name)))
        return slot;
    }
  };
  const grow = (): void => {
    slots = new Int32Array(slots.length * 2);
    for (let id = 1; id < size; id++) slots[slotOf(parents.get(id), nameOf(id))] = id;
  };
  const add = (parent: PathId, name: string): PathId => {
    const id = size++;
    ends.set(id, names.add(name));
    parents.set(id, parent);
    lengths.set(id, lengths.get(parent) + name.length + 1);
    nextBeside.set(id, firstBelow.get(parent));
    firstBelow.set(parent, id);
    if (size * 2 > slots.length) grow();
    else slots[slotOf(parent, name)] = id;
    return id;
  };
  const namesOf = (id: PathId): string[] => {
    const found: string[] = [];
    for (let at = id; at !== rootPath; at = parents.get(at)) found.push(nameOf(at));
    return found.reverse();
  };
  const checkRoom = (parent: PathId, name: string): void => {
    if (size > limits.entries)
      throw new EnrootError("Corrupt", `Image has more than ${limits.entries} files`);
    if (lengths.get(parent) + name.length >= limits.path) {
      const path = showPath([...namesOf(parent), name].join("/"));
      throw new EnrootError("Corrupt", `Path in a layer is too long: ${path}`);
    }
    charge(name.length);
  };
  return {
    get size() {
      return size;
    },
    enter: (parent, name) => {
      const known = slots[slotOf(parent, name)] ?? 0;
      if (known !== 0) return known;
      checkRoom(parent, name);
      return add(parent, name);
    },
    find: (parent, name) => slots[slotOf(parent, name)] || undefined,
    parentOf: parents.get,
    below: function* (id) {
      for (let at = firstBelow.get(id); at !== 0; at = nextBeside.get(at)) yield at;
    },
    textOf: (id) => namesOf(id).join("/"),
    namesOf,
    charge,
  };
}

/** Murmur's step for each byte. */
function hash(name: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < name.length; at++) {
    value = Math.imul(value ^ name.charCodeAt(at), 0x5bd1e995);
    value ^= value >>> 15;
  }
  value = Math.imul(value, 0x5bd1e995);
  return (value ^ (value >>> 13)) >>> 0;
}
