// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { describeErrno, errnoOf } from "../../system/errno.ts";
import { onInterrupt } from "../../system/signals.ts";
import { isPresent, refuseMounts, removeTree } from "../../system/tree.ts";
import type { CreateOptions } from "../store.ts";
import { hidden, move } from "./hidden.ts";

/** `create` of the directory store: filled under a hidden name, then renamed. */
export async function create(data: string, { name, force, content }: CreateOptions): Promise<void> {
  const target = join(data, name);
  if (!force) refuseExisting(target);
  else if (isPresent(target)) refuseMounts(target);
  const fresh = hidden(data, "new");
  await using undo = new AsyncDisposableStack();
  let gone: Promise<void> | undefined;
  const discard = (): Promise<void> => {
    gone ??= removeTree(fresh, null);
    return gone;
  };
  undo.defer(onInterrupt(discard));
  undo.defer(discard);
  makeDirectory(fresh);
  await content.fill(fresh);
  if (!force) place(fresh, target);
  else await replace({ data, fresh, target });
}

function refuseExisting(path: string): void {
  if (!isPresent(path)) return;
  throw new EnrootError("Exists", `File already exists: ${path}`, { hint: "use --force to replace it" });
}

/** For the caller alone until it is complete: files of an image may be setuid, and the store's directory open. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    throw new EnrootError("Tool", `Could not create ${path}: ${describeErrno(cause)}`, {
      hint: "ENROOT_DATA_PATH must be a directory of yours",
      cause,
    });
  }
}

/** Gives the container its name, unless another process was faster: rename(2) refuses a directory with content. */
function place(fresh: string, target: string): void {
  refuseExisting(target);
  try {
    renameSync(fresh, target);
  } catch (cause) {
    const taken = ["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errnoOf(cause) ?? "");
    if (taken) throw new EnrootError("Exists", `File already exists: ${target}`, { cause });
    throw new EnrootError("Tool", `Could not create ${target}: ${describeErrno(cause)}`, { cause });
  }
}

/** Moves what has the name out of the way, takes the name, and only then deletes; the old one comes back on failure. */
async function replace({
  data,
  fresh,
  target,
}: {
  data: string;
  fresh: string;
  target: string;
}): Promise<void> {
  const old = hidden(data, "old");
  for (;;) {
    const had = isPresent(target);
    if (had) move(target, old);
    try {
      place(fresh, target);
    } catch (error) {
      if (error instanceof EnrootError && error.kind === "Exists") {
        // Another process has just put its own there: that one goes too.
        await removeTree(old, null);
        continue;
      }
      if (had) move(old, target);
      throw error;
    }
    await removeTree(old, null);
    return;
  }
}
