// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { EnrootError } from "../errors.ts";
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

function listFiles(directory: string, suffix: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(suffix) && !name.startsWith("."))
      .sort()
      .map((name) => `${directory}/${name}`);
  } catch (cause) {
    const absent =
      cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR");
    if (absent) return [];
    throw new EnrootError("Usage", `Could not read directory ${directory}`, { cause });
  }
}
