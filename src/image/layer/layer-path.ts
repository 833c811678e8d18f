// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";
import { limits } from "./tar-entry.ts";

/** Shows a path of bytes in a message. */
export function showPath(path: string): string {
  return JSON.stringify(Buffer.from(path.slice(0, 200), "latin1").toString("utf8"));
}

/**
 * Names of a path below the root, `.` and empty names left out, `..` taken back.
 * @throws EnrootError Corrupt when it leads out of the root, or is beyond what Linux allows
 */
export function splitPath(path: string): string[] {
  if (path.length > limits.path)
    throw new EnrootError("Corrupt", `Path in a layer is too long: ${showPath(path)}`);
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (names.pop() === undefined)
        throw new EnrootError("Corrupt", `Path in a layer leads out of it: ${showPath(path)}`);
    } else if (name.length > limits.name) {
      throw new EnrootError("Corrupt", `Name in a layer is too long: ${showPath(name)}`);
    } else names.push(name);
  }
  if (names.length > limits.depth)
    throw new EnrootError("Corrupt", `Path in a layer is too deep: ${showPath(path)}`);
  return names;
}

/** What a member of a layer does. Paths are those of the directory and of the name in it. */
export type Change =
  | { readonly kind: "entry"; readonly names: readonly string[] }
  /** `.wh.NAME`: hides NAME of the layers below (OCI image specification, layer.md). */
  | { readonly kind: "whiteout"; readonly names: readonly string[] }
  /** `.wh..wh..opq`: hides all that the layers below have in this directory. */
  | { readonly kind: "opaque"; readonly names: readonly string[] }
  /** Bookkeeping of other storage drivers (`.wh..wh.plnk`). */
  | { readonly kind: "ignored" };

/** Tells what a member means from its path. @throws EnrootError Corrupt */
export function changeOf(path: string): Change {
  const names = splitPath(path);
  const marked = names.findIndex((name) => name.startsWith(".wh."));
  if (marked < 0) return { kind: "entry", names };
  const parent = names.slice(0, marked);
  const hidden = (names[marked] ?? "").slice(".wh.".length);
  if (hidden === ".wh..opq" && marked === names.length - 1) return { kind: "opaque", names: parent };
  if (hidden.startsWith(".wh.")) return { kind: "ignored" };
  if (hidden === "" || hidden === "." || hidden === ".." || marked !== names.length - 1) {
    throw new EnrootError("Corrupt", `Invalid whiteout in a layer: ${showPath(path)}`);
  }
  return { kind: "whiteout", names: [...parent, hidden] };
}
