// SPDX-License-Identifier: Apache-2.0
import { lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { EnrootError } from "../errors.ts";

/**
 * Checks that a file can be made under a name.
 * @param force whether a file of that name may be replaced
 * @throws EnrootError Exists, NotFound
 */
export function refuseOutput(path: string, force: boolean): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !force) {
    throw new EnrootError("Exists", `File already exists: ${path}`, { hint: "use --force to replace it" });
  }
  if (there?.isDirectory()) throw new EnrootError("Exists", `Could not write ${path}: it is a directory`);
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory())
    throw new EnrootError("NotFound", `No such directory: ${dirname(path)}`);
}
