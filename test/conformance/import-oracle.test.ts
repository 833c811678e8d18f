// SPDX-License-Identifier: Apache-2.0
// What import makes of an image equals, file by file, what umoci makes of it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Entry, imageRegistry, oracleOf, type SetName, type Tree, treeOf } from "../fixtures/index.ts";
import { host, type Registry, type Sandbox, sandbox } from "../harness/index.ts";
import { improvement } from "./improvement.ts";

const why = "bash enroot changes times, and does not unpack hard links to lower layers";

let registry: Registry;
let box: Sandbox;

beforeAll(async () => {
  registry = await imageRegistry(["small", "odd", "medium"]);
  box = await sandbox({ env: registry.env });
}, 600_000);

afterAll(async () => {
  await box?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

async function imported(image: string): Promise<string> {
  const file = join(box.work, `${image.replace(/\W/g, "-")}.sqsh`);
  if (!existsSync(file)) await box.ok(["import", "-o", file, registry.uri(image)]);
  return file;
}

async function unpacked(file: string): Promise<Tree> {
  const directory = join(box.root, "unpacked");
  await host(["unsquashfs", "-no-progress", "-quiet", "-xattrs", "-dest", directory, file]);
  const tree = await treeOf(directory);
  await host(["rm", "-rf", directory]);
  return tree;
}

// In a mount namespace of the program that reads it. Unmounting ends squashfuse, which would keep the namespace.
async function mounted(file: string, mount: string): Promise<Tree> {
  const point = join(box.root, "mounted");
  const script = '/usr/bin/python3 "$1" "$2"; status=$?; umount "$2"; exit $status';
  const argv = ["sh", "-c", script, "sh", join(import.meta.dir, "../fixtures/tree.py"), point];
  const result = await box.run(argv, {
    user: "root",
    prepare: `mkdir -p ${point}; ${mount} ${file} ${point}`,
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as Tree;
}

// What enroot adds, and the directories that it makes for the configuration's WorkingDir and Volumes.
const added = ["etc/rc", "etc/rc.local", "etc/fstab", "etc/environment"];
const made: Readonly<Record<string, readonly string[]>> = {
  small: [],
  odd: ["odd/work dir", "odd/volume", "data"],
  medium: ["srv/work", "srv/data"],
};

// The owner of a container is not root outside of it, so what an image keeps from all but root becomes usable.
function usableMode({ kind, mode }: Entry): string {
  const bits = Number.parseInt(mode, 8);
  const added = kind === "DIR" ? 0o700 : kind !== "REG" ? 0 : bits & 0o111 ? 0o500 : 0o400;
  return (bits | added).toString(8).padStart(4, "0");
}

/** What an import has to be, going by what umoci says: owned by root, nothing in /dev, no files that enroot writes. */
function expected(tree: Tree): Tree {
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([path]) => !path.startsWith("dev/") && !added.includes(path))
      .map(([path, entry]) => [path, { ...entry, mode: usableMode(entry), owner: "0:0" }]),
  );
}

function without(tree: Tree, paths: readonly string[]): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !paths.includes(path)));
}

// Only what differs: the whole of a large tree would drown it.
function differences(actual: Tree, wanted: Tree): string[] {
  const paths = [...new Set([...Object.keys(actual), ...Object.keys(wanted)])].toSorted();
  return paths.flatMap((path) =>
    Bun.deepEquals(actual[path], wanted[path])
      ? []
      : [`${path}: ${JSON.stringify(actual[path])} instead of ${JSON.stringify(wanted[path])}`],
  );
}

function expectLikeUmoci(set: SetName, actual: Tree, oracle: Tree): void {
  const extra = [...added, ...(made[set] ?? [])];
  for (const path of extra) expect(Object.keys(actual)).toContain(path);
  expect(differences(without(actual, extra), expected(oracle))).toEqual([]);
}

// Times of directories that enroot's own files are made in, and that the layers do not say.
function withoutTimes(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).map(([path, entry]) => [path, { ...entry, time: 0 }]));
}

test("an image's files are what umoci unpacks", async () => {
  const tree = withoutTimes(await unpacked(await imported("test/small:latest")));
  expectLikeUmoci("small", tree, withoutTimes(await oracleOf("small")));
}, 300_000);

describe.each<[SetName, readonly string[]]>([
  ["small", ["latest", "oci", "zstd", "plain"]],
  ["odd", ["latest", "docker", "mixed"]],
  ["medium", ["latest", "oci", "mixed"]],
])("test/%s", (set, tags) => {
  improvement(
    why,
    "unpacked by unsquashfs, is what umoci unpacks, with its times",
    async () => {
      expectLikeUmoci(set, await unpacked(await imported(`test/${set}:${tags[0]}`)), await oracleOf(set));
    },
    300_000,
  );

  improvement.each(
    why,
    tags.map((tag) => [tag] as const),
  )(
    ":%s, mounted by the kernel, is what umoci unpacks",
    async (tag) => {
      const file = await imported(`test/${set}:${tag}`);
      expectLikeUmoci(set, await mounted(file, "mount -t squashfs -o loop,ro"), await oracleOf(set));
    },
    300_000,
  );
});

improvement(
  why,
  "squashfuse reads what the kernel reads",
  async () => {
    // Its inode numbers are made up, and version 0.1.105 mixes up the prefixes of attributes.
    const plain = (tree: Tree): Tree =>
      Object.fromEntries(
        Object.entries(tree).map(([path, { same, xattrs, ...entry }]) => [
          path,
          { ...entry, ...(xattrs === undefined ? {} : { values: Object.values(xattrs) }) },
        ]),
      );
    const file = await imported("test/odd:latest");
    const kernel = await mounted(file, "mount -t squashfs -o loop,ro");
    expect(differences(plain(await mounted(file, "squashfuse")), plain(kernel))).toEqual([]);
  },
  60_000,
);
