// SPDX-License-Identifier: Apache-2.0
// Files that appear under their name only when they are complete: written beside it, flushed, renamed. What a killed
// process has left carries the mark of its maker and is swept by the next one.
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { EnrootError } from "../errors.ts";
import { describeErrno, errnoOf } from "./errno.ts";
import { isAbandoned, isOwn, ownTag } from "./owner.ts";
import { onInterrupt } from "./signals.ts";

const prefix = ".enroot-part.";

/** A file being made. Disposed before it is committed, it is gone. */
export interface ScratchFile extends AsyncDisposable {
  /** Where to write: an empty file. */
  readonly path: string;
  /**
   * Flushes the file and gives it its name.
   * @param replace whether a file of that name may be replaced
   * @throws EnrootError Exists, Tool
   */
  commit(replace: boolean): void;
}

/**
 * Makes an empty file beside `target`, after sweeping what dead processes have left there.
 * @param mode permissions, less the umask
 * @throws EnrootError Tool
 */
export function scratchFile(target: string, mode = 0o666): ScratchFile {
  const directory = dirname(target);
  sweepScratch(directory);
  const path = join(directory, `${prefix}${ownTag()}`);
  const discard = (): void => removeIfPresent(path);
  // Before there is a file: until signals are caught, one ends the process as it is.
  const forget = onInterrupt(discard);
  try {
    attempt(`create ${target}`, () => closeSync(openSync(path, "wx", mode)));
  } catch (error) {
    forget();
    throw error;
  }
  return {
    path,
    commit: (replace) => {
      attempt(`write ${target}`, () => flush(path));
      if (replace) attempt(`create ${target}`, () => renameSync(path, target));
      else giveName(path, target);
      attempt(`write ${directory}`, () => flush(directory));
    },
    [Symbol.asyncDispose]: async () => {
      discard();
      forget();
    },
  };
}

/** Writes a small file whole or not at all, replacing what was there. @throws EnrootError Tool */
export async function writeWhole(target: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  await using file = scratchFile(target, mode);
  attempt(`write ${target}`, () => writeFileSync(file.path, data));
  file.commit(true);
}

/** Deletes the files that processes of this machine have left half-made in `directory`. */
export function sweepScratch(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return;
  }
  for (const name of names) {
    const path = join(directory, name);
    if (name.startsWith(prefix) && isAbandoned(name.slice(prefix.length)) && isOwn(path))
      removeIfPresent(path);
  }
}

/** link(2) refuses an existing name, which rename(2) does not; some file systems have no links. */
function giveName(path: string, target: string): void {
  try {
    linkSync(path, target);
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST")
      throw new EnrootError("Exists", `File already exists: ${target}`, { cause });
    attempt(`create ${target}`, () => {
      closeSync(openSync(target, "wx"));
      renameSync(path, target);
    });
  }
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (cause) {
    throw new EnrootError("Tool", `Could not ${what}: ${describeErrno(cause)}`, { cause });
  }
}

function flush(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function removeIfPresent(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Renamed or swept already, or in a directory that is gone.
  }
}
