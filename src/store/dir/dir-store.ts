// SPDX-License-Identifier: Apache-2.0
// Containers as plain directories: DATA/NAME. What is being made or deleted has a hidden name with the mark of who
// does it; marks of the dead are swept by the next verb that changes something.
import { type Dirent, lstatSync, readdirSync, realpathSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import { describeErrno, errnoOf } from "../../system/errno.ts";
import { isAbandoned, isOwn } from "../../system/owner.ts";
import { isPresent, refuseMounts, removeTree } from "../../system/tree.ts";
import { isContainerName } from "../name.ts";
import type { ContainerName, Store } from "../store.ts";
import { create } from "./create.ts";
import { hidden, hiddenTag, move } from "./hidden.ts";
import { nameBelow } from "./location.ts";

/** Opens the directory store at `data`, which exists. */
export function openDirStore(data: string): Store {
  return {
    list: async () => listNames(data),
    containerAt: (mount) => {
      const name = nameBelow(data, mount);
      return name !== undefined && isContainerName(name) ? name : undefined;
    },
    rootfs: async (name) => realpathSync(existing(data, name)),
    create: async (options) => {
      await sweep(data);
      await create(data, options);
    },
    remove: async (name) => {
      await remove(data, existing(data, name));
      await sweep(data);
    },
  };
}

/** Directories, and links to directories: sites move single containers to other disks so. */
function isContainer(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    if (["ENOENT", "ELOOP", "ENOTDIR", "ENAMETOOLONG"].includes(errnoOf(cause) ?? "")) return false;
    throw new EnrootError("Tool", `Could not read ${path}: ${describeErrno(cause)}`, { cause });
  }
}

function entriesOf(data: string): Dirent[] {
  try {
    return readdirSync(data, { withFileTypes: true });
  } catch (cause) {
    throw new EnrootError("Tool", `Could not read ${data}: ${describeErrno(cause)}`, {
      hint: "ENROOT_DATA_PATH must be a directory of yours",
      cause,
    });
  }
}

function listNames(data: string): ContainerName[] {
  return entriesOf(data)
    .filter((entry) => entry.isDirectory() || (!entry.isFile() && isContainer(join(data, entry.name))))
    .map((entry) => entry.name)
    .filter(isContainerName)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function existing(data: string, name: ContainerName): string {
  const path = join(data, name);
  if (isContainer(path)) return path;
  throw new EnrootError("NotFound", `No such file or directory: ${path}`, {
    hint: `there is no container ${name}`,
  });
}

/** The name is gone at once, the files after it. What resists comes back under its name. */
async function remove(data: string, path: string): Promise<void> {
  if (lstatSync(path).isSymbolicLink()) {
    // The link is ours to delete; what it names is not.
    unlinkSync(path);
    return;
  }
  refuseMounts(path);
  const old = hidden(data, "old");
  move(path, old);
  try {
    await removeTree(old);
  } catch (error) {
    if (!isPresent(path)) move(old, path);
    throw error instanceof EnrootError
      ? new EnrootError(error.kind, error.message.replace(old, path))
      : error;
  }
}

/** Deletes what processes that are gone have left half-made. */
async function sweep(data: string): Promise<void> {
  for (const entry of readdirSync(data)) {
    const tag = hiddenTag(entry);
    const path = join(data, entry);
    if (tag === undefined || !isAbandoned(tag) || !isOwn(path)) continue;
    try {
      await removeTree(path);
    } catch (error) {
      // Not what was asked for: the next sweep tries again.
      log.debug(`Could not sweep ${path}: ${describeErrno(error)}`);
    }
  }
}
