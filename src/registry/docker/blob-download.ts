// SPDX-License-Identifier: Apache-2.0
// One blob on its way into a partial file: gone on with where an earlier attempt ended, hashed while it comes, and
// flushed to disk once it is whole and what its digest says.
import { createHash, type Hash } from "node:crypto";
import { constants, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { EnrootError } from "../../errors.ts";
import { type Digest, digestHex } from "../../image/digest.ts";
import { describeErrno, errnoOf } from "../../system/errno.ts";
import { hashFile } from "../../system/file-hash.ts";
import { describeTransport, type HttpResponse } from "../../system/http.ts";
import { paced } from "../../system/pace.ts";

/** A blob that is wanted. */
export interface WantedBlob {
  readonly digest: Digest;
  /** In bytes; a blob of another size is refused. */
  readonly size: number;
}

/** Fetches from a byte on; the response is 200, 206, or another when there is nothing from that byte on. */
export type BlobFetcher = (offset: number) => Promise<HttpResponse>;

/** A blob to fetch. */
export interface Download {
  /** The partial file. */
  readonly part: string;
  readonly blob: WantedBlob;
  readonly fetchFrom: BlobFetcher;
  /** Told of bytes as they come. */
  readonly onBytes: (count: number) => void;
}

/**
 * Completes a partial file. What has come stays there when the server breaks off.
 * @throws EnrootError Corrupt when it is not the blob, Registry (worth another attempt unless there is a hint), Tool
 */
export async function download({ part, blob, fetchFrom, onBytes }: Download): Promise<void> {
  await using file = await openPart(part);
  const present = (await file.stat()).size;
  const offset = present < blob.size ? present : 0;
  const response = await fetchFrom(offset);
  const resumed = await isContinued(response, offset, part);
  if (!resumed) await file.truncate(0);
  const hash = resumed ? await hashFile(part) : createHash("sha256");
  if (resumed) onBytes(offset);
  const size = await receive({
    response,
    file,
    part,
    hash,
    offset: resumed ? offset : 0,
    limit: blob.size,
    onBytes,
  });
  if (size !== blob.size)
    throw new EnrootError("Registry", `${response.url} broke off after ${size} of ${blob.size} bytes`);
  await finish(file, { part, blob, url: response.url, actual: hash.digest("hex"), resumed });
}

/** Opens the partial file: ours alone, whatever somebody else has put in its place in a shared directory. */
async function openPart(part: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_APPEND } = constants;
  try {
    const file = await open(part, O_RDWR | O_CREAT | O_NOFOLLOW | O_APPEND, 0o600);
    const status = await file.stat();
    if (status.isFile() && status.nlink === 1 && status.uid === process.geteuid?.()) return file;
    await file.close();
  } catch (cause) {
    throw unwritable(part, cause);
  }
  throw new EnrootError("Tool", `Could not write ${part}: it is not a file of yours alone`, {
    hint: "ENROOT_CACHE_PATH moves the cache",
  });
}

/** Whether a response goes on where the partial file ends, and not from the start. */
async function isContinued(response: HttpResponse, offset: number, part: string): Promise<boolean> {
  const { status, headers, url, body } = response;
  const from = new RegExp(`^bytes ${offset}-`).test(headers.get("content-range") ?? "");
  if (status === 200) return false;
  if (status === 206 && from) return offset > 0;
  await body?.cancel();
  rmSync(part, { force: true });
  const why =
    status === 206 ? "answers with another range than was asked for" : "has no such range of the blob";
  throw new EnrootError("Registry", `${url} ${why}`);
}

interface Receiving {
  readonly response: HttpResponse;
  readonly file: FileHandle;
  readonly part: string;
  readonly hash: Hash;
  readonly offset: number;
  readonly limit: number;
  readonly onBytes: (count: number) => void;
}

/** Bytes that are collected before they are written. */
const batch = 1 << 20;

/** Writes what comes. @returns the size of the file */
async function receive({ response, file, part, hash, offset, limit, onBytes }: Receiving): Promise<number> {
  let size = offset;
  let chunks: Uint8Array[] = [];
  let collected = 0;
  const flush = async (): Promise<void> => {
    const full = chunks;
    chunks = [];
    collected = 0;
    await append(file, full).catch((cause: unknown) => Promise.reject(unwritable(part, cause)));
  };
  try {
    for await (const chunk of paced(response.body)) {
      size += chunk.length;
      if (size > limit) break;
      hash.update(chunk);
      onBytes(chunk.length);
      chunks.push(chunk);
      collected += chunk.length;
      if (collected >= batch) await flush();
    }
  } catch (cause) {
    await flush();
    if (cause instanceof EnrootError && cause.kind === "Tool") throw cause;
    throw new EnrootError("Registry", `${response.url} broke off: ${describeTransport(cause)}`, { cause });
  }
  await flush();
  if (size <= limit) return size;
  rmSync(part, { force: true });
  throw new EnrootError("Corrupt", `${response.url} sends more than the ${limit} bytes of the blob`);
}

async function append(file: FileHandle, chunks: Uint8Array[]): Promise<void> {
  if (chunks.length === 0) return;
  const { bytesWritten } = await file.writev(chunks);
  const whole = chunks.reduce((sum, { length }) => sum + length, 0);
  // A disk that is nearly full takes a part, and says why with the next.
  if (bytesWritten < whole) await file.appendFile(Buffer.concat(chunks).subarray(bytesWritten));
}

interface Received {
  readonly part: string;
  readonly blob: WantedBlob;
  readonly url: string;
  readonly actual: string;
  readonly resumed: boolean;
}

async function finish(file: FileHandle, { part, blob, url, actual, resumed }: Received): Promise<void> {
  if (actual === digestHex(blob.digest)) {
    try {
      // Members of the cache's group may read it, whatever the umask: that is how caches are shared.
      await file.chmod(0o640);
      return await file.sync();
    } catch (cause) {
      throw unwritable(part, cause);
    }
  }
  rmSync(part, { force: true });
  // The beginning may be of something else that was there before: the whole is worth an attempt.
  if (resumed) throw new EnrootError("Registry", `${url} does not continue what came before`);
  throw new EnrootError("Corrupt", `Digest mismatch: ${url} is sha256:${actual}`, {
    hint: "the registry or a proxy is broken",
  });
}

function unwritable(part: string, cause: unknown): EnrootError {
  if (["ENOSPC", "EDQUOT", "EIO"].includes(errnoOf(cause) ?? "")) rmSync(part, { force: true });
  return new EnrootError("Tool", `Could not write ${part}: ${describeErrno(cause)}`, {
    hint: "ENROOT_CACHE_PATH moves the cache",
    cause,
  });
}
