// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: enroot-zfs-mount does what it is for, with a user's own datasets.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, zfsPool } from "../harness/index.ts";
import { type Mounting, mounting, mountsOf, refusal } from "./mounting.ts";

let place: Mounting;
beforeAll(async () => {
  place = await mounting();
});
afterAll(() => place[Symbol.asyncDispose]());

test("mounts and unmounts a dataset at the store's place for it, twice without a word", async () => {
  const dataset = await place.dataset("first");
  const point = join(place.store.path, "first");
  await place.quietly([dataset]);
  await place.quietly([dataset]);
  const mounts = mountsOf(dataset);
  expect(mounts).toHaveLength(1);
  expect(mounts[0]).toStartWith(`${dataset} ${point} zfs rw,nosuid,nodev`);
  expect((await place.box.run(["touch", join(point, "file")])).status).toBe(0);
  await place.quietly(["--unmount", dataset]);
  expect(mountsOf(dataset)).toEqual([]);
  expect(existsSync(join(point, "file"))).toBeFalse();
  await place.quietly(["--unmount", dataset]);
});

test("mounts below names that are no directories yet", async () => {
  await place.dataset(".templates");
  const dataset = await place.dataset(".templates/0123abcd");
  await place.quietly([dataset]);
  expect(mountsOf(dataset)[0]).toContain(` ${place.store.path}/.templates/0123abcd zfs `);
  await place.quietly(["--unmount", dataset]);
});

test("mounts clones, and what is read-only as read-only", async () => {
  const dataset = await place.dataset("origin");
  await place.box.run(["zfs", "snapshot", `${dataset}@pristine`]);
  const clone = `${place.store.dataset}/clone`;
  const options = ["-o", "canmount=noauto", "-o", "readonly=on"];
  expect((await place.box.run(["zfs", "clone", ...options, `${dataset}@pristine`, clone])).status).toBe(0);
  await place.quietly([clone]);
  expect(mountsOf(clone)[0]).toContain(" zfs ro,nosuid,nodev");
  expect((await place.box.run(["touch", join(place.store.path, "clone/file")])).status).not.toBe(0);
  await place.quietly(["--unmount", clone]);
});

test("of many calls at once one mounts, and all succeed", async () => {
  const dataset = await place.dataset("crowded");
  await Promise.all(Array.from({ length: 16 }, () => place.quietly([dataset])));
  expect(mountsOf(dataset)).toHaveLength(1);
  await place.quietly(["--unmount", dataset]);
});

test("runs no other program", async () => {
  const dataset = await place.dataset("alone");
  const log = join(place.box.root, "strace");
  const trace = ["strace", "-f", "-u", "enroot-test", "-e", "trace=process", "-o", log];
  const result = await place.box.run([...trace, place.store.helper, dataset], { user: "root" });
  expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
  const calls = (await host(["cat", log])).match(/\b(clone3?|fork|vfork|execve|execveat)\(/g);
  expect(calls).toEqual(["execve("]);
  await place.quietly(["--unmount", dataset]);
});

test("refuses what is in its way", async () => {
  const dataset = await place.dataset("blocked");
  const point = join(place.store.path, "blocked");
  await writeFile(point, "");
  expect(refusal(await place.mount([dataset]))).toBe(`Could not open ${point}: Not a directory`);
  await host(["rm", point]);
  await place.box.run(["mkdir", "-p", join(point, "inside")]);
  expect(refusal(await place.mount([dataset]))).toBe(`The directory ${point} is not empty`);
  expect(mountsOf(dataset)).toEqual([]);
});

test("says that a dataset is mounted elsewhere", async () => {
  const dataset = await place.dataset("abroad");
  const elsewhere = join(place.box.root, "elsewhere");
  await mkdir(elsewhere);
  await host(["mount", "-t", "zfs", "-o", "zfsutil", dataset, elsewhere]);
  expect(refusal(await place.mount([dataset]))).toBe(`The dataset ${dataset} is mounted on ${elsewhere}`);
  expect(refusal(await place.mount(["--unmount", dataset]))).toContain(`is mounted on ${elsewhere}`);
  expect(mountsOf(dataset)).toHaveLength(1);
  await host(["umount", elsewhere]);
});

test("says that something else is mounted in a dataset's place", async () => {
  const dataset = await place.dataset("covered");
  const point = join(place.store.path, "covered");
  await mkdir(point);
  await host(["mount", "-t", "tmpfs", "tmpfs", point]);
  expect(refusal(await place.mount([dataset]))).toBe(`Something else is mounted on ${point}`);
  expect(refusal(await place.mount(["--unmount", dataset]))).toBe(`Something else is mounted on ${point}`);
  await host(["umount", point]);
});

test("says that there is no such dataset", async () => {
  const dataset = `${place.store.dataset}/missing`;
  expect(refusal(await place.mount([dataset]))).toBe(`Could not mount ${dataset}: No such file or directory`);
  await place.quietly(["--unmount", dataset]);
});

test("takes nothing that is not strictly below the store", async () => {
  const sibling = `${place.store.dataset}-sibling`;
  await host(["zfs", "create", "-o", "canmount=noauto", sibling]);
  try {
    for (const dataset of [
      zfsPool(),
      place.store.dataset,
      sibling,
      `${sibling}/below`,
      "elsewhere/dataset",
    ]) {
      expect(refusal(await place.mount([dataset]))).toMatch(/is not below the store|Invalid dataset name/);
      expect(refusal(await place.mount(["--unmount", dataset]))).toMatch(
        /is not below the store|Invalid dataset name/,
      );
    }
    expect(mountsOf(place.store.dataset)).toHaveLength(1);
  } finally {
    await host(["zfs", "destroy", sibling]);
  }
});

test("names the capability and the package when it has none", async () => {
  const dataset = await place.dataset("incapable");
  const copy = join(place.box.root, "incapable");
  await host(["cp", place.store.helper, copy]);
  const result = await place.box.run([copy, dataset]);
  expect(refusal(result)).toBe(
    "enroot-zfs-mount lacks the capability cap_sys_admin: install the package enroot+caps",
  );
});
