// SPDX-License-Identifier: Apache-2.0
// Image files from an archive that is still being written: squashfs-tools-ng's tar2sqfs, which takes a tenth of the CPU
// time that LZO takes mksquashfs (docs/decisions/0002-import.md); or mksquashfs with the options that a user wants.
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { failure, type Outcome, type Sink, spawnPiped } from "../system/process.ts";
import { findProgram, requireProgram } from "../system/programs.ts";
import type { ArchiveOutput } from "./flattened-image.ts";

/** Where to write, and how. */
export interface SquashfsOptions {
  /** An empty file. */
  readonly path: string;
  /** The name that it will get: what messages call it. */
  readonly target: string;
  readonly settings: Settings;
  /** Time of the file system itself, in seconds: fixed, so that the same image gives the same bytes. */
  readonly time: number;
}

interface Command {
  readonly argv: [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** Layers are decompressed by one thread: more compressors than this only wait, and take memory. */
const mostJobs = 8;

function tar2sqfs(program: string, { path, settings, time }: SquashfsOptions): Command {
  const jobs = ["--num-jobs", String(Math.min(settings.maxProcessors, mostJobs))];
  const compression = ["--compressor", "zstd", "--comp-extra", "level=1"];
  return {
    argv: [program, "--quiet", "--force", "--no-skip", ...compression, ...jobs, path],
    env: { SOURCE_DATE_EPOCH: String(time) },
  };
}

/**
 * mksquashfs takes no root directory from an archive: it gets a usual one. Its time is now, unless the environment says
 * that nothing may be newer than something; then the options must not set a time.
 */
function mksquashfs(program: string, own: readonly string[], options: SquashfsOptions): Command {
  const { path, settings, time } = options;
  const bounds = mksquashfsBounds(settings);
  const timed = own.some((word) => /^-(all-time|fstime|inode-time|mkfs-time|root-time)$/.test(word));
  const fixed = ["-tar", "-noappend", "-all-root", "-root-mode", "0755", "-no-progress", "-quiet"];
  return {
    // What the user wants comes last, and wins.
    argv: [program, "-", path, ...fixed, ...bounds, ...own],
    env: timed || time === 0 ? {} : { SOURCE_DATE_EPOCH: String(time) },
  };
}

/** What the user wants of mksquashfs; undefined: nothing in particular. */
export function ownOptions({ squashOptions }: Settings): string[] | undefined {
  return squashOptions?.split(/\s+/).filter((word) => word !== "");
}

/** What mksquashfs does when nothing else is wanted. */
export const mksquashfsDefaults = ["-comp", "zstd", "-Xcompression-level", "1", "-exit-on-error"] as const;

/** Processors and memory that mksquashfs may take. */
export function mksquashfsBounds(settings: Settings): string[] {
  return ["-processors", String(settings.maxProcessors), "-mem", "128M"];
}

/** The program that writes images with these settings. @throws EnrootError Tool naming the package to install */
export function squashfsCommand(options: SquashfsOptions): Command {
  const own = ownOptions(options.settings);
  if (own !== undefined) return mksquashfs(requireProgram("mksquashfs", "squashfs-tools"), own, options);
  const preferred = findProgram("tar2sqfs");
  if (preferred !== undefined) return tar2sqfs(preferred, options);
  const other = findProgram("mksquashfs");
  if (other === undefined) return tar2sqfs(requireProgram("tar2sqfs", "squashfs-tools-ng"), options);
  return mksquashfs(other, mksquashfsDefaults, options);
}

/** Starts to write an image file. @throws EnrootError Tool */
export function openSquashfs(options: SquashfsOptions): ArchiveOutput {
  const { argv, env } = squashfsCommand(options);
  const sink: Sink = spawnPiped({ argv, env });
  return {
    write: async (piece) => {
      try {
        await sink.write(piece);
      } catch {
        throw explain(argv[0], await sink.end(), options);
      }
    },
    finish: async () => {
      const outcome = await sink.end();
      if (outcome.status !== 0 || outcome.signal) throw explain(argv[0], outcome, options);
    },
    abandon: async () => sink.kill(),
  };
}

/** The error for a program that could not write an image file. */
export function explain(
  program: string,
  outcome: Omit<Outcome, "stdout">,
  { target, settings }: Pick<SquashfsOptions, "target" | "settings">,
): EnrootError {
  const { stderr } = outcome;
  if (/no space left|disk quota|file too large/i.test(stderr)) {
    return new EnrootError("Tool", `Could not write ${target}: no space left on device`, {
      hint: "free some, or choose another place with --output",
    });
  }
  // mksquashfs ends with its whole usage.
  const words = stderr
    .split("\n")
    .find((line) => /invalid|missing|not supported|should be|conflict/i.test(line));
  if (words === undefined) return failure(program, outcome);
  const hint = settings.squashOptions
    ? "is ENROOT_SQUASH_OPTIONS right? mksquashfs has to be 4.5 or newer"
    : "install the package squashfs-tools-ng";
  return new EnrootError(
    "Tool",
    `Could not write ${target}: ${words.replace(/^\S*mksquashfs: |FATAL ERROR: ?/, "").trim()}`,
    { hint },
  );
}
