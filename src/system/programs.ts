// SPDX-License-Identifier: Apache-2.0
// Which program answers to a name. Of the caller's PATH only absolute
// entries count: a program must never come from the working directory or from inside an image.
import { accessSync, constants, statSync } from "node:fs";
import { EnrootError } from "../errors.ts";

const systemDirectories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Directories in which programs are looked up. */
export function programPath(path: string | undefined): readonly string[] {
  const own = (path ?? "").split(":").filter((directory) => directory.startsWith("/"));
  return [...new Set([...own, ...systemDirectories])];
}

/** Absolute path of a program, or undefined. */
export function findProgram(name: string, path = process.env.PATH): string | undefined {
  return programPath(path)
    .map((directory) => `${directory}/${name}`)
    .find(isExecutable);
}

/**
 * Absolute path of a program that must be there.
 * @param debianPackage what to install when it is not
 * @throws EnrootError Tool
 */
export function requireProgram(name: string, debianPackage: string): string {
  const found = findProgram(name);
  if (found) return found;
  throw new EnrootError("Tool", `Command not found: ${name}`, {
    hint: `install the package ${debianPackage}`,
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
