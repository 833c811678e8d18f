// SPDX-License-Identifier: Apache-2.0
// The packages under test: made by scripts/package as a release is, only less compressed, and kept in the cache.
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import settings from "../../package.json";
import { cacheDirectory, distDirectory, host, projectDirectory, used } from "../harness/index.ts";

/** This machine's architecture as dpkg says it. */
export const debianArchitecture = process.arch === "x64" ? "amd64" : "arm64";

/** The version of the packages, without Debian's part. */
export const { version } = settings;

/** The four packages. */
export const packageNames = ["enroot", "enroot+caps", "enroot-hardened", "enroot-hardened+caps"] as const;

/** The name of one of the packages. */
export type PackageName = (typeof packageNames)[number];

/** Makes the packages of a checkout in a directory. */
export async function makePackages(
  checkout: string,
  output: string,
  options: { readonly architecture?: string; readonly prepare?: string } = {},
): Promise<void> {
  const { architecture = debianArchitecture, ...run } = options;
  const command = ["scripts/package", "--fast", "--output", output, architecture];
  await host(command, { cwd: checkout, ...run });
}

/** A directory with all packages, the tarball, the sources and their checksums. */
export function packages(architecture: string = debianArchitecture): Promise<string> {
  const known = directories.get(architecture) ?? find(architecture);
  directories.set(architecture, known);
  return known;
}

const directories = new Map<string, Promise<string>>();

async function find(architecture: string): Promise<string> {
  const directory = join(cacheDirectory(), `packages-${architecture}-${await key(architecture)}`);
  if (existsSync(directory)) return used(directory);
  await using undo = new AsyncDisposableStack();
  const fresh = `${directory}.${process.pid}`;
  undo.defer(() => rm(fresh, { recursive: true, force: true }));
  await mkdir(fresh, { recursive: true });
  await makePackages(projectDirectory, fresh, { architecture });
  await forget(architecture);
  // Another run may have been faster.
  if (!existsSync(directory)) await rename(fresh, directory);
  return directory;
}

/** The file of one package. */
export async function packageFile(name: PackageName): Promise<string> {
  return join(await packages(), `${name}_${version}-1_${debianArchitecture}.deb`);
}

/** What the packages are made of: the build, and what scripts/package takes besides. */
async function key(architecture: string): Promise<string> {
  const machine = architecture === "arm64" ? "aarch64" : "x86_64";
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(await Bun.file(join(distDirectory, "..", machine, ".fingerprint")).bytes());
  hasher.update(await host(["git", "rev-parse", "HEAD"], { cwd: projectDirectory }));
  const listed = ["--cached", "--others", "--exclude-standard", "scripts", "packaging", "docs", "*.md"];
  const files = await host(["git", "ls-files", "-z", ...listed], { cwd: projectDirectory });
  for (const name of files.split("\0").filter((text) => text !== "")) {
    const file = Bun.file(join(projectDirectory, name));
    if (await file.exists()) hasher.update(name).update(await file.bytes());
  }
  return hasher.digest("hex").slice(0, 12);
}

/** They are large, and those of an earlier commit are of no use; but another checkout may be at work. */
async function forget(architecture: string): Promise<void> {
  const before = new RegExp(`^packages-${architecture}-[0-9a-f]{12}$`);
  const hour = 3_600_000;
  for (const name of await readdir(cacheDirectory())) {
    const path = join(cacheDirectory(), name);
    if (!before.test(name) || Date.now() - (await stat(path)).mtimeMs < hour) continue;
    await rm(path, { recursive: true, force: true });
  }
}
