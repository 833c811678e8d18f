// SPDX-License-Identifier: Apache-2.0
// What import makes of an image equals, file by file, what umoci makes of it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { imageRegistry, oracleOf, type SetName, type Tree, treeOf } from "../fixtures/index.ts";
import { host, type Registry, type Sandbox, sandbox } from "../harness/index.ts";

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
  await box.ok(["import", "-o", file, registry.uri(image)]);
  return file;
}

async function unpacked(file: string): Promise<Tree> {
  const directory = join(box.root, "unpacked");
  await host(["rm", "-rf", directory]);
  await host(["unsquashfs", "-no-progress", "-quiet", "-xattrs", "-dest", directory, file]);
  const tree = await treeOf(directory);
  await host(["rm", "-rf", directory]);
  return tree;
}

// What enroot adds, and the directory that it makes for the configuration's WorkingDir.
const added = ["etc/rc", "etc/rc.local", "etc/fstab", "etc/environment"];
const workingDirectories: Readonly<Record<string, readonly string[]>> = {
  small: [],
  odd: ["odd/work dir"],
  medium: ["srv/work"],
};

/** What an import has to be, going by what umoci says: owned by root, nothing in /dev, no files that enroot writes. */
function expected(tree: Tree): Tree {
  return Object.fromEntries(
    Object.entries(tree)
      .filter(([path]) => !path.startsWith("dev/") && !added.includes(path))
      .map(([path, entry]) => [path, { ...entry, owner: "0:0" }]),
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

describe.each<[SetName, readonly string[]]>([
  ["small", ["latest", "oci", "zstd", "plain"]],
  ["odd", ["latest", "docker", "mixed"]],
  ["medium", ["latest", "oci", "mixed"]],
])("test/%s", (set, [first = "", ...others]) => {
  let file: string;

  test(`:${first} has the same files as umoci finds`, async () => {
    file = await imported(`test/${set}:${first}`);
    const wanted = expected(await oracleOf(set));
    const extra = [...added, ...(workingDirectories[set] ?? [])];
    const actual = await unpacked(file);
    for (const path of extra) expect(Object.keys(actual)).toContain(path);
    expect(differences(without(actual, extra), wanted)).toEqual([]);
  }, 300_000);

  // Only the line of provenance tells where an image came from.
  test.each(others)(
    ":%s, the same layers in another form, gives the same files",
    async (tag) => {
      const other = await unpacked(await imported(`test/${set}:${tag}`));
      const one = await unpacked(file);
      expect(differences(without(other, ["etc/rc"]), without(one, ["etc/rc"]))).toEqual([]);
    },
    300_000,
  );
});

test("the kernel and squashfuse read what unsquashfs reads", async () => {
  const file = await imported("test/odd:latest");
  const wanted = await unpacked(file);
  const prepare = `mkdir -p ${box.root}/kernel ${box.root}/fuse; mount -o loop,ro ${file} ${box.root}/kernel`;
  const tree = join(import.meta.dir, "../fixtures/tree.py");
  const kernel = await box.run(["/usr/bin/python3", tree, `${box.root}/kernel`], { user: "root", prepare });
  expect(differences(JSON.parse(kernel.stdout), wanted)).toEqual([]);
  const fuse = 'squashfuse "$1" "$2" && /usr/bin/python3 "$3" "$2" && umount "$2"';
  const user = await box.run(["sh", "-c", fuse, "sh", file, `${box.root}/fuse`, tree], {
    user: "root",
    prepare,
  });
  expect(differences(JSON.parse(user.stdout), wanted)).toEqual([]);
}, 60_000);
