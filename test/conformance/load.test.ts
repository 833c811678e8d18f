// SPDX-License-Identifier: Apache-2.0
// load: an image straight into a container.
// Also with containers that are datasets.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { imageRegistry, type Tree, treeOf } from "../fixtures/index.ts";
import {
  inStore,
  isUnpacking,
  isZfsChosen,
  processesOf,
  type Registry,
  sandbox,
  testUser,
  until,
} from "../harness/index.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";
import { files } from "./surroundings.ts";

const { uid } = testUser();
/** The machine that tests of datasets run on is an emulated one, to which everything is large. */
const isSlow = isZfsChosen();
/** Takes a while to unpack. */
const large = isSlow ? "test/odd" : "test/medium";
let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small", "odd", "medium", "multi"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

// The root directory's time and size are of whatever was made in it last.
function content(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => path !== "."));
}

/** The trees that load, and import and create, make of an image. */
async function both(image: string): Promise<[loaded: Tree, created: Tree]> {
  await using box = await sandbox({ env: registry.env });
  await box.ok(["load", "-n", "loaded", registry.uri(image)]);
  const env = { ENROOT_ZFS_IMPORT_FORMAT: "squashfs" };
  await box.ok(["import", "-o", "image.sqsh", registry.uri(image)], { env });
  await box.ok(["create", "-n", "created", "image.sqsh"]);
  expect(await inStore(box)).toEqual(["created", "loaded"]);
  expect(await files(box, box.temp)).toBe("");
  return [content(await treeOf(join(box.data, "loaded"))), content(await treeOf(join(box.data, "created")))];
}

test("gives what import and create give", async () => {
  const trees = await both("test/small:latest");
  const [loaded, created] = trees.map((tree) =>
    Object.entries(tree).map(([path, entry]) => [path, { ...entry, time: 0 }]),
  );
  expect(loaded).toEqual(created);
}, 60_000);

improvement.each("times of bash enroot's are those of the making; it does not unpack some links", [
  ["test/small:latest"],
  ["test/odd:mixed"],
  ...(isSlow ? [] : [["test/odd:latest"] as const, ["test/medium:latest"] as const]),
])(
  "of %s gives exactly what import and create give",
  async (image) => {
    const [loaded, created] = await both(image);
    expect(loaded).toEqual(created);
  },
  300_000,
);

test("the default name is that of an import, and the container runs", async () => {
  await using box = await sandbox({ env: registry.env });
  await box.ok(["load", registry.uri("test/small:latest")]);
  expect(await inStore(box)).toEqual(["test+small+latest"]);
  expect(await box.ok(["start", "test+small+latest", "sh", "-c", "echo started"])).toBe("started\n");
});

test("the architecture may be another one", async () => {
  await using box = await sandbox({ env: registry.env });
  await box.ok(["load", "-a", "aarch64", "-n", "box", registry.uri("test/multi:docker")]);
  expect(await readFile(join(box.data, "box/etc/architecture"), "utf8")).toBe("arm64\n");
});

test("a container of that name stays without force and goes with it", async () => {
  await using box = await sandbox({ env: registry.env });
  await box.ok(["load", "-n", "box", registry.uri("test/small")]);
  await box.run(["sh", "-c", "echo > box/mark"], { cwd: box.data });
  expect(refusal(await box.enroot(["load", "-n", "box", registry.uri("test/small")]))).toContain(
    "already exists",
  );
  expect(await readdir(join(box.data, "box"))).toContain("mark");
  await box.ok(["load", "--force", "-n", "box", registry.uri("test/small")]);
  expect(await readdir(join(box.data, "box"))).not.toContain("mark");
});

test("no registry there leaves nothing", async () => {
  await using box = await sandbox({ env: registry.env });
  const { status } = await box.enroot(["load", "docker://127.0.0.1:1#test/none"]);
  expect(status).not.toBe(0);
  expect(await inStore(box)).toEqual([]);
});

test.each([
  ["no URI", ["load", "test/small"]],
  ["a name with a slash", ["load", "-n", "a/b", "docker://test/small"]],
  ["an unknown architecture", ["load", "-a", "vax", "docker://test/small"]],
])("%s is refused and leaves nothing", async (_, args) => {
  await using box = await sandbox({ env: registry.env });
  refusal(await box.enroot(args));
  expect(await inStore(box)).toEqual([]);
});

improvement.each("bash enroot leaves files, or goes on", [["SIGTERM"], ["SIGINT"], ["SIGHUP"]] as const)(
  "%s ends it without a trace",
  async (signal) => {
    await using box = await sandbox({ env: registry.env });
    const child = box.start(["load", "-n", "box", registry.uri(large)]);
    await until("the first files", () => isUnpacking(box));
    child.kill(signal);
    expect(await child.exited).toMatchObject({ status: null, signal });
    expect(await inStore(box)).toEqual([]);
    expect(await files(box, box.temp)).toBe("");
  },
  60_000,
);

improvement(
  "bash enroot leaves files",
  "what a killed load has left goes with the next one",
  async () => {
    await using box = await sandbox({ env: registry.env });
    const child = box.start(["load", "-n", "box", registry.uri(large)]);
    await until("the first files", () => isUnpacking(box));
    child.kill("SIGKILL");
    await child.exited;
    await until("the end of its programs", async () => (await processesOf(uid, box.root)).length === 0);
    expect(await box.ok(["list"])).toBe("");
    await box.ok(["load", "-n", "box", registry.uri("test/small")]);
    expect(await inStore(box)).toEqual(["box"]);
  },
  60_000,
);
