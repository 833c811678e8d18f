// SPDX-License-Identifier: Apache-2.0
// Many layers to one archive, with one decompression of each. Layers are read from the top down, and what no upper layer
// hides by name is written at once. Afterwards a VirtualTree tells from the headers alone whether that was right; it is,
// unless names of one layer go through links of another, or hard links cross layers. Then a second archive is written,
// of exactly what the tree has.
import { EnrootError } from "../../errors.ts";
import type { AddedFile } from "../rootfs-files.ts";
import { changeOf } from "./layer-path.ts";
import { type LayerSource, readLayer } from "./layer-source.ts";
import { limits, type TarEntry } from "./tar-entry.ts";
import type { TarReader } from "./tar-reader.ts";
import { type ArchiveSink, openTarWriter, type TarWriter } from "./tar-writer.ts";
import { type Member, openVirtualTree, type TreeNode } from "./virtual-tree.ts";
import { openVisibility } from "./visibility.ts";

/** What is flattened. */
export interface Flattening {
  /** Bottom layer first. */
  readonly layers: readonly LayerSource[];
  /** Files that go over all layers. */
  readonly added: readonly AddedFile[];
  /** A directory that exists in the end. */
  readonly workingDir: string;
  /** Time of what has none of its own, in seconds. */
  readonly time: number;
  /** Time of everything instead of its own. */
  readonly fixedTime: number | undefined;
}

/** One name in the result. */
interface Visible {
  readonly path: string;
  readonly node: TreeNode;
}

/** What the first pass found out. */
export interface FirstPass {
  /** Whether the archive is what it should be. */
  readonly exact: boolean;
  readonly visible: readonly Visible[];
}

const originOf = (layer: number, index: number): string => `${layer}:${index}`;

/** Writes the archive, most likely rightly. */
export async function writeFirst(flattening: Flattening, sink: ArchiveSink): Promise<FirstPass> {
  const tar = openTarWriter(sink);
  const visibility = openVisibility();
  const members: Member[][] = [];
  const written = new Map<string, string>();
  let exact = true;
  let count = 0;

  for (let layer = flattening.layers.length; layer >= 0; layer--) {
    const list: Member[] = [];
    members[layer] = list;
    await readAny(flattening, layer, async (entry, index, data) => {
      if (++count > limits.entries)
        throw new EnrootError("Corrupt", `Image has more than ${limits.entries} files`);
      const { type, path, link } = entry;
      list.push({ layer, index, type, path, link });
      const change = changeOf(path);
      const shows = visibility.admit(change, type === "directory");
      if (!shows || change.kind !== "entry" || isDropped(type, change.names)) return;
      const name = change.names.join("/");
      const origin = type === "hardlink" ? targetOrigin(link, layer, written) : originOf(layer, index);
      if (origin === undefined || written.has(name)) exact = false;
      if (!exact || origin === undefined) return;
      written.set(name, origin);
      await writeEntry(tar, flattening, entry, name, data);
    });
    visibility.nextLayer();
  }
  const visible = listVisible(members, flattening);
  exact &&= isSame(written, visible);
  if (exact) {
    await writeImplicit(tar, flattening, visible);
    await tar.end();
  }
  return { exact, visible };
}

/** Writes the archive of exactly what a first pass found to be visible. */
export async function writeExact(
  flattening: Flattening,
  { visible }: FirstPass,
  sink: ArchiveSink,
): Promise<void> {
  const tar = openTarWriter(sink);
  const paths = new Map<string, string[]>();
  for (const { path, node } of visible) {
    if (!node.origin) continue;
    const origin = originOf(node.origin.layer, node.origin.index);
    paths.set(origin, [...(paths.get(origin) ?? []), path]);
  }
  for (let layer = flattening.layers.length; layer >= 0; layer--) {
    await readAny(flattening, layer, async (entry, index, data) => {
      const [first, ...others] = paths.get(originOf(layer, index)) ?? [];
      if (first === undefined) return;
      await writeEntry(tar, flattening, entry, first, data);
      for (const path of others) await writeEntry(tar, flattening, linkTo(entry, first), path, data);
    });
  }
  await writeImplicit(tar, flattening, visible);
  await tar.end();
}

function linkTo(entry: TarEntry, link: string): TarEntry {
  return { ...entry, type: "hardlink", link, size: 0, stored: 0, sparse: undefined, xattrs: new Map() };
}

type Visit = (entry: TarEntry, index: number, data: TarReader["data"]) => Promise<void>;

/** A layer of the image, or above them the files that are added. */
async function readAny({ layers, added, time }: Flattening, layer: number, visit: Visit): Promise<void> {
  const source = layers[layer];
  if (source) return readLayer(source, visit);
  for (const [index, { path, content, mode }] of added.entries()) {
    const data = Buffer.from(content);
    const size = data.length;
    const plain = {
      link: "",
      mtime: time,
      stored: size,
      sparse: undefined,
      xattrs: new Map<string, string>(),
    };
    await visit({ ...plain, type: "file", path, mode, size }, index, async function* () {
      yield data;
    });
  }
}

/** Devices are the host's to give; whatever a layer has in /dev is hidden by it. */
function isDropped(type: TarEntry["type"], names: readonly string[]): boolean {
  return type === "device" || (names[0] === "dev" && names.length > 1);
}

/** What a hard link of the first pass shares its data with, if that was written for the same layer. */
function targetOrigin(link: string, layer: number, written: ReadonlyMap<string, string>): string | undefined {
  const change = changeOf(link);
  const origin = change.kind === "entry" ? written.get(change.names.join("/")) : undefined;
  return origin?.startsWith(`${layer}:`) ? origin : undefined;
}

async function writeEntry(
  tar: TarWriter,
  { fixedTime }: Flattening,
  entry: TarEntry,
  path: string,
  data: TarReader["data"],
): Promise<void> {
  const link = entry.type === "hardlink" ? changeOf(entry.link) : undefined;
  await tar.header({
    ...entry,
    path: path === "" ? "./" : path,
    link: link?.kind === "entry" ? link.names.join("/") : entry.link,
    mtime: fixedTime ?? entry.mtime,
    xattrs: new Map([...entry.xattrs].filter(([name]) => isKept(name))),
  });
  if (entry.type !== "file") return;
  if (entry.sparse) await writeSparse(tar, entry, data);
  else for await (const piece of data()) await tar.data(piece);
  await tar.pad(entry.size);
}

/** Attributes that mean something in an image: a user's own, and file capabilities. */
function isKept(name: string): boolean {
  return name === "security.capability" || (name.startsWith("user.") && !name.startsWith("user.overlay."));
}

async function writeSparse(
  tar: TarWriter,
  { sparse, size }: TarEntry,
  data: TarReader["data"],
): Promise<void> {
  const pieces = data();
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  for (const run of sparse ?? []) {
    await tar.hole(run.offset - at);
    for (let missing = run.size; missing > 0; ) {
      if (rest.length === 0) rest = (await pieces.next()).value ?? Buffer.alloc(0);
      if (rest.length === 0) throw new EnrootError("Corrupt", "Layer is truncated");
      const piece = rest.subarray(0, missing);
      rest = rest.subarray(piece.length);
      missing -= piece.length;
      await tar.data(piece);
    }
    at = run.offset + run.size;
  }
  await tar.hole(size - at);
}

/** Everything that the layers come to, by applying them from the bottom up. */
function listVisible(members: readonly Member[][], { workingDir, layers }: Flattening): Visible[] {
  const tree = openVirtualTree();
  for (const list of members) for (const member of list) tree.apply(member);
  tree.makeDirectory(Buffer.from(workingDir).toString("latin1"), layers.length);
  const visible: Visible[] = [];
  const walk = (node: TreeNode, names: readonly string[]): void => {
    if (isDropped(node.origin?.type ?? "directory", names)) return;
    visible.push({ path: names.join("/"), node });
    for (const [name, child] of node.children ?? []) walk(child, [...names, name]);
  };
  walk(tree.root, []);
  return visible;
}

/** Whether what was written by name is what is visible. */
function isSame(written: ReadonlyMap<string, string>, visible: readonly Visible[]): boolean {
  const explicit = visible.filter(({ node }) => node.origin !== undefined);
  if (explicit.length !== written.size) return false;
  return explicit.every(
    ({ path, node: { origin } }) => origin && written.get(path) === originOf(origin.layer, origin.index),
  );
}

/** Directories that no layer mentions by themselves. */
async function writeImplicit(
  tar: TarWriter,
  { time, fixedTime }: Flattening,
  visible: readonly Visible[],
): Promise<void> {
  const directory = { type: "directory", link: "", mode: 0o755, mtime: fixedTime ?? time, size: 0 } as const;
  for (const { path, node } of visible) {
    if (node.origin === undefined)
      await tar.header({ ...directory, path: path === "" ? "./" : path, xattrs: new Map() });
  }
}
