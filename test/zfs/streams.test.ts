// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: images that are streams of zfs send, and what a stream may not bring along.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, userName } from "../harness/index.ts";
import { refusal, type Scene, scene } from "./scene.ts";

let place: Scene;

beforeAll(async () => {
  place = await scene();
  const file = await image(place.box, `${busybox}; echo original > file`);
  await place.box.ok(["create", "-n", "box", file]);
  await place.box.ok(["start", "--rw", "box", "sh", "-c", "echo changed > /file; echo new > /new"]);
  await place.box.ok(["export", "--format=zfs", "box"]);
});
afterAll(() => place[Symbol.asyncDispose]());

/** Makes a stream as root, of a dataset of `make`'s; returns its path. */
async function foreign(name: string, make: (dataset: string) => Promise<string[]>): Promise<string> {
  const dataset = `${place.store.dataset}/.foreign`;
  const file = join(place.box.work, name);
  const send = await make(dataset);
  await host(["sh", "-c", `zfs send "$@" > "$0"`, file, ...send]);
  await chmod(file, 0o644);
  await host(["zfs", "destroy", "-r", dataset]);
  return file;
}

/** A file system of the user's with a snapshot. */
async function fileSystem(dataset: string, prepare = "true"): Promise<string> {
  const mount = join(place.box.root, "foreign");
  await host(["zfs", "create", "-o", `mountpoint=${mount}`, dataset]);
  await host(["sh", "-ec", `chown ${userName}: "$0"; cd "$0"; ${prepare}`, mount]);
  await host(["zfs", "snapshot", `${dataset}@one`]);
  return mount;
}

describe("export --format=zfs", () => {
  test("writes NAME.zfs, and leaves no snapshot", async () => {
    expect(existsSync(join(place.box.work, "box.zfs"))).toBe(true);
    expect(await host(["zfs", "list", "-H", "-t", "snapshot", "-d", "1", `${place.store.dataset}/box`])).toBe(
      "",
    );
  });

  test("holds the container's changes", async () => {
    await place.box.ok(["create", "-n", "copy", "box.zfs"]);
    expect(await place.box.ok(["start", "copy", "cat", "/file", "/new"])).toBe("changed\nnew\n");
    await place.box.ok(["remove", "-f", "copy"]);
  });

  test("replaces a file with --force alone", async () => {
    expect(refusal(await place.box.enroot(["export", "--format=zfs", "box"]))).toContain(
      "File already exists",
    );
    await place.box.ok(["export", "--format=zfs", "-f", "box"]);
  });

  test("of a missing container leaves no file", async () => {
    expect(refusal(await place.box.enroot(["export", "--format=zfs", "nobody"]))).toContain("No such file");
    expect(existsSync(join(place.box.work, "nobody.zfs"))).toBe(false);
  });

  test("names the delegation that is missing", async () => {
    await host(["zfs", "unallow", userName, "send", place.store.dataset]);
    const words = refusal(await place.box.enroot(["export", "--format=zfs", "-o", "denied.zfs", "box"]));
    expect(words).toContain("permission denied");
    expect(words).toContain(`zfs allow ${userName} send`);
    expect(existsSync(join(place.box.work, "denied.zfs"))).toBe(false);
    await host(["zfs", "allow", userName, "send", place.store.dataset]);
  });
});

describe("create X.zfs", () => {
  test("makes one template for all containers of the file", async () => {
    const before = await place.templates();
    await place.box.ok(["create", "-n", "one", "box.zfs"]);
    await place.box.ok(["create", "-n", "two", "box.zfs"]);
    const added = (await place.templates()).filter((key) => !before.includes(key));
    expect(added).toEqual([(await host(["sha256sum", join(place.box.work, "box.zfs")])).slice(0, 64)]);
    await place.box.ok(["remove", "-f", "one", "two"]);
  });

  test("has the file's name by default", async () => {
    await place.box.run(["cp", "box.zfs", "other+1.zfs"]);
    await place.box.ok(["create", "other+1.zfs"]);
    expect(await place.box.ok(["start", "other+1", "cat", "/new"])).toBe("new\n");
    await place.box.ok(["remove", "-f", "other+1"]);
  });

  test("starts one without a container", async () => {
    expect(await place.box.ok(["start", "./box.zfs", "cat", "/new"])).toBe("new\n");
    await place.settled();
  });
});

describe("refused, with nothing left behind, is", () => {
  test.each([
    ["a stream that was cut off", `head -c 100000 box.zfs > bad.zfs`, /incomplete stream|checksum/],
    [
      "a stream that was changed",
      `cp box.zfs bad.zfs; printf XXXX | dd of=bad.zfs bs=1 seek=60000 conv=notrunc 2>/dev/null`,
      /checksum|invalid|incomplete|corrupt/i,
    ],
    ["something else", `echo hello > bad.zfs`, /Not a stream of ZFS/],
    ["an empty file", `: > bad.zfs`, /Not a stream of ZFS/],
  ])("%s", async (_, script, words) => {
    const before = await place.datasets();
    await place.box.run(["sh", "-c", script]);
    expect(refusal(await place.box.enroot(["create", "bad.zfs"]))).toMatch(words);
    expect(await place.datasets()).toEqual(before);
  });

  test("a stream with properties", async () => {
    const file = await foreign("properties.zfs", async (dataset) => {
      await fileSystem(dataset);
      return ["-p", `${dataset}@one`];
    });
    expect(refusal(await place.box.enroot(["create", file]))).toContain(
      "Not a stream of one ZFS file system",
    );
  });

  test("a stream of several file systems", async () => {
    const file = await foreign("several.zfs", async (dataset) => {
      await fileSystem(dataset);
      await host(["zfs", "create", "-u", `${dataset}/below`]);
      await host(["zfs", "snapshot", "-r", `${dataset}@two`]);
      return ["-R", `${dataset}@two`];
    });
    expect(refusal(await place.box.enroot(["create", file]))).toContain(
      "Not a stream of one ZFS file system",
    );
  });

  test("a difference", async () => {
    const file = await foreign("difference.zfs", async (dataset) => {
      await fileSystem(dataset);
      await host(["zfs", "snapshot", `${dataset}@two`]);
      return ["-i", "@one", `${dataset}@two`];
    });
    expect(refusal(await place.box.enroot(["create", file]))).toContain(
      "is a difference to another file system",
    );
  });

  test("a volume", async () => {
    const file = await foreign("volume.zfs", async (dataset) => {
      await host(["zfs", "create", "-s", "-V", "1M", dataset]);
      await host(["zfs", "snapshot", `${dataset}@one`]);
      return [`${dataset}@one`];
    });
    expect(refusal(await place.box.enroot(["create", file]))).toContain(
      "Not a stream of one ZFS file system",
    );
  });
});

test("a received file system's mount point, set-user-id programs and devices are inert", async () => {
  const file = await foreign("hostile.zfs", async (dataset) => {
    await fileSystem(
      dataset,
      `mkdir bin; cp /bin/busybox bin/sh; cp /bin/busybox bin/id; chown root:root bin/id; chmod 4755 bin/id; mknod -m 666 kmsg c 1 11`,
    );
    return [`${dataset}@one`];
  });
  const { box } = place;
  await box.ok(["create", file]);
  expect((await box.run([join(box.data, "hostile/bin/id"), "-u"])).stdout).not.toBe("0\n");
  expect((await box.run(["head", "-c", "1", join(box.data, "hostile/kmsg")])).status).not.toBe(0);
  expect(await place.property("mountpoint", "hostile")).toBe(join(box.data, "hostile"));
  await box.ok(["remove", "-f", "hostile"]);
});

test("a squashfs file is made of a container as well", async () => {
  await place.box.ok(["export", "box"]);
  expect(await host(["unsquashfs", "-cat", join(place.box.work, "box.sqsh"), "file"])).toBe("changed\n");
});
