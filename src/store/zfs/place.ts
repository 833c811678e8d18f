// SPDX-License-Identifier: Apache-2.0
// Where the store is: ENROOT_DATA_PATH is the mount point of a dataset. The kernel's table of mounts says of which.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { EnrootError } from "../../errors.ts";
import { errnoOf } from "../../system/errno.ts";
import { readMounts } from "../../system/mounts.ts";

/** A store's two names. */
export interface Place {
  /** Its dataset. */
  readonly dataset: string;
  /** Where that is mounted: resolved. */
  readonly path: string;
}

/** Finds the store that is mounted on ENROOT_DATA_PATH. @throws EnrootError Usage, Unsupported */
export function findPlace(data: string): Place {
  refuseUserNamespace();
  const path = resolveData(data);
  const mount = readMounts("self").findLast(({ point }) => point === path);
  if (mount?.type === "zfs" && mount.root === "/") return { dataset: mount.source, path };
  throw noStore(data);
}

function resolveData(data: string): string {
  try {
    return realpathSync(data);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") throw noStore(data);
    throw cause;
  }
}

function noStore(data: string): EnrootError {
  return new EnrootError("Usage", `ENROOT_DATA_PATH is not the mount point of a ZFS dataset: ${data}`, {
    hint: `an administrator makes it: zfs create -o mountpoint=${data} POOL/NAME (docs/zfs.md)`,
  });
}

/** From inside of a user namespace ZFS shows other datasets, or none. */
function refuseUserNamespace(): void {
  const map = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  if (map.join(" ") === "0 0 4294967295") return;
  throw new EnrootError("Unsupported", "The ZFS store cannot be used inside of a user namespace");
}

/** Whether something is mounted on the directory `path`, which is directly or deeply below `place`. */
export function isMountPoint(place: Place, path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  return status !== undefined && status.dev !== statSync(place.path).dev;
}
