// SPDX-License-Identifier: Apache-2.0
// Small squashfs images and root file systems for tests that need no registry.
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { host, type Sandbox } from "../harness/index.ts";

/** Shell lines that make a root file system with busybox in the working directory. */
export const busybox = `
  mkdir -p bin dev etc proc sys tmp root
  cp /bin/busybox bin/busybox
  for applet in sh sleep cat true id ls echo kill; do ln -s busybox bin/$applet; done
  echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd`;

/** Makes an image of what a shell script leaves in its working directory; returns the image's path. */
export async function image(
  box: Sandbox,
  script: string,
  name = "image.sqsh",
  options: readonly string[] = [],
) {
  const tree = join(box.root, `tree-${crypto.randomUUID()}`);
  const file = join(box.work, name);
  await host(["sh", "-euc", `mkdir -m 755 "$1"; cd "$1"; ${script}`, "sh", tree]);
  const quiet = ["-noappend", "-all-root", "-no-progress", "-quiet"];
  await host(["mksquashfs", tree, file, ...quiet, ...options]);
  // Where tests run, that may be memory.
  await host(["rm", "-rf", tree]);
  await chmod(file, 0o644);
  return file;
}
