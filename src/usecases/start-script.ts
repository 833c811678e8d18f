// SPDX-License-Identifier: Apache-2.0
// The files that `start` is given: --conf and --rc. Each may be a file, a pipe or a descriptor of the caller's.
import { readFileSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { EnrootError } from "../errors.ts";
import { log } from "../log.ts";
import type { Script } from "../runtime/start-plan.ts";
import { describeErrno } from "../system/errno.ts";
import { checkSyntax } from "../system/shell.ts";

/** A configuration script, read and checked. */
export interface CheckedScript {
  /** What the user called it. */
  readonly name: string;
  readonly text: string;
  /** How the launcher gets it. */
  readonly source: Script;
}

/**
 * Reads a configuration script and has bash check its syntax; what bash has to say is logged.
 * @throws EnrootError NotFound when there is no such file, Usage when bash refuses it
 */
export function readScript(path: string): CheckedScript {
  const status = requireFile(path);
  const text = readText(path);
  const source: Script = status.isFile() ? { file: launcherPath(path) } : { text };
  const outcome = checkSyntax("file" in source ? { file: enginePath(path) } : source);
  for (const line of outcome.stderr.split("\n")) if (line !== "") log.warn(line);
  if (outcome.status !== 0) throw new EnrootError("Usage", `Invalid configuration script: ${path}`);
  return { name: path, text, source };
}

/**
 * Path of a command script for the launcher, which reads it.
 * @throws EnrootError NotFound when there is no such file
 */
export function findCommandScript(path: string): string {
  requireFile(path);
  return launcherPath(path);
}

const descriptor = /^\/(?:proc\/self\/fd|dev\/fd)\/(\d+)$/;

/** Where we find a file: of the caller's descriptors we have the first three, and the launcher, our parent, has all. */
function enginePath(path: string): string {
  const number = descriptor.exec(path)?.[1];
  return number === undefined ? resolve(path) : `/proc/${process.ppid}/fd/${number}`;
}

function launcherPath(path: string): string {
  return descriptor.test(path) ? path : resolve(path);
}

function requireFile(path: string): Stats {
  const status = statSync(enginePath(path), { throwIfNoEntry: false });
  if (status?.isFile() || status?.isFIFO()) return status;
  throw new EnrootError("NotFound", `No such file or directory: ${launcherPath(path)}`);
}

function readText(path: string): string {
  try {
    // Opening it anew needs the right to, which the reader of a pipe may not have.
    const standardInput = path === "/dev/stdin" || descriptor.exec(path)?.[1] === "0";
    return readFileSync(standardInput ? 0 : enginePath(path), "utf8");
  } catch (cause) {
    throw new EnrootError("Tool", `Could not read ${path}: ${describeErrno(cause)}`, { cause });
  }
}
