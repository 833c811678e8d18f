// SPDX-License-Identifier: Apache-2.0
// A directory tree from an archive that is still being written.
import type { EnrootError } from "../errors.ts";
import { failure, type Outcome, spawnPiped } from "../system/process.ts";
import { requireProgram } from "../system/programs.ts";
import type { ArchiveOutput } from "./flattened-image.ts";
import { refuseSpace } from "./unpacking.ts";

/** Finds tar. @throws EnrootError Tool */
export function requireTar(): string {
  return requireProgram("tar", "tar");
}

/** Where to unpack, and with what. */
export interface DirectoryOutput {
  /** Absolute path of tar. */
  readonly program: string;
  /** An empty directory. */
  readonly directory: string;
  /** ENROOT_DATA_PATH */
  readonly data: string;
}

/**
 * Directories come before, among and after what is in them: their permissions have to wait. Other attributes than a
 * user's own mean nothing on files of an unprivileged user.
 */
const options = [
  ...["--extract", "--file=-", "--preserve-permissions", "--no-same-owner", "--delay-directory-restore"],
  ...["--xattrs", "--xattrs-include=user.*", "--warning=no-timestamp", "--warning=no-xattr-write"],
];

/** Starts to unpack an archive. @throws EnrootError Tool */
export function openDirectoryOutput({ program, directory, data }: DirectoryOutput): ArchiveOutput {
  const sink = spawnPiped({ argv: [program, ...options], cwd: directory });
  const explain = (outcome: Omit<Outcome, "stdout">): EnrootError =>
    refuseSpace(outcome.stderr, "the image", data) ?? failure(program, outcome);
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
    abandon: () => sink.kill(),
  };
}
