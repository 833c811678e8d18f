// SPDX-License-Identifier: Apache-2.0
// Many at once, as the tasks of large jobs are: one image, one user or two.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ownRegistry } from "../fixtures/index.ts";
import {
  enrootBinary,
  host,
  type Registry,
  type Sandbox,
  sandbox,
  start,
  testUser,
} from "../harness/index.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await ownRegistry(["small"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

const thirty = Array.from({ length: 30 }, (_, index) => `c${String(index).padStart(2, "0")}`);

/** How many blobs the registry has sent. */
function fetched(): number {
  return registry.log().match(/"GET \/v2\/[^ ]*\/blobs\/[^ ]* HTTP\/[.0-9]*" 200/g)?.length ?? 0;
}

/** Imports into a cache of its own; returns how many blobs that fetches. */
async function once(): Promise<number> {
  await using box = await sandbox({ env: registry.env });
  const before = fetched();
  await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
  return fetched() - before;
}

async function imported(box: Sandbox): Promise<void> {
  await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
}

test("thirty containers of one image are created at once, and start at once", async () => {
  await using box = await sandbox({ env: registry.env });
  await imported(box);
  await Promise.all(thirty.map((name) => box.ok(["create", "-n", name, "a.sqsh"])));
  expect(await box.ok(["list"])).toBe(`${thirty.join("\n")}\n`);
  const outputs = await Promise.all(thirty.map((name) => box.ok(["start", name, "sh", "-c", "echo $SMALL"])));
  expect(outputs).toEqual(thirty.map(() => "yes\n"));
  await Promise.all(thirty.map((name) => box.ok(["remove", "-f", name])));
  expect(await readdir(box.data)).toEqual([]);
  expect(await readdir(box.temp)).toEqual([]);
}, 120_000);

test("of thirty that create one name, one does, and the others say that it exists", async () => {
  await using box = await sandbox({ env: registry.env });
  await imported(box);
  const results = await Promise.all(thirty.map(() => box.enroot(["create", "-n", "one", "a.sqsh"])));
  const made = results.filter(({ status }) => status === 0);
  expect(made).toHaveLength(1);
  for (const { status, stderr } of results.filter((result) => !made.includes(result)))
    expect({ status, exists: /already exists/.test(stderr) }).toEqual({ status: 1, exists: true });
  expect(await box.ok(["start", "one", "sh", "-c", "echo $SMALL"])).toBe("yes\n");
  expect(await readdir(box.data)).toEqual(["one"]);
}, 120_000);

test("thirty starts of one container", async () => {
  await using box = await sandbox({ env: registry.env });
  await imported(box);
  await box.ok(["create", "-n", "one", "a.sqsh"]);
  const outputs = await Promise.all(thirty.map(() => box.ok(["start", "one", "sh", "-c", "echo $SMALL"])));
  expect(outputs).toEqual(thirty.map(() => "yes\n"));
}, 120_000);

test("thirty starts of one image file leave neither mounts nor servers", async () => {
  await using box = await sandbox({ env: registry.env });
  await imported(box);
  const outputs = await Promise.all(
    thirty.map(() => box.ok(["start", join(box.work, "a.sqsh"), "sh", "-c", "echo $SMALL"])),
  );
  expect(outputs).toEqual(thirty.map(() => "yes\n"));
  expect(await readdir(box.runtime)).toEqual([]);
}, 120_000);

test("five imports of one image under different names fetch each blob once", async () => {
  const alone = await once();
  await using box = await sandbox({ env: registry.env });
  const before = fetched();
  const names = ["a", "b", "c", "d", "e"];
  await Promise.all(names.map((name) => box.ok(["import", "-o", name, registry.uri("test/small")])));
  expect(fetched() - before).toBe(alone);
  expect((await readdir(box.work)).toSorted()).toEqual(names);
});

test("of five imports to one name, one makes it, and the file is whole", async () => {
  await using box = await sandbox({ env: registry.env });
  const args = ["import", "-o", "a.sqsh", registry.uri("test/small")];
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => box.enroot(args)));
  expect(results.filter(({ status }) => status === 0)).toHaveLength(1);
  await box.ok(["create", "-n", "one", "a.sqsh"]);
  expect(await readdir(box.work)).toEqual(["a.sqsh"]);
});

/** Makes the cache one of a group, as an administrator does. */
async function shared(box: Sandbox): Promise<void> {
  await chmod(box.root, 0o711);
  await chmod(box.cache, 0o3770);
}

const otherUser = "games";

/** Imports as another user, of the test user's group, into directories of that user's but for the cache. */
async function importAsOther(box: Sandbox): Promise<void> {
  const place = join(box.root, "other");
  await host(["install", "-d", "-o", otherUser, "-m", "700", place]);
  const own = ["HOME", "ENROOT_CONFIG_PATH", "ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH", "ENROOT_TEMP_PATH"];
  const env = { ...box.env, ...Object.fromEntries(own.map((key) => [key, place])) };
  const drop = [
    "setpriv",
    `--reuid=${otherUser}`,
    `--regid=${testUser().gid}`,
    "--clear-groups",
    "--inh-caps=-all",
  ];
  const argv = [...drop, "--", enrootBinary(), "import", "-o", "other.sqsh", registry.uri("test/small")];
  const { status, stderr } = await start(argv, env, { user: "root", cwd: place }).exited;
  if (status !== 0) throw new Error(stderr);
}

test("a second user takes the blobs of a shared cache", async () => {
  await using box = await sandbox({ env: registry.env });
  await shared(box);
  await imported(box);
  const before = fetched();
  await importAsOther(box);
  expect(fetched() - before).toBe(0);
});

test("two users that import at once into a shared cache both succeed", async () => {
  await using box = await sandbox({ env: registry.env });
  await shared(box);
  await Promise.all([imported(box), importAsOther(box)]);
  expect((await stat(join(box.root, "other/other.sqsh"))).size).toBeGreaterThan(0);
  const owners = await host(["find", join(box.cache, "blobs"), "-name", "*.part"]);
  expect(owners).toBe("");
});

test("what another user has put into a shared cache is not believed", async () => {
  await using box = await sandbox({ env: registry.env });
  await shared(box);
  await importAsOther(box);
  const blobs = join(box.cache, "blobs/sha256");
  for (const name of await readdir(blobs)) {
    const size = (await stat(join(blobs, name))).size;
    await host([
      "dd",
      "if=/dev/zero",
      `of=${join(blobs, name)}`,
      `bs=${size}`,
      "count=1",
      "conv=notrunc",
      "status=none",
    ]);
  }
  await imported(box);
  await box.ok(["create", "-n", "one", "a.sqsh"]);
  expect(await box.ok(["start", "one", "sh", "-c", "echo $SMALL"])).toBe("yes\n");
});
