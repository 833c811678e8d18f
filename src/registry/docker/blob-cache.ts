// SPDX-License-Identifier: Apache-2.0
// Blobs by digest under CACHE/blobs/sha256: complete and verified once they have their name. A partial one is kept beside
// for the next attempt, and whoever fetches holds its lock.
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { finished } from "node:stream/promises";
import { EnrootError } from "../../errors.ts";
import { type Digest, digestHex } from "../../image/digest.ts";
import { ensureDirectory } from "../../system/directory.ts";
import { describeErrno, errnoOf } from "../../system/errno.ts";
import type { HttpResponse } from "../../system/http.ts";
import { takeLock } from "../../system/lock.ts";

/** A blob that is wanted. */
export interface WantedBlob {
  readonly digest: Digest;
  /** In bytes; a blob of another size is refused. */
  readonly size: number;
}

/** Fetches from a byte on; the response is 200, 206 or 416. */
export type BlobFetcher = (offset: number) => Promise<HttpResponse>;

/** The cache of one user. */
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

/** Opens the cache below ENROOT_CACHE_PATH. @throws EnrootError Usage */
export function openBlobCache(cachePath: string): BlobCache {
  const directory = `${cachePath}/blobs/sha256`;
  const locks = `${cachePath}/blobs/locks`;
  ensureDirectory(directory, "ENROOT_CACHE_PATH");
  ensureDirectory(locks, "ENROOT_CACHE_PATH");
  const pathOf = ({ digest }: WantedBlob): string => `${directory}/${digestHex(digest)}`;
  return {
    has: (blob) => hasSize(pathOf(blob), blob),
    obtain: async (blob, fetchFrom, onBytes) => {
      const path = pathOf(blob);
      if (await isIntact(path, blob)) return path;
      // As many locks as there are first bytes: two blobs that share one only come one after the other.
      using _lock = await takeLock(`${locks}/${digestHex(blob.digest).slice(0, 2)}`);
      if (!(await isIntact(path, blob))) await download({ path, blob, fetchFrom, onBytes });
      return path;
    },
  };
}

function hasSize(path: string, { size }: WantedBlob): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  return status?.isFile() === true && status.size === size;
}

/** Hashed each time it is used: disks fail, and a cache may be shared. */
async function isIntact(path: string, blob: WantedBlob): Promise<boolean> {
  return hasSize(path, blob) && (await hashFile(path)).digest("hex") === digestHex(blob.digest);
}

async function hashFile(path: string): Promise<Hash> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash;
}

interface Download {
  readonly path: string;
  readonly blob: WantedBlob;
  readonly fetchFrom: BlobFetcher;
  readonly onBytes: (count: number) => void;
}

async function download({ path, blob, fetchFrom, onBytes }: Download): Promise<void> {
  const part = `${path}.part`;
  const present = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
  const offset = present < blob.size ? present : 0;
  const response = await fetchFrom(offset);
  if (response.status === 416) {
    await response.body?.cancel();
    rmSync(part, { force: true });
    throw new EnrootError("Registry", `${response.url} has no more bytes of a blob that is not complete`);
  }
  const resumed = response.status === 206 && offset > 0 && startsAt(response, offset);
  if (response.status === 206 && !resumed && offset > 0) {
    throw new EnrootError("Registry", `${response.url} answers with another range than was asked for`);
  }
  const hash = resumed ? await hashFile(part) : createHash("sha256");
  if (resumed) onBytes(offset);
  const size = await writeBody({
    response,
    part,
    hash,
    offset: resumed ? offset : 0,
    limit: blob.size,
    onBytes,
  });
  if (size !== blob.size) {
    throw new EnrootError("Registry", `${response.url} broke off after ${size} of ${blob.size} bytes`);
  }
  commit({ part, path, actual: hash.digest("hex"), expected: blob.digest, url: response.url });
}

function startsAt({ headers }: HttpResponse, offset: number): boolean {
  return new RegExp(`^bytes ${offset}-`).test(headers.get("content-range") ?? "");
}

interface Writing {
  readonly response: HttpResponse;
  readonly part: string;
  readonly hash: Hash;
  readonly offset: number;
  readonly limit: number;
  readonly onBytes: (count: number) => void;
}

/** Longest silence of a server in the middle of a blob, in milliseconds. */
const silence = 60_000;

/** Writes what comes; what has come stays when it breaks off, for the next attempt. */
async function writeBody({ response, part, hash, offset, limit, onBytes }: Writing): Promise<number> {
  const file = createWriteStream(part, {
    flags: offset > 0 ? "a" : "w",
    mode: 0o600,
    highWaterMark: 4 << 20,
  });
  let failed: unknown;
  file.on("error", (error) => {
    failed = error;
  });
  let size = offset;
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const next = reader ? await withinSilence(reader.read()) : undefined;
      if (!next || next.done) break;
      size += next.value.length;
      if (size > limit)
        throw new EnrootError("Corrupt", `${response.url} sends more than the ${limit} bytes of the blob`);
      hash.update(next.value);
      onBytes(next.value.length);
      if (failed === undefined && !file.write(next.value)) await drained(file);
      if (failed !== undefined) throw failed;
    }
  } catch (cause) {
    throw explain(cause, response.url, part);
  } finally {
    await reader?.cancel().catch(() => undefined);
    file.end();
    await finished(file).catch((error: unknown) => {
      failed ??= error;
    });
  }
  if (failed !== undefined) throw explain(failed, response.url, part);
  return size;
}

function drained(file: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      file.removeListener("drain", settle).removeListener("error", settle);
      resolve();
    };
    file.once("drain", settle).once("error", settle);
  });
}

function withinSilence<T>(read: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new EnrootError("Registry", "no bytes for a minute")), silence);
  return Promise.race([read, promise]).finally(() => clearTimeout(timer));
}

function explain(cause: unknown, url: string, part: string): EnrootError {
  const code = errnoOf(cause);
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EACCES" || code === "EROFS" || code === "EIO") {
    rmSync(part, { force: true });
    return new EnrootError("Tool", `Could not write ${part}: ${describeErrno(cause)}`, {
      hint: "ENROOT_CACHE_PATH moves the cache",
      cause,
    });
  }
  if (cause instanceof EnrootError && cause.kind === "Corrupt") return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new EnrootError("Registry", `${url} broke off: ${why}`, { cause });
}

interface Commit {
  readonly part: string;
  readonly path: string;
  readonly actual: string;
  readonly expected: Digest;
  readonly url: string;
}

function commit({ part, path, actual, expected, url }: Commit): void {
  if (actual !== digestHex(expected)) {
    rmSync(part, { force: true });
    throw new EnrootError("Corrupt", `Digest mismatch: ${url} is sha256:${actual}`, {
      hint: "the registry or a proxy is broken",
    });
  }
  const fd = openSync(part, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(part, path);
}
