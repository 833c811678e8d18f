// SPDX-License-Identifier: Apache-2.0
// The sha256 of image files, remembered: a container is a clone in milliseconds, and reading gigabytes to know of what
// would take seconds each time. What is remembered is the user's own, and holds for a file as long as its inode says that
// nothing was written to it.
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { log } from "../log.ts";
import { hashFile } from "../system/file-hash.ts";
import { scratchFile } from "../system/scratch.ts";

/** The list: a line for each file, the newest first. A cache may be shared, and each user has a list. */
const listOf = (cachePath: string): string => join(cachePath, `file-digests.${process.geteuid?.()}`);

/** Lines of the list. */
const longest = 200;

/** Bytes of a file that is read in no time. */
const small = 4 << 20;

/** Nanoseconds after which a change shows in a file's times, on any file system. */
const tick = 2_000_000_000n;

/** The sha256 of a file in hexadecimal. @param cachePath ENROOT_CACHE_PATH @throws what reading the file throws */
export async function fileKey(file: string, cachePath: string): Promise<string> {
  const state = stateOf(file);
  if (state.size <= small) return (await hashFile(file)).digest("hex");
  const list = listOf(cachePath);
  const mark = markOf(state);
  const known = readList(list).find((line) => line.startsWith(`${mark} `));
  if (known !== undefined) return known.slice(mark.length + 1);
  const key = (await hashFile(file)).digest("hex");
  if (isSettled(state) && markOf(stateOf(file)) === mark) await remember(list, `${mark} ${key}`);
  return key;
}

function stateOf(file: string): BigIntStats {
  return statSync(file, { bigint: true });
}

function markOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

/** Whether a change from now on would show: times are only so fine. */
function isSettled({ mtimeNs, ctimeNs }: BigIntStats): boolean {
  const latest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
  return latest + tick < BigInt(Date.now()) * 1_000_000n;
}

/** Lines of the list; none if there is no such file, or if others could have written it. */
function readList(list: string): string[] {
  let fd: number;
  try {
    fd = openSync(list, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return [];
  }
  try {
    const { uid, mode } = fstatSync(fd);
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0) return [];
    return readFileSync(fd, "utf8")
      .split("\n")
      .filter((line) => /^(\d+ ){5}[0-9a-f]{64}$/.test(line));
  } finally {
    closeSync(fd);
  }
}

/** Puts a line first. Of two who do so at once one is forgotten, which costs no more than to read a file again. */
async function remember(list: string, line: string): Promise<void> {
  try {
    await using fresh = scratchFile(list, 0o600);
    writeFileSync(fresh.path, [line, ...readList(list).slice(0, longest - 1), ""].join("\n"));
    fresh.commit(true);
  } catch (error) {
    log.debug(`Could not remember the digest of a file: ${error}`);
  }
}
