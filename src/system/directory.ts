// SPDX-License-Identifier: Apache-2.0
import { chmodSync, lstatSync, mkdirSync, renameSync, rmdirSync, statSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { describeErrno } from "./errno.ts";
import { ownTag } from "./owner.ts";

/**
 * Makes one of enroot's own directories, and missing ones above it, for the caller alone (0700).
 * @param setting the variable that moves it, for the message
 * @throws EnrootError Usage
 */
export function ensureDirectory(path: string, setting: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (statSync(path).isDirectory()) return;
  } catch (cause) {
    throw new EnrootError("Usage", `Could not create directory ${path}: ${describeErrno(cause)}`, {
      hint: `set ${setting} to a directory of yours`,
      cause,
    });
  }
  throw new EnrootError("Usage", `Not a directory: ${path}`, {
    hint: `set ${setting} to a directory of yours`,
  });
}

/**
 * Makes directories within one of enroot's own, each with the permissions of the one above it: what is shared stays so.
 * @param setting the variable that moves the first, for the message
 * @returns the path of the last
 * @throws EnrootError Usage
 */
export function makeShared([top, ...below]: readonly [string, ...string[]], setting: string): string {
  ensureDirectory(top, setting);
  return below.reduce((parent, name) => makeAlike(parent, name, setting), top);
}

function makeAlike(parent: string, name: string, setting: string): string {
  const path = `${parent}/${name}`;
  const refuse = (why: string, cause?: unknown): EnrootError =>
    new EnrootError("Usage", `Could not create directory ${path}: ${why}`, {
      hint: `set ${setting} to a directory of yours`,
      cause,
    });
  try {
    if (!lstatSync(path, { throwIfNoEntry: false })) place(path, statSync(parent).mode & 0o7777);
  } catch (cause) {
    throw refuse(describeErrno(cause), cause);
  }
  // A link could lead to a place of somebody else.
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw refuse("there is something else");
}

/** Makes a directory that has its permissions from the first moment: other users may be about to go into it. */
function place(path: string, mode: number): void {
  const fresh = `${path}.${ownTag()}`;
  mkdirSync(fresh, { mode: 0o700 });
  try {
    chmodSync(fresh, mode);
    renameSync(fresh, path);
  } catch (cause) {
    rmdirSync(fresh);
    // Somebody else was faster.
    if (!lstatSync(path, { throwIfNoEntry: false })) throw cause;
  }
}
