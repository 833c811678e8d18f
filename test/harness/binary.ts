// SPDX-License-Identifier: Apache-2.0
// Where the enroot under test is.

import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { cacheDirectory } from "./cache.ts";
import { asUser } from "./user.ts";

/** The checkout's own directory. */
export const projectDirectory = resolve(import.meta.dir, "../..");

/** This machine's architecture as `uname -m` says it. */
export const machine = process.arch === "x64" ? "x86_64" : "aarch64";

/** The built tree of the checkout: dist/ARCH. */
export const distDirectory = join(projectDirectory, "dist", machine);

let found: string | undefined;

/** The enroot to test: `$ENROOT`, else the one of dist/ARCH; a copy of it where the test user cannot reach that. */
export function enrootBinary(): string {
  found ??= locate();
  return found;
}

function locate(): string {
  const given = process.env["ENROOT"];
  const path = given === undefined || given === "" ? join(distDirectory, "enroot") : resolve(given);
  if (!existsSync(path)) throw new Error(`There is no ${path}: run scripts/build`);
  const reachable = Bun.spawnSync(asUser(["test", "-x", path])).exitCode === 0;
  return reachable ? path : copied(path);
}

// A checkout below a private directory (/root, a CI's work tree) cannot be entered by another user.
function copied(path: string): string {
  const tree = dirname(path);
  const { mtimeMs, ino } = statSync(tree);
  const place = join(cacheDirectory(), `dist-${ino}-${Math.round(mtimeMs)}`);
  if (!existsSync(place)) {
    const fresh = `${place}.${process.pid}`;
    mkdirSync(cacheDirectory(), { recursive: true, mode: 0o755 });
    cpSync(tree, fresh, { recursive: true });
    try {
      renameSync(fresh, place);
    } catch {
      rmSync(fresh, { recursive: true }); // another run was faster
    }
  }
  return join(place, "enroot");
}
