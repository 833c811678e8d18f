// SPDX-License-Identifier: Apache-2.0
// What a bundle carries besides the image's files: in /.enroot, programs, hooks, mounts, variables and settings.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";
import { shellWord } from "./bundle-header.ts";

/** A file of the bundle's directory. */
export interface BundleFile {
  /** Path in the archive. */
  readonly path: string;
  readonly mode: number;
  /** Seconds after 1970. */
  readonly mtime: number;
  readonly content: Buffer;
}

const programs = ["enroot-execute", "enroot-mount", "enroot-nsenter", "enroot-rootfs", "enroot-switchroot"];
const kinds = { "hooks.d": ".sh", "mounts.d": ".fstab", "environ.d": ".env" } as const;

/**
 * Collects the files: of this installation, and with `all` of the user too.
 * @throws EnrootError Tool when one cannot be read
 */
export function bundleFiles(settings: Settings, all: boolean): BundleFile[] {
  return [
    ...programs.map((name) => fileAt(join(settings.helperPath, name), `bin/${name}`)),
    fileAt(join(settings.libraryPath, "common.sh"), "lib/common.sh"),
    ...configurationOf(settings.sysconfPath, "etc/system"),
    ...(all ? [...configurationOf(settings.configPath, "etc/user"), settingsFile(settings)] : []),
  ];
}

function fileAt(source: string, path: string): BundleFile {
  try {
    const { mode, mtimeMs } = statSync(source);
    const content = readFileSync(source);
    return {
      path: `.enroot/${path}`,
      mode: mode & 0o111 ? 0o755 : 0o644,
      mtime: Math.floor(mtimeMs / 1000),
      content,
    };
  } catch (cause) {
    throw new EnrootError("Tool", `Could not read ${source}: ${describeErrno(cause)}`, { cause });
  }
}

function configurationOf(directory: string, path: string): BundleFile[] {
  return Object.entries(kinds).flatMap(([kind, suffix]) =>
    namesIn(join(directory, kind))
      .filter((name) => name.endsWith(suffix))
      .map((name) => fileAt(join(directory, kind, name), `${path}/${kind}/${name}`)),
  );
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(cause) ?? "")) return [];
    throw new EnrootError("Tool", `Could not read ${directory}: ${describeErrno(cause)}`, { cause });
  }
}

/** The settings in force, less the paths, which mean nothing on another machine. */
function settingsFile({ exported }: Settings): BundleFile {
  const lines = [...exported]
    .filter(([name]) => !name.endsWith("_PATH"))
    .map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  return { path: ".enroot/etc/config", mode: 0o644, mtime: 0, content: Buffer.from(lines.join("")) };
}
