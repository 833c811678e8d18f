// SPDX-License-Identifier: Apache-2.0
// The least that the parts of an import and a start can cost: other programs that do one part each.

import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Registry, Sandbox } from "../harness/index.ts";
import { type Cost, measure, sum } from "./measure.ts";

interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** The floors of an import, part by part. */
export type Floors = Readonly<Record<"fetch" | "sha256" | "decompress" | "squashfs", Cost>>;

async function manifestOf(registry: Registry, image: string): Promise<Manifest> {
  const [name, tag] = image.split(":");
  const kinds = ["docker.distribution.manifest.v2", "oci.image.manifest.v1"];
  const accept = kinds.map((kind) => `application/vnd.${kind}+json`).join(", ");
  const answer = await fetch(`${registry.url}/v2/${name}/manifests/${tag}`, { headers: { accept } });
  return (await answer.json()) as Manifest;
}

function decompressor({ mediaType }: Descriptor): readonly string[] {
  if (mediaType.endsWith("zstd")) return ["zstd", "-dcq"];
  return mediaType.endsWith("gzip") ? ["igzip", "-dcq"] : ["cat"];
}

/** Measures the floors of an image's import; `file` is the image as enroot has imported it. */
export async function importFloors(
  box: Sandbox,
  registry: Registry,
  image: string,
  file: string,
): Promise<Floors> {
  const { config, layers } = await manifestOf(registry, image);
  const name = image.split(":")[0];
  const directory = join(box.temp, "blobs");
  await box.run(["mkdir", directory]);
  const path = ({ digest }: Descriptor): string => join(directory, digest.slice("sha256:".length));
  const fetches = [config, ...layers].flatMap((blob) => [
    "-o",
    path(blob),
    `${registry.url}/v2/${name}/blobs/${blob.digest}`,
  ]);
  const fetched = await measure(box, ["curl", "-sSf", ...fetches]);
  const hashed = await measure(box, ["sha256sum", ...[config, ...layers].map(path)]);
  const unpacked: Cost[] = [];
  for (const layer of layers) unpacked.push(await measure(box, [...decompressor(layer), path(layer)]));
  await box.run(["rm", "-r", directory]);
  return { fetch: fetched, sha256: hashed, decompress: sum(unpacked), squashfs: await squashfs(box, file) };
}

// From one archive that holds the flattened tree: what no import can do without.
async function squashfs(box: Sandbox, file: string): Promise<Cost> {
  const tar = join(box.temp, "flat.tar");
  const flattened = await box.run(["sh", "-c", 'sqfs2tar "$1" > "$2"', "sh", file, tar]);
  if (flattened.status !== 0) throw new Error(flattened.stderr);
  const jobs = ["-c", "zstd", "-X", "level=1", "-q", "-f"];
  const script = 'exec tar2sqfs "$@" < "$0"';
  const cost = await measure(box, ["sh", "-c", script, tar, ...jobs, join(box.temp, "flat.sqsh")]);
  await box.run(["rm", "-f", tar, join(box.temp, "flat.sqsh")]);
  return cost;
}

/** Measures unpacking an archive of the flattened image into a directory: what no load can do without. */
export async function loadFloor(box: Sandbox, file: string): Promise<Cost> {
  const tar = join(box.temp, "flat.tar");
  const target = join(box.temp, "loaded");
  await box.run(["sh", "-c", 'sqfs2tar "$1" > "$2"; mkdir "$3"', "sh", file, tar, target]);
  const cost = await measure(box, ["tar", "--no-same-owner", "-C", target, "-xf", tar]);
  await box.run(["rm", "-rf", tar, target]);
  return cost;
}

/** Measures packing a container's root file system. */
export async function exportFloor(box: Sandbox, name: string): Promise<Cost> {
  const file = join(box.temp, "packed.sqsh");
  const options = ["-comp", "zstd", "-Xcompression-level", "1", "-all-root", "-quiet", "-no-progress"];
  const cost = await measure(box, ["mksquashfs", join(box.data, name), file, ...options]);
  await box.run(["rm", file]);
  return cost;
}

/** Measures unpacking an image into a directory. */
export async function createFloor(box: Sandbox, file: string): Promise<Cost> {
  const target = join(box.temp, "unpacked");
  const argv = ["unsquashfs", "-no-progress", "-quiet", "-no-xattrs", "-dest", target, file];
  const cost = await measure(box, argv);
  await box.run(["rm", "-rf", target]);
  return cost;
}

/** Measures `true` in a container's root file system by bubblewrap. */
export function startFloor(box: Sandbox, name: string, times: number): Promise<Cost> {
  const binds = ["--ro-bind", join(box.data, name), "/", "--proc", "/proc", "--dev", "/dev"];
  return measure(box, ["bwrap", ...binds, "true"], { times });
}

/** Makes system configuration without hooks and mounts; returns its directory. */
export async function bareConfiguration(box: Sandbox, installed: string): Promise<string> {
  const directory = join(box.root, "bare");
  await mkdir(directory);
  await copyFile(join(installed, "enroot.conf"), join(directory, "enroot.conf")).catch(() => {});
  return directory;
}
