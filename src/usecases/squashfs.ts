// SPDX-License-Identifier: Apache-2.0
// Image files from an archive that is still being written: squashfs-tools-ng's tar2sqfs, which takes a tenth of the CPU
// time that LZO takes mksquashfs (docs/decisions/0002-import.md); or squashfs-tools with the options that a user wants.
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { failure, type Outcome, type Sink, spawnPiped } from "../system/process.ts";
import { findProgram, requireProgram } from "../system/programs.ts";

/** An image file being written. */
export interface SquashfsWriter {
  readonly write: (piece: Uint8Array) => Promise<void>;
  /** Completes the file. @throws EnrootError Tool */
  finish(): Promise<void>;
  /** Stops, whatever is in the file. */
  abandon(): Promise<void>;
}

/** Where to write, and how. */
export interface SquashfsOptions {
  /** An empty file. */
  readonly path: string;
  readonly settings: Settings;
  /** Time of the file system itself, in seconds: fixed, so that the same image gives the same bytes. */
  readonly time: number;
}

type Argv = [string, ...string[]];

function tar2sqfs(program: string, { path, settings, time }: SquashfsOptions): Argv {
  const compression = ["--compressor", "zstd", "--comp-extra", "level=1"];
  const jobs = ["--num-jobs", String(settings.maxProcessors)];
  return [
    program,
    "--quiet",
    "--force",
    "--no-skip",
    ...compression,
    ...jobs,
    "--defaults",
    `mtime=${time}`,
    path,
  ];
}

/** sqfstar takes no root directory from an archive, so it gets a usual one. */
function sqfstar(
  program: string,
  options: readonly string[],
  { path, settings, time }: SquashfsOptions,
): Argv {
  const root = ["-root-mode", "0755", "-root-time", String(time), "-mkfs-time", String(time)];
  const bounds = ["-processors", String(settings.maxProcessors), "-mem", "128M"];
  return [program, ...options, ...root, ...bounds, "-force", "-no-progress", "-quiet", path];
}

/** The program that writes images with these settings. @throws EnrootError Tool naming the package to install */
export function squashfsCommand(options: SquashfsOptions): Argv {
  const wanted = options.settings.squashOptions;
  if (wanted !== undefined)
    return sqfstar(requireProgram("sqfstar", "squashfs-tools"), words(wanted), options);
  const preferred = findProgram("tar2sqfs");
  if (preferred !== undefined) return tar2sqfs(preferred, options);
  const other = findProgram("sqfstar");
  if (other !== undefined)
    return sqfstar(other, ["-comp", "zstd", "-Xcompression-level", "1", "-exit-on-error"], options);
  return tar2sqfs(requireProgram("tar2sqfs", "squashfs-tools-ng"), options);
}

function words(options: string): string[] {
  return options.split(/\s+/).filter((word) => word !== "");
}

/** Starts to write an image file. @throws EnrootError Tool */
export function openSquashfs(options: SquashfsOptions): SquashfsWriter {
  const argv = squashfsCommand(options);
  // tar2sqfs takes the time from here; sqfstar has it among its options, and refuses both.
  const env = argv[0].endsWith("/tar2sqfs") ? { SOURCE_DATE_EPOCH: String(options.time) } : {};
  const sink: Sink = spawnPiped({ argv, env });
  const explain = (outcome: Omit<Outcome, "stdout">): EnrootError =>
    /no space left|disk quota|file too large/i.test(outcome.stderr)
      ? new EnrootError("Tool", `No space left to write ${options.path}`, {
          hint: "free some, or choose another place with --output",
        })
      : failure(argv[0], outcome);
  return {
    write: async (piece) => {
      try {
        await sink.write(piece);
      } catch {
        throw explain(await sink.end());
      }
    },
    finish: async () => {
      const outcome = await sink.end();
      if (outcome.status !== 0 || outcome.signal) throw explain(outcome);
    },
    abandon: async () => sink.kill(),
  };
}
