// SPDX-License-Identifier: Apache-2.0
// What is in a sandbox's store, whether that is of plain directories or of datasets (docs/zfs.md has their names).

import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { host } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

/** What belongs to a ZFS store besides its containers: all else is a container, half-made or left over. */
const ofStore =
  /^(\.locks|\.templates|\.ephemeral|\.layers)?$|^\.templates\/[0-9a-f]{64}(@pristine)?$|^\.layers\/[0-9a-f]+(@done)?$/;

/** Whether the containers of a sandbox are datasets. */
export function hasDatasets(box: Sandbox): boolean {
  return box.env["ENROOT_STORAGE_BACKEND"] === "zfs";
}

/** Names of all that is in the store, sorted: containers, and whatever has been left half-made. */
export async function inStore(box: Sandbox): Promise<string[]> {
  if (!hasDatasets(box)) return (await readdir(box.data)).sort();
  const store = await datasetOn(box.data);
  const listed = await host(["zfs", "list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", store]);
  const datasets = listed.trimEnd().split("\n");
  const names = [
    ...datasets.map((dataset) => decoded(dataset.slice(store.length + 1))),
    ...(await readdir(box.data)),
    ...(await below(box, ".templates")),
    ...(await below(box, ".ephemeral")),
  ];
  return [...new Set(names)].filter((name) => !ofStore.test(name)).sort();
}

/** Whether the first files of a container that is being made are there. */
export async function isUnpacking(box: Sandbox): Promise<boolean> {
  const place = hasDatasets(box) ? ".templates" : ".";
  const trees = await Promise.all((await below(box, place)).map((name) => below(box, name)));
  return trees.flat().length > 0;
}

/** Makes a directory that is a container of root's, with nothing in it; returns its path. */
export async function makeContainer(box: Sandbox, name: string): Promise<string> {
  const rootfs = join(box.data, name);
  await mkdir(rootfs, { recursive: true });
  if (hasDatasets(box)) {
    const dataset = `${await datasetOn(box.data)}/${encoded(name)}`;
    await host(["zfs", "create", "-u", "-o", "canmount=noauto", dataset]);
    await host(["mount", "-i", "-t", "zfs", "-o", "nosuid,nodev", dataset, rootfs]);
  }
  return rootfs;
}

/** Paths below the store of what a directory in it holds; of one that is gone, none. */
async function below(box: Sandbox, directory: string): Promise<string[]> {
  const names = await readdir(join(box.data, directory)).catch(() => []);
  return names.map((name) => join(directory, name));
}

/** The dataset that is mounted on a directory. */
async function datasetOn(path: string): Promise<string> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const line = table.split("\n").findLast((text) => text.split(" ")[4] === path && text.includes(" - zfs "));
  if (line === undefined) throw new Error(`No dataset is mounted on ${path}`);
  return line.replace(/.* - zfs (\S+) .*/, "$1");
}

// In names of datasets `:XX` is a byte that ZFS does not take.
function encoded(name: string): string {
  return [...Buffer.from(name)].map(encodedByte).join("");
}

function encodedByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[\w.-]/.test(character) ? character : `:${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function decoded(name: string): string {
  return name.replace(/(:[0-9A-F]{2})+/g, (bytes) =>
    Buffer.from(bytes.replaceAll(":", ""), "hex").toString(),
  );
}
