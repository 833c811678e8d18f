// SPDX-License-Identifier: Apache-2.0
// Bundles of small images.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Result, RunOptions, Sandbox } from "../harness/index.ts";
import { busybox, image } from "./image.ts";

/** Shell lines that make the root file system of the image. */
export const content = `${busybox}
  ln -s busybox bin/env; ln -s busybox bin/readlink; ln -s busybox bin/mkdir; ln -s busybox bin/grep
  mkdir -p etc mnt 'with space'; echo 'PATH=/bin' > etc/environment; echo FROM_IMAGE=1 >> etc/environment
  echo text > 'with space/file'; mkdir -m 0555 readonly; : > readonly/file; mkdir -m 0700 bin/deep`;

/** A bundle in a sandbox. */
export interface Bundle {
  readonly path: string;
  run(args: readonly string[], options?: RunOptions): Promise<Result>;
}

/** Makes a bundle of a small image. */
export async function bundle(
  box: Sandbox,
  options: readonly string[] = [],
  script = content,
): Promise<Bundle> {
  await box.ok(["bundle", ...options, await image(box, script)]);
  const path = join(box.work, "image.run");
  return { path, run: (args, run) => box.run([path, ...args], run) };
}

/** What running a bundle has left in the places where it may write. */
export async function left(box: Sandbox): Promise<string[]> {
  const names = [...(await readdir(box.temp)), ...(await readdir(box.work))];
  return names.filter((name) => !/^image\.(run|sqsh)$/.test(name));
}
