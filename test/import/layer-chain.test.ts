// SPDX-License-Identifier: Apache-2.0
// Layers put one over the other on disk come to what the image in one piece comes to.
import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings, type Settings } from "../../src/config/settings.ts";
import { EnrootError } from "../../src/errors.ts";
import { type DiffId, parseDigest } from "../../src/image/digest.ts";
import type { ImageSource } from "../../src/image/image-source.ts";
import { bytePath, walkTree } from "../../src/system/tree-walk.ts";
import { openDirectoryOutput, requireTar } from "../../src/usecases/directory-output.ts";
import { writeFlattened } from "../../src/usecases/flattened-image.ts";
import { chainIds, openLayerChain } from "../../src/usecases/layer-chain.ts";
import { openProgress } from "../../src/usecases/progress.ts";
import { archive, type Member } from "../registry/archive.ts";
import { digestOf } from "../registry/scripted-image.ts";
import { randomLayers } from "../unit/image/layer/random-layers.ts";

/** An image whose layers are files in a directory. */
function imageOf(layers: readonly (readonly Member[])[], directory: string): ImageSource {
  const tars = layers.map((members) => archive(members));
  for (const [index, tar] of tars.entries()) writeFileSync(join(directory, `${index}.tar`), tar);
  const diffIds = tars.map((tar): DiffId => parseDigest(digestOf(tar)));
  const nothing = { architecture: "", env: [], entrypoint: [], cmd: [], volumes: [], labels: new Map() };
  return {
    uri: "docker://test",
    manifestDigest: undefined,
    configDigest: parseDigest(digestOf(Buffer.from("config"))),
    config: { ...nothing, workingDir: "/a/work", diffIds, created: "2024-01-02T03:04:05Z" },
    layers: tars.map(({ length }) => ({ size: length })),
    layerFile: async (index) => ({ path: join(directory, `${index}.tar`) }),
    skipLayers: () => undefined,
    close: async () => undefined,
  };
}

/** Everything about every file of a tree, names of one file together. */
function listing(directory: string): string[] {
  const first = new Map<number, string>();
  const entries = [...walkTree(directory)].sort((a, b) => (a.path < b.path ? -1 : 1));
  return entries.map(({ path, type, link, mtime }) => {
    const place = bytePath(directory, path);
    const { ino, mode } = lstatSync(place);
    if (!first.has(ino)) first.set(ino, path);
    const what = type === "hardlink" ? typeOf(place) : type;
    const text = what === "file" ? readFileSync(place, "latin1") : "";
    const target = type === "symlink" ? link : "";
    return JSON.stringify([path, what, mode.toString(8), mtime, first.get(ino), target, text]);
  });
}

function typeOf(place: Buffer): string {
  const stat = lstatSync(place);
  return stat.isSymbolicLink() ? "symlink" : stat.isFile() ? "file" : "fifo";
}

async function refused(work: Promise<void>): Promise<"refused" | "done"> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (error instanceof EnrootError && error.kind === "Corrupt") return "refused";
    throw error;
  }
}

/** The trees that layers come to in one piece, and one by one. */
async function both(
  layers: readonly (readonly Member[])[],
): Promise<Record<"whole" | "chain", string[] | string>> {
  const work = mkdtempSync(join(tmpdir(), "enroot-chain."));
  try {
    for (const name of ["whole", "chain"]) mkdirSync(join(work, name));
    const settings = await loadSettings({ HOME: work, ENROOT_DATA_PATH: work });
    const image = imageOf(layers, work);
    return {
      whole: await one(inOnePiece(image, settings, join(work, "whole")), join(work, "whole")),
      chain: await one(layerByLayer(image, settings, join(work, "chain")), join(work, "chain")),
    };
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function one(work: Promise<void>, directory: string): Promise<string[] | string> {
  return (await refused(work)) === "done" ? listing(directory) : "refused";
}

const modeMask = 0o1777;

async function inOnePiece(image: ImageSource, settings: Settings, directory: string): Promise<void> {
  const open = () => openDirectoryOutput({ program: requireTar(), directory, data: directory });
  const clear = async (): Promise<void> => {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
  };
  await writeFlattened({ image, settings, progress: openProgress(), modeMask, open, clear });
}

async function layerByLayer(image: ImageSource, settings: Settings, directory: string): Promise<void> {
  const options = { image, settings, progress: openProgress(), program: requireTar(), modeMask };
  const chain = openLayerChain(options);
  for (const index of chain.ids.keys()) await chain.apply(index, directory);
  await chain.complete(directory);
}

const dir = (name: string, more: Partial<Member> = {}): Member => ({ name, flag: "5", ...more });
const file = (name: string, data = name): Member => ({ name, data });
const link = (name: string, target: string): Member => ({ name, flag: "2", link: target });
const hard = (name: string, target: string): Member => ({ name, flag: "1", link: target });

describe("layer by layer an image is what it is in one piece", () => {
  test.each<[string, Member[][]]>([
    [
      "files replaced and added",
      [
        [dir("d"), file("d/a", "1"), file("b")],
        [file("d/a", "2"), file("d/c")],
      ],
    ],
    [
      "whiteouts",
      [
        [dir("d"), file("d/a"), file("d/b"), dir("e"), file("e/f")],
        [file("d/.wh.a"), file(".wh.e")],
      ],
    ],
    [
      "an opaque directory",
      [
        [dir("d"), file("d/a"), dir("d/e"), file("d/e/f")],
        [dir("d", { mode: 0o700 }), file("d/.wh..wh..opq"), file("d/b")],
      ],
    ],
    [
      "a directory of an opaque one that comes again",
      [
        [dir("d"), dir("d/e"), file("d/e/f")],
        [file("d/.wh..wh..opq"), file("d/e/g")],
      ],
    ],
    [
      "a directory becomes a file, and a file a directory",
      [
        [dir("d"), file("d/a"), file("f")],
        [file("d"), dir("f"), file("f/a")],
      ],
    ],
    [
      "a directory becomes a link, and a link a directory",
      [
        [dir("d"), file("d/a"), link("l", "d")],
        [link("d", "/tmp"), dir("l"), file("l/b")],
      ],
    ],
    [
      "a name through a link of a lower layer",
      [
        [dir("usr"), dir("usr/lib"), file("usr/lib/a"), link("lib", "usr/lib")],
        [file("lib/b"), file("lib/.wh.a")],
      ],
    ],
    [
      "a name through a link that leads out",
      [[link("out", "/../../../../tmp")], [file("out/enroot-chain-escape")]],
    ],
    [
      "hard links to a lower layer's file",
      [
        [dir("d"), file("d/a")],
        [hard("b", "d/a"), hard("d/c", "d/a")],
        [file("d/.wh.a"), hard("e", "b")],
      ],
    ],
    ["a hard link to what the layer takes away", [[file("a")], [hard("b", "a"), file(".wh.a")]]],
    ["one of two names replaced", [[file("a"), hard("b", "a")], [file("a", "other")]]],
    [
      "another mode of a directory with files",
      [[dir("d"), file("d/a")], [dir("d", { mode: 0o1777, mtime: 5 })]],
    ],
    ["a root of its own mode and time", [[file("a")], [dir("./", { mode: 0o555, mtime: 7 })], [file("b")]]],
    [
      "names that are no text",
      [
        [dir("\xff"), file("\xff/\xfe\n")],
        [file("\xff/.wh.\xfe\n"), file("\xff/-rf")],
      ],
    ],
  ])("%s", async (_, layers) => {
    const { whole, chain } = await both(layers);
    expect(chain).toEqual(whole);
    expect(whole).not.toBe("refused");
  });

  test("random layers", async () => {
    for (let seed = 0; seed < 200; seed++) {
      const layers = randomLayers(seed, { names: ["a", "b", "c"], others: ["6"] });
      const { whole, chain } = await both(layers);
      if (!Bun.deepEquals(whole, chain))
        throw new Error(`seed ${seed}: ${JSON.stringify({ layers, whole, chain }, null, 1)}`);
    }
  });
});

test("a layer's id is that of the specification's example", () => {
  const ids = ["a", "b", "c"].map((name) => `sha256:${name.repeat(64)}`);
  const [first, second, third] = chainIds(ids);
  expect(first).toBe("a".repeat(64));
  const id = (text: string): string => digestOf(Buffer.from(text)).replace("sha256:", "");
  expect(second).toBe(id(`sha256:${first} ${ids[1]}`));
  expect(third).toBe(id(`sha256:${second} ${ids[2]}`));
});
