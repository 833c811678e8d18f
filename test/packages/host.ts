// SPDX-License-Identifier: Apache-2.0
// A package that dpkg has installed on this machine, for single commands: in mount namespaces of their own, where /usr
// and /etc are overlays. To the rest of the machine, and to its dpkg, nothing has happened.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host } from "../harness/index.ts";
import { type PackageName, packageFile } from "./built.ts";

/** An installation of a test's own. */
export interface Installation extends AsyncDisposable {
  /** For a command's option `prepare`: it then sees the package installed. */
  readonly prepare: string;
}

const places = ["/usr", "/etc", "/var/lib/dpkg"] as const;

/** Installs a package with what it needs, which `scripts/setup --run` has installed. */
export async function installOnHost(name: PackageName): Promise<Installation> {
  const work = await mkdtemp(join(tmpdir(), "enroot-installed."));
  const mounts = await Promise.all(places.map((place, index) => overlay(place, join(work, `${index}`))));
  const prepare = mounts.join("\n");
  const quiet = ["/var/log", "/var/cache/man"].map((place) => `mount -t tmpfs tmpfs ${place}`);
  await host(["dpkg", "--install", await packageFile(name)], {
    prepare: [prepare, ...quiet].join("\n"),
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  return { prepare, [Symbol.asyncDispose]: () => rm(work, { recursive: true, force: true }) };
}

/** The command that puts an overlay over a directory. */
async function overlay(place: string, work: string): Promise<string> {
  for (const name of ["changes", "work"]) await mkdir(join(work, name), { recursive: true });
  return `mount -t overlay -o 'lowerdir=${place},upperdir=${work}/changes,workdir=${work}/work' overlay ${place}`;
}
