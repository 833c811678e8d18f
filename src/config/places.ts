// SPDX-License-Identifier: Apache-2.0
// Where this installation keeps its parts, worked out from where the engine itself is.
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Directories of one installation. */
export interface Places {
  /** The engine and common.sh. */
  readonly library: string;
  /** enroot.conf, hooks.d, mounts.d, environ.d. */
  readonly sysconf: string;
  /** enroot-mount and the other helpers. */
  readonly helpers: string;
}

/** Finds the installation's directories: system packages, an unpacked tarball, a build tree or a checkout. */
export function findPlaces(executable = process.execPath): Places {
  const here = dirname(executable);
  if (basename(executable) !== "enroot-engine") {
    const packaging = resolve(import.meta.dirname, "../../packaging");
    return { library: packaging, sysconf: join(packaging, "etc/enroot"), helpers: packaging };
  }
  if (here === "/usr/lib/enroot") return { library: here, sysconf: "/etc/enroot", helpers: "/usr/bin" };
  const beside = join(here, "etc/enroot");
  if (existsSync(beside)) return { library: here, sysconf: beside, helpers: here };
  const prefix = resolve(here, "../..");
  const sysconf = join(prefix, "etc/enroot");
  return {
    library: here,
    sysconf: existsSync(sysconf) ? sysconf : "/etc/enroot",
    helpers: join(prefix, "bin"),
  };
}
