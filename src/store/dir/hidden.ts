// SPDX-License-Identifier: Apache-2.0
// Hidden names beside the containers: what is being made (`.new.TAG`) and what is being deleted (`.old.TAG`).
import { renameSync } from "node:fs";
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { describeErrno } from "../../system/errno.ts";
import { ownTag } from "../../system/owner.ts";

/** A hidden path of this process in the store at `data`. */
export function hidden(data: string, kind: "new" | "old"): string {
  return join(data, `.${kind}.${ownTag()}`);
}

/** The mark in a hidden name, or undefined for any other name. */
export function hiddenTag(name: string): string | undefined {
  return /^\.(?:new|old)\.(.+)$/.exec(name)?.[1];
}

/** Renames within the store. @throws EnrootError Tool */
export function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    throw new EnrootError("Tool", `Could not rename ${from}: ${describeErrno(cause)}`, { cause });
  }
}
