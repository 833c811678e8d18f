// SPDX-License-Identifier: Apache-2.0
// Blobs by digest under CACHE/blobs/sha256: complete and verified once they have their name. What has come of one that is
// not complete stays beside it for the next attempt, and whoever fetches holds its lock. Several users may share a cache:
// each has its own locks and partial files, and believes nothing that it has not hashed itself.
import { lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { EnrootError } from "../../errors.ts";
import { digestHex } from "../../image/digest.ts";
import { log } from "../../log.ts";
import { makeShared } from "../../system/directory.ts";
import { describeErrno, errnoOf } from "../../system/errno.ts";
import { hashFile } from "../../system/file-hash.ts";
import { takeLock } from "../../system/lock.ts";
import { type BlobFetcher, type Download, download, type WantedBlob } from "./blob-download.ts";

/** A cache of blobs. */
export interface BlobCache {
  /** Whether a blob is there, by its size. What is in it is looked at when it is obtained. */
  has(blob: WantedBlob): boolean;
  /**
   * Makes sure that a blob is there.
   * @param onBytes told of bytes as they come
   * @returns its path
   * @throws EnrootError Corrupt when what comes is not the blob, Registry, Tool
   */
  obtain(blob: WantedBlob, fetchFrom: BlobFetcher, onBytes: (count: number) => void): Promise<string>;
}

/** Days after which nobody comes back for a partial blob. */
const abandoned = 7;

/**
 * Opens the cache below ENROOT_CACHE_PATH.
 * @param signal ends waiting for somebody else who fetches the same
 * @throws EnrootError Usage
 */
export function openBlobCache(cachePath: string, signal: AbortSignal): BlobCache {
  const user = process.geteuid?.() ?? 0;
  const directory = makeShared([cachePath, "blobs", "sha256"], "ENROOT_CACHE_PATH");
  const locks = makeShared([cachePath, "blobs", "locks"], "ENROOT_CACHE_PATH");
  sweep(directory, `.${user}.part`);
  /** Where a blob may be: at its name, and where that is taken by a file of somebody else, at one of our own. */
  const placesOf = ({ digest }: WantedBlob): readonly [string, string] => {
    const path = `${directory}/${digestHex(digest)}`;
    return [path, `${path}.${user}`];
  };
  const findIntact = async (blob: WantedBlob): Promise<string | undefined> => {
    for (const path of placesOf(blob)) if (await isIntact(path, blob)) return path;
    return undefined;
  };
  return {
    has: (blob) => placesOf(blob).some((path) => hasSize(path, blob)),
    obtain: async (blob, fetchFrom, onBytes) => {
      const present = await findIntact(blob);
      if (present !== undefined) return present;
      // As many locks as there are first bytes: two blobs that share one only come one after the other.
      using lock = await lockIfPossible(`${locks}/${digestHex(blob.digest).slice(0, 2)}.${user}`, signal);
      const arrived = await findIntact(blob);
      if (arrived !== undefined) return arrived;
      const [path, own] = placesOf(blob);
      if (lock) return await fetchTo({ part: `${path}.${user}.part`, path, own, blob, fetchFrom, onBytes });
      // Nobody else may write to it now, and nobody finds it later.
      const part = `${path}.${process.pid}.${user}.part`;
      try {
        return await fetchTo({ part, path, own, blob, fetchFrom, onBytes });
      } finally {
        rmSync(part, { force: true });
      }
    },
  };
}

function hasSize(path: string, { size }: WantedBlob): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status?.isFile() === true && status.size === size;
}

/** Hashed each time it is used: disks fail, and a cache may be shared. */
async function isIntact(path: string, blob: WantedBlob): Promise<boolean> {
  if (!hasSize(path, blob)) return false;
  try {
    return (await hashFile(path)).digest("hex") === digestHex(blob.digest);
  } catch (error) {
    log.debug(`${path} is of no use: ${describeErrno(error)}`);
    return false;
  }
}

/** Some network file systems have no locks: then two that fetch the same both do the work. */
async function lockIfPossible(path: string, signal: AbortSignal): Promise<Disposable | undefined> {
  try {
    return await takeLock(path, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof EnrootError)) throw error;
    log.debug(error.message);
    return undefined;
  }
}

interface Fetching extends Download {
  readonly path: string;
  readonly own: string;
}

async function fetchTo(fetching: Fetching): Promise<string> {
  await download(fetching);
  return giveName(fetching);
}

/** The name may belong to a file of another user, which stays, also where the directory is not sticky or we are root. */
function giveName({ part, path, own }: Fetching): string {
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present !== undefined && present.uid !== process.geteuid?.()) {
    renameSync(part, own);
    return own;
  }
  try {
    renameSync(part, path);
    return path;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT")
      throw new EnrootError("Registry", `A partial blob has vanished: ${part}`, { cause });
    renameSync(part, own);
    return own;
  }
}

/** Deletes partial blobs of ours that nobody has touched for long. */
function sweep(directory: string, ending: string): void {
  const oldest = Date.now() - abandoned * 86_400_000;
  for (const name of readdirSync(directory)) {
    const path = `${directory}/${name}`;
    const status = name.endsWith(ending) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    if (status && status.mtimeMs < oldest) rmSync(path, { force: true });
  }
}
