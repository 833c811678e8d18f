// SPDX-License-Identifier: Apache-2.0
// unsquashfs, and what it says when it fails.
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { log } from "../log.ts";
import { type Outcome, run } from "../system/process.ts";
import { requireProgram } from "../system/programs.ts";

/** What to unpack, and where. */
export interface Unpacking {
  /** Absolute path of unsquashfs. */
  readonly program: string;
  readonly file: string;
  /** An empty directory. */
  readonly directory: string;
  readonly settings: Settings;
}

/** Finds unsquashfs. @throws EnrootError Tool */
export function requireUnsquashfs(): string {
  return requireProgram("unsquashfs", "squashfs-tools");
}

/** Bun raises the limit of descriptors, and unsquashfs makes tables that are as large as the limit. */
const withFewDescriptors = ["/bin/sh", "-c", 'ulimit -Sn 4096 2>/dev/null; exec "$@"', "sh"] as const;

/** Megabytes of unpacked data that may wait, twice; with its own 256 unsquashfs takes 400 MB and is no faster. */
const queue = "64";

/** Unpacks a squashfs file into a directory. @throws EnrootError Corrupt, Tool */
export async function unpackSquashfs({ program, file, directory, settings }: Unpacking): Promise<void> {
  const showProgress = process.stderr.isTTY === true;
  // -user-xattrs: file capabilities and the like have no meaning for files that the caller owns.
  const options = ["-user-xattrs", "-processors", String(settings.maxProcessors), "-f", "-d", directory];
  options.push("-data-queue", queue, "-frag-queue", queue);
  if (!showProgress) options.push("-no-progress");
  const outcome = await run({ argv: [...withFewDescriptors, program, ...options, file], showProgress });
  if (outcome.status === 0 && !outcome.signal) return;
  const lines = problems(outcome.stderr);
  if (outcome.status === 2 && lines.length === 0) {
    if (/ignoring xattrs in filesystem/i.test(outcome.stderr)) {
      log.warn(`No extended attributes in ${settings.dataPath}: those of ${file} are lost`);
    }
    return;
  }
  throw explain({ file, outcome, lines, data: settings.dataPath });
}

/**
 * What unsquashfs complains about, less what does not matter: device nodes are not wanted, and only root could make
 * them; extended attributes are worth having, but not a container's end.
 */
function problems(stderr: string): string[] {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim());
  return lines.filter((line) => line !== "" && !/because you're not superuser|xattr/i.test(line));
}

interface Failure {
  readonly file: string;
  readonly outcome: Outcome;
  readonly lines: readonly string[];
  readonly data: string;
}

function explain({ file, outcome, lines, data }: Failure): EnrootError {
  const space = refuseSpace(outcome.stderr, file, data);
  if (space) return space;
  if (outcome.signal) return new EnrootError("Tool", `Could not unpack ${file}: ended by ${outcome.signal}`);
  const words = lines.find((line) => /FATAL|Failed|corrupt/i.test(line)) ?? lines[0];
  const kind = /FATAL/.test(outcome.stderr) ? "Corrupt" : "Tool";
  return new EnrootError(kind, `Could not unpack ${file}: ${words ?? `return code ${outcome.status}`}`);
}

/** The error for a full disk, if that is what a program complains about. */
export function refuseSpace(stderr: string, what: string, data: string): EnrootError | undefined {
  const space = /no space left on device|disk quota exceeded/i.exec(stderr)?.[0];
  if (space === undefined) return undefined;
  return new EnrootError("NoSpace", `Could not unpack ${what} in ${data}: ${space.toLowerCase()}`, {
    hint: "free some, or set ENROOT_DATA_PATH to another file system",
  });
}
