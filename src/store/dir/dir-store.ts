// SPDX-License-Identifier: Apache-2.0
// Containers as plain directories: DATA/NAME. What is being made or deleted has a hidden name with the pid of who does it.
import { lstatSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { describeErrno, errnoOf } from "../../system/errno.ts";
import { isAbandoned, ownTag } from "../../system/owner.ts";
import { onInterrupt } from "../../system/signals.ts";
import { removeTree } from "../../system/tree.ts";
import { parseContainerName } from "../name.ts";
import type { ContainerName, CreateOptions, Store } from "../store.ts";

/** Opens the directory store at `data`, which exists. */
export function openDirStore(data: string): Store {
  return {
    list: async () => listNames(data),
    rootfs: async (name) => existing(data, name),
    create: (options) => create(data, options),
    remove: (name) => remove(data, name),
  };
}

function isDirectory(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENAMETOOLONG") return false;
    throw new EnrootError("Tool", `Could not read ${path}: ${describeErrno(error)}`, { cause: error });
  }
}

function listNames(data: string): ContainerName[] {
  return readdirSync(data, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(parseContainerName);
}

function existing(data: string, name: ContainerName): string {
  const path = join(data, name);
  if (isDirectory(path)) return path;
  throw new EnrootError("NotFound", `No such container: ${name}`, { hint: `containers are in ${data}` });
}

function refuseExisting(path: string): void {
  try {
    lstatSync(path);
  } catch {
    return;
  }
  throw new EnrootError("Exists", `File already exists: ${path}`, { hint: "use --force to replace it" });
}

async function create(data: string, { name, force, fill }: CreateOptions): Promise<void> {
  const target = join(data, name);
  if (!force) refuseExisting(target);
  await sweep(data);
  await using undo = new AsyncDisposableStack();
  const fresh = join(data, `.new.${ownTag()}`);
  const discard = (): Promise<void> => removeTree(fresh);
  undo.defer(discard);
  undo.defer(onInterrupt(discard));
  makeDirectory(fresh);
  await fill(fresh);
  if (force) await setAside(data, target);
  try {
    // An empty directory of that name would be replaced silently: rename(2) refuses only a filled one.
    refuseExisting(target);
    renameSync(fresh, target);
  } catch (cause) {
    if (cause instanceof EnrootError) throw cause;
    throw new EnrootError("Exists", `Could not create ${target}: ${describeErrno(cause)}`, { cause });
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (cause) {
    throw new EnrootError("Tool", `Could not create ${path}: ${describeErrno(cause)}`, {
      hint: "set ENROOT_DATA_PATH to a directory of yours",
      cause,
    });
  }
}

async function setAside(data: string, target: string): Promise<void> {
  const old = join(data, `.old.${ownTag()}`);
  try {
    renameSync(target, old);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return;
    throw new EnrootError("Tool", `Could not replace ${target}: ${describeErrno(cause)}`, { cause });
  }
  await removeTree(old);
}

async function remove(data: string, name: ContainerName): Promise<void> {
  await removeTree(existing(data, name));
}

/** Deletes what processes that are gone have left half-made. */
async function sweep(data: string): Promise<void> {
  for (const entry of readdirSync(data)) {
    const tag = /^\.(?:new|old)\.(.+)$/.exec(entry)?.[1];
    if (tag && isAbandoned(tag)) await removeTree(join(data, entry));
  }
}
