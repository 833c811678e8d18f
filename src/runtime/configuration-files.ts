// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";
import type { ConfigurationFiles } from "./start-plan.ts";

/** environ.d, mounts.d and hooks.d of each directory, in name order. */
export function findConfigurationFiles(directories: readonly string[]): ConfigurationFiles {
  const list = (name: string, suffix: string): string[] =>
    directories.flatMap((directory) => listFiles(`${directory}/${name}`, suffix));
  return {
    environ: list("environ.d", ".env"),
    mounts: list("mounts.d", ".fstab"),
    hooks: list("hooks.d", ".sh"),
  };
}

/** A directory that the caller cannot enter holds nothing for it, as where HOME is still somebody else's. */
function listFiles(directory: string, suffix: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(suffix) && !name.startsWith("."))
      .sort()
      .map((name) => `${directory}/${name}`);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(cause) ?? "")) return [];
    throw new EnrootError("Tool", `Could not read ${directory}: ${describeErrno(cause)}`, { cause });
  }
}
