// SPDX-License-Identifier: Apache-2.0
// A container made by hand: busybox in a directory, or a dataset, of the store.
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { host, makeContainer, type RunOptions, type Sandbox, testUser } from "../harness/index.ts";

/** A container of a sandbox. */
export interface Container {
  readonly name: string;
  /** Its root file system. */
  readonly rootfs: string;
  /** Runs shell lines in it, with options of `start` before its name; returns what they print. */
  inside(script: string, options?: readonly string[], run?: RunOptions): Promise<string>;
}

const basis: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
  "etc/group": "root:x:0:\n",
  "etc/environment": "PATH=/bin\n",
};

let names: string[] | undefined;

async function applets(): Promise<string[]> {
  names ??= lines(await host(["/bin/busybox", "--list"])).filter((name) => name !== "busybox");
  return names;
}

/** Makes a container that holds busybox and `files` (contents by path). */
export async function container(
  box: Sandbox,
  files: Readonly<Record<string, string>> = {},
  name = "box",
): Promise<Container> {
  const rootfs = await emptyContainer(box, name);
  await mkdir(join(rootfs, "bin"));
  await mkdir(join(rootfs, "root"));
  await copyFile("/bin/busybox", join(rootfs, "bin/busybox"));
  for (const applet of await applets()) await symlink("busybox", join(rootfs, "bin", applet));
  for (const [path, text] of Object.entries({ ...basis, ...files })) {
    await mkdir(dirname(join(rootfs, path)), { recursive: true });
    await writeFile(join(rootfs, path), text);
  }
  await own(rootfs);
  return {
    name,
    rootfs,
    inside: (script, options = [], run = {}) => box.ok(["start", ...options, name, "sh", "-ec", script], run),
  };
}

/** Makes a container with nothing in it, as the store has them; returns its root file system. */
export async function emptyContainer(box: Sandbox, name: string): Promise<string> {
  const rootfs = await makeContainer(box, name);
  await own(rootfs);
  return rootfs;
}

/** Gives a tree to the unprivileged user. */
export async function own(...paths: string[]): Promise<void> {
  const { uid, gid } = testUser();
  await host(["chown", "-hR", `${uid}:${gid}`, ...paths]);
}

/** An ENROOT_SYSCONF_PATH of the test's own with `files`, hooks executable; returns its path. */
export async function sysconf(box: Sandbox, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const directory = join(box.root, "sysconf");
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text, { mode: path.endsWith(".sh") ? 0o755 : 0o644 });
  }
  await mkdir(directory, { recursive: true });
  return directory;
}

/** The lines of a text, the last one's end being no line. */
export function lines(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}
