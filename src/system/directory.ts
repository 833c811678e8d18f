// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, statSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { describeErrno } from "./errno.ts";

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
