// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: a pool that comes back after a reboot mounts nothing of a store; its users go on nevertheless.
import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host } from "../harness/index.ts";
import { lines, scene } from "./scene.ts";

test("containers and templates are there when the pool is imported again", async () => {
  const pool = `enroot-reboot-${process.pid}`;
  const file = `/tmp/${pool}.img`;
  await host(["truncate", "-s", "256M", file]);
  await host(["zpool", "create", pool, file]);
  try {
    await using place = await scene({ pool });
    const { box, store } = place;
    const mounted = async (): Promise<string[]> => {
      const table = await host(["findmnt", "--raw", "--noheadings", "--types", "zfs", "--output", "SOURCE"]);
      return lines(table).filter((source) => source.startsWith(`${store.dataset}/`));
    };
    const path = await image(box, `${busybox}; echo text > file`);
    for (const name of ["one", "two"]) await box.ok(["create", "-n", name, path]);
    await box.ok(["start", "--rw", "one", "sh", "-c", "echo mine > /file"]);
    expect(await mounted()).toHaveLength(2);

    await host(["zpool", "export", "-f", pool]);
    await host(["zpool", "import", "-d", file, pool]);
    expect(await mounted()).toEqual([]);
    expect(await box.ok(["list"])).toBe("one\ntwo\n");
    expect(await box.ok(["start", "one", "cat", "/file"])).toBe("mine\n");
    expect(await mounted()).toEqual([`${store.dataset}/one`]);
    await box.ok(["export", "-o", "two.sqsh", "two"]);
    expect(await host(["unsquashfs", "-cat", join(box.work, "two.sqsh"), "file"])).toBe("text\n");

    const before = await place.templates();
    await box.ok(["create", "-n", "three", path]);
    expect(await place.templates()).toEqual(before);
    await box.ok(["remove", "-f", "one", "two", "three"]);
    expect(await box.ok(["list"])).toBe("");
  } finally {
    await host(["zpool", "destroy", pool]);
    await rm(file);
  }
});
