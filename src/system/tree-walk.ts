// SPDX-License-Identifier: Apache-2.0
// Everything in a directory tree. Names are bytes, kept as latin1 strings: one character for each.
import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { EnrootError } from "../errors.ts";
import { describeErrno } from "./errno.ts";

/** Something in a tree. */
export interface TreeEntry {
  /** Below the tree's root, which is empty itself. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "fifo" | "hardlink";
  /** What a symbolic link says; of a file that came before under another name, that name. */
  readonly link: string;
  /** Seconds after 1970. */
  readonly mtime: number;
}

/** A path of bytes below a directory, for functions of node:fs. */
export function bytePath(directory: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, "latin1")]);
}

/** Lists a tree, directories before what is in them; links are not followed. @throws EnrootError Tool */
export function* walkTree(root: string): Generator<TreeEntry> {
  const names = new Map<string, string>();
  const waiting = [""];
  try {
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const entry = describe(root, path, names);
      if (entry === undefined) continue;
      yield entry;
      if (entry.type !== "directory") continue;
      const below = path === "" ? "" : `${path}/`;
      for (const name of readdirSync(bytePath(root, path), { encoding: "buffer" }))
        waiting.push(below + name.toString("latin1"));
    }
  } catch (cause) {
    if (cause instanceof EnrootError) throw cause;
    throw new EnrootError("Tool", `Could not read ${root}: ${describeErrno(cause)}`, { cause });
  }
}

function describe(root: string, path: string, names: Map<string, string>): TreeEntry | undefined {
  const place = bytePath(root, path);
  const stat = lstatSync(place);
  const mtime = Math.floor(stat.mtimeMs / 1000);
  const type = typeOf(stat);
  if (type === undefined || type === "directory") return type && { path, type, link: "", mtime };
  const first = stat.nlink > 1 ? names.get(String(stat.ino)) : undefined;
  if (first !== undefined) return { path, type: "hardlink", link: first, mtime };
  if (stat.nlink > 1) names.set(String(stat.ino), path);
  const link = type === "symlink" ? readlinkSync(place, { encoding: "buffer" }).toString("latin1") : "";
  return { path, type, link, mtime };
}

function typeOf(stat: Stats): "file" | "directory" | "symlink" | "fifo" | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  return stat.isFIFO() ? "fifo" : undefined;
}
