// SPDX-License-Identifier: Apache-2.0
// A real ZFS store for a test: a dataset of its own, delegated as documented. Where there is no pool, scripts/zfs-vm has
// one; a machine's own is used when ENROOT_TEST_ZPOOL names it.

import { chown, copyFile, mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distDirectory } from "./binary.ts";
import { mountsBelow } from "./leftover.ts";
import { host, until } from "./process.ts";
import { testUser, userName } from "./user.ts";

/** What docs/zfs.md tells an administrator to delegate to a user. */
export const delegation =
  "create,mount,clone,destroy,snapshot,rename,promote,receive,send,readonly,hold,release,canmount,userprop";

/** A store; see `zfsStore`. */
export interface ZfsStore extends AsyncDisposable {
  /** The store's dataset. */
  readonly dataset: string;
  /** Where it is mounted: ENROOT_DATA_PATH, also in the system's configuration. */
  readonly path: string;
  /** enroot-zfs-mount of this checkout, with its capability. */
  readonly helper: string;
}

/** What a store may be given. */
export interface ZfsStoreOptions {
  /** Delegated permissions; none for an empty string. */
  readonly delegated?: string;
  /** Options of `zfs create`, for instance `quota=100M`. */
  readonly properties?: readonly string[];
  /** Another pool than that of the tests. */
  readonly pool?: string;
  /** More lines for the system's configuration. */
  readonly configuration?: string;
  /** The capability of the mount helper, on unless this is false. */
  readonly capable?: boolean;
}

/** The pool that tests may use. */
export function zfsPool(): string {
  const pool = process.env["ENROOT_TEST_ZPOOL"];
  if (pool === undefined || pool === "")
    throw new Error("There is no pool: use scripts/test zfs, or scripts/zfs-vm");
  return pool;
}

/**
 * Makes a dataset mounted on the directory `path` that the test user owns and may use as documented, names it in
 * /etc/enroot/enroot.conf, and gives the mount helper its capability: `await using store = await zfsStore(box.data)`.
 * One at a time. Everything is gone at the end, with what was made below the dataset.
 */
export async function zfsStore(path: string, options: ZfsStoreOptions = {}): Promise<ZfsStore> {
  await using undo = new AsyncDisposableStack();
  const place = await mkdtemp(join(tmpdir(), "enroot-zfs."));
  undo.defer(() => rm(place, { recursive: true, force: true }));
  const dataset = `${options.pool ?? zfsPool()}/${place.slice(place.lastIndexOf("/") + 1)}`;
  const properties = [`mountpoint=${path}`, "com.sun:auto-snapshot=false", ...(options.properties ?? [])];
  await host(["zfs", "create", ...properties.flatMap((property) => ["-o", property]), dataset]);
  undo.defer(() => destroyDataset(dataset, path));
  const { uid, gid } = testUser();
  await chown(path, uid, gid);
  const delegated = options.delegated ?? delegation;
  if (delegated !== "") await host(["zfs", "allow", userName, delegated, dataset]);
  await configure(join(place, "etc"), `ENROOT_DATA_PATH ${path}\n${options.configuration ?? ""}`, undo);
  const helper = join(distDirectory, "enroot-zfs-mount");
  await replaceHelper(helper, join(place, "helper"), options.capable ?? true, undo);
  const stack = undo.move();
  return { dataset, path, helper, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

// The machine's own configuration is covered, not changed.
async function configure(directory: string, text: string, undo: AsyncDisposableStack): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  await writeFile(join(directory, "enroot.conf"), text, { mode: 0o644 });
  if ((await mkdir("/etc/enroot", { recursive: true })) !== undefined) undo.defer(() => rmdir("/etc/enroot"));
  await bind(directory, "/etc/enroot", undo);
}

// On top of the built file, which others share and which cannot have a capability everywhere.
async function replaceHelper(
  helper: string,
  copy: string,
  capable: boolean,
  undo: AsyncDisposableStack,
): Promise<void> {
  await copyFile(helper, copy);
  if (capable) await host(["setcap", "cap_sys_admin+p", copy]);
  await bind(copy, helper, undo);
}

async function bind(from: string, to: string, undo: AsyncDisposableStack): Promise<void> {
  await host(["mount", "--bind", "--", from, to]);
  undo.defer(async () => {
    await host(["umount", "--lazy", "--", to]);
  });
}

/** Unmounts everything on and below `path` and destroys the dataset with all that is below it or made from it. */
async function destroyDataset(dataset: string, path: string): Promise<void> {
  for (const point of (await mountsBelow(path)).reverse()) await host(["umount", "--lazy", "--", point]);
  // A container's last process may still be ending.
  await until(`the end of ${dataset}`, async () => {
    try {
      await host(["zfs", "destroy", "-R", "--", dataset]);
      return true;
    } catch (cause) {
      if (String(cause).includes("busy")) return false;
      throw cause;
    }
  });
}
