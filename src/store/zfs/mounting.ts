// SPDX-License-Identifier: Apache-2.0
// Mounting of datasets at their places below the store. ZFS lets no user mount, whatever is delegated: enroot-zfs-mount
// does it for them. Root needs no helper, and always mounts with nosuid and nodev too.
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { runSilent } from "../../system/process.ts";
import { requireProgram } from "../../system/programs.ts";
import { isPresent } from "../../system/tree.ts";
import { isMountPoint, type Place } from "./place.ts";

/** Mounts and unmounts datasets of one store. */
export interface Mounting {
  /** Mounts a dataset at its place, below the store's directory. Fine if it is there. @throws EnrootError Tool */
  mount(dataset: string, path: string): Promise<void>;
  /** Unmounts it. Fine if it is not mounted. @throws EnrootError Tool when it is in use */
  unmount(dataset: string, path: string, cancel?: AbortSignal | null): Promise<void>;
}

/** @param helperPath directory of enroot-zfs-mount */
export function openMounting(place: Place, helperPath: string): Mounting {
  return process.geteuid?.() === 0 ? privileged(place) : delegated(helperPath);
}

function delegated(helperPath: string): Mounting {
  const helper = join(helperPath, "enroot-zfs-mount");
  const call = async (args: readonly string[], cancel?: AbortSignal | null): Promise<void> => {
    if (!isPresent(helper))
      throw new EnrootError("Tool", `Command not found: ${helper}`, {
        hint: "install the package enroot+caps",
      });
    const { status, stderr } = await runSilent([helper, ...args], cancel);
    // It says itself what to do.
    if (status !== 0) throw new EnrootError("Tool", wordsOf(stderr) || `${helper}: return code ${status}`);
  };
  return {
    mount: (dataset) => call([dataset]),
    unmount: (dataset, _path, cancel) => call(["--unmount", dataset], cancel),
  };
}

function wordsOf(stderr: string): string {
  return (
    stderr
      .trim()
      .replace(/^\[ERROR\] /, "")
      .split("\n")[0] ?? ""
  );
}

function privileged(place: Place): Mounting {
  return {
    mount: async (dataset, path) => {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      if (isMountPoint(place, path)) return;
      // -i: mount.zfs would go by the property mountpoint.
      const options = ["-i", "-t", "zfs", "-o", "nosuid,nodev", "--", dataset, path];
      const { status, stderr } = await runSilent([requireProgram("mount", "mount"), ...options]);
      if (status !== 0 && !isMountPoint(place, path))
        throw new EnrootError("Tool", `Could not mount ${dataset}: ${wordsOf(stderr)}`);
    },
    unmount: async (dataset, path, cancel) => {
      if (!isMountPoint(place, path)) return;
      const { status, stderr } = await runSilent(
        [requireProgram("umount", "mount"), "-i", "--", path],
        cancel,
      );
      if (status !== 0) throw new EnrootError("Tool", `Could not unmount ${dataset}: ${wordsOf(stderr)}`);
    },
  };
}

/** Deletes the empty directory that a dataset was mounted on. */
export function removePoint(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Gone, or in use again: it means nothing by itself.
  }
}
