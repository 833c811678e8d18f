// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: what a user is told who lacks something, and root, who lacks nothing.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, userName } from "../harness/index.ts";
import { refusal, scene } from "./scene.ts";

test("without a delegation the verb and the command of the administrator are named, and nothing is left", async () => {
  await using place = await scene({ delegated: "" });
  const file = await image(place.box, busybox);
  const words = refusal(await place.box.enroot(["create", file]));
  expect(words).toContain("permission denied");
  expect(words).toContain(`zfs allow ${userName} create,mount,canmount,userprop`);
  expect(await place.datasets()).toEqual([]);
});

test("without the capability the package is named, and nothing is left", async () => {
  await using place = await scene({ capable: false });
  const file = await image(place.box, busybox);
  const words = refusal(await place.box.enroot(["create", file]));
  expect(words).toContain("enroot+caps");
  await place.settled();
  expect(await place.templates()).toEqual([]);
  expect(await place.box.ok(["list"])).toBe("");
});

test("root needs neither, and its containers gain nothing on the host", async () => {
  await using place = await scene({ delegated: "", capable: false });
  const { box } = place;
  const file = await image(box, `${busybox}; echo original > file`);
  // In its user namespace root is one user among others.
  const runtime = join(box.root, "root-runtime");
  await host(["mkdir", "-m", "700", runtime]);
  await host(["chmod", "711", box.root]);
  const root = { user: "root" as const, env: { ENROOT_RUNTIME_PATH: runtime } };
  await box.ok(["create", "-n", "box", file], root);
  const mounts = await host(["findmnt", "-no", "OPTIONS", join(box.data, "box")]);
  expect(mounts).toContain("nosuid");
  expect(mounts).toContain("nodev");
  expect(await box.ok(["start", "box", "cat", "/file"], root)).toBe("original\n");
  await box.ok(["create", "-f", "-n", "box", file], root);
  expect(await box.ok(["start", file, "cat", "/file"], root)).toBe("original\n");
  await place.settled();
  await box.ok(["remove", "-f", "box"], root);
  expect(await place.templates()).toHaveLength(1);
});

test("another user's store is not used, and nothing in it changes", async () => {
  await using place = await scene();
  const file = await image(place.box, busybox);
  await place.box.ok(["create", "-n", "box", file]);
  const before = await place.datasets();
  await host(["chmod", "711", place.box.root]);
  const other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  for (const command of [
    ["remove", "-f", "box"],
    ["create", "-f", "-n", "box", file],
    ["start", "box", "true"],
  ]) {
    const env = [
      "env",
      "ENROOT_CACHE_PATH=/tmp",
      "ENROOT_RUNTIME_PATH=/tmp/r65534",
      "ENROOT_CONFIG_PATH=/tmp",
    ];
    const program = place.store.helper.replace(/enroot-zfs-mount$/, "enroot");
    const result = await place.box.run([...other, ...env, program, ...command], { user: "root" });
    expect(result.status).toBe(1);
  }
  expect(await place.datasets()).toEqual(before);
});

test("in a user namespace the store is refused", async () => {
  await using place = await scene();
  const program = place.store.helper.replace(/enroot-zfs-mount$/, "enroot");
  const result = await place.box.run(["unshare", "--user", "--map-root-user", program, "list"]);
  expect(refusal(result)).toContain("cannot be used inside of a user namespace");
});
