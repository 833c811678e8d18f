// SPDX-License-Identifier: Apache-2.0
// What is in the packages: files, modes, relations, and that lintian has nothing to say.
import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "../../src/cli/table.ts";
import { host, projectDirectory } from "../harness/index.ts";
import {
  debianArchitecture,
  type PackageName,
  packageFile,
  packageNames,
  packages,
  version,
} from "./built.ts";

interface Entry {
  readonly mode: string;
  readonly owner: string;
  readonly path: string;
}

/** Everything in a package that is no directory. */
function entries(name: PackageName): Promise<readonly Entry[]> {
  const known = listings.get(name) ?? list(name);
  listings.set(name, known);
  return known;
}

const listings = new Map<PackageName, Promise<readonly Entry[]>>();

async function list(name: PackageName): Promise<readonly Entry[]> {
  const listing = await host(["dpkg-deb", "--contents", await packageFile(name)]);
  return listing
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ +/))
    .map(([mode = "", owner = "", , , , path = ""]) => ({ mode, owner, path: path.replace(/^\./, "") }))
    .filter(({ mode }) => !mode.startsWith("d"));
}

const paths = async (name: PackageName): Promise<readonly string[]> =>
  (await entries(name)).map(({ path }) => path);

async function field(name: PackageName, key: string): Promise<string> {
  return (await host(["dpkg-deb", "--field", await packageFile(name), key])).trim();
}

async function conffiles(name: PackageName): Promise<readonly string[]> {
  const text = await host(["dpkg-deb", "--info", await packageFile(name), "conffiles"]);
  return text.trimEnd().split("\n").toSorted();
}

/** The files below a directory of the checkout, as paths of the package. */
async function filesOf(directory: string, place: string): Promise<string[]> {
  const found = await host(["find", ".", "-type", "f", "-printf", "%P\\n"], {
    cwd: join(projectDirectory, directory),
  });
  return found
    .trimEnd()
    .split("\n")
    .map((path) => `${place}/${path}`)
    .toSorted();
}

// Made before the first test, whose time it would take.
const directory = await packages();

const flavours = ["enroot", "enroot-hardened"] as const;
const programs = ["", "-execute", "-mount", "-nsenter", "-rootfs", "-switchroot", "-zfs-mount"];

describe.each(flavours)("%s", (flavour) => {
  test("has the launcher and its helpers in /usr/bin, the engine and its scripts in /usr/lib/enroot", async () => {
    const all = await entries(flavour);
    const below = (place: string): string[] =>
      all
        .filter(({ path }) => path.startsWith(place))
        .map(({ mode, path }) => `${mode} ${path.slice(place.length)}`)
        .toSorted();
    expect(below("/usr/bin/")).toEqual(programs.map((name) => `-rwxr-xr-x enroot${name}`));
    expect(below("/usr/lib/enroot/")).toEqual([
      "-rw-r--r-- bundle.sh",
      "-rw-r--r-- common.sh",
      "-rwxr-xr-x enroot-engine",
    ]);
  });

  test("has everything of /etc as conffiles, and the rest of the hooks to opt into", async () => {
    const all = await paths(flavour);
    const configured = all.filter((path) => path.startsWith("/etc/")).toSorted();
    expect(configured).toEqual([
      "/etc/apparmor.d/enroot",
      ...(await filesOf("packaging/etc/enroot", "/etc/enroot")),
    ]);
    expect(await conffiles(flavour)).toEqual(configured);
    const shared = all.filter((path) => /^\/usr\/share\/enroot\/(hooks|mounts)/.test(path)).toSorted();
    expect(shared).toEqual(await filesOf("packaging/extra", "/usr/share/enroot"));
  });

  test("has manual pages of every program, every command and the configuration, and completions", async () => {
    const all = new Set(await paths(flavour));
    const pages = [...programs.slice(1), ...Object.keys(table).map((name) => `-${name}`), ""];
    const wanted = [
      ...pages.map((name) => `/usr/share/man/man1/enroot${name}.1.gz`),
      "/usr/share/man/man5/enroot.conf.5.gz",
      "/usr/share/bash-completion/completions/enroot",
      "/usr/share/fish/vendor_completions.d/enroot.fish",
      "/usr/share/zsh/vendor-completions/_enroot",
      `/usr/share/doc/${flavour}/changelog.gz`,
    ];
    expect(wanted.filter((path) => !all.has(path))).toEqual([]);
  });

  test("depends on what it runs, and on nothing that is everywhere", async () => {
    expect(await field(flavour, "Depends")).toBe(
      "libc6 (>= 2.17), mount, squashfs-tools, squashfs-tools-ng, squashfuse",
    );
    // The packages that messages name when a program is missing: all of them are required, suggested or essential.
    const sources = await host(["grep", "-rhoE", 'requireProgram\\("[^"]+", "[^"]+"\\)', "src"], {
      cwd: projectDirectory,
    });
    const named = [...sources.matchAll(/, "([^"]+)"/g)].map(([, name]) => name ?? "");
    const known = `${await field(flavour, "Depends")}, ${await field(flavour, "Suggests")}`;
    const essential = ["coreutils", "dash", "findutils", "gzip", "tar", "util-linux"];
    const unknown = new Set(named.filter((name) => !known.split(/,\s+/).includes(name)));
    expect([...unknown].filter((name) => !essential.includes(name))).toEqual([]);
  });

  test("the engine asks for nothing newer than glibc 2.17", async () => {
    const work = await mkdtemp(join(tmpdir(), "enroot-package."));
    try {
      await host(["dpkg-deb", "--extract", await packageFile(flavour), work]);
      const needed = await host([
        "readelf",
        "--version-info",
        "-W",
        join(work, "usr/lib/enroot/enroot-engine"),
      ]);
      const minors = [...needed.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
      expect(minors.length).toBeGreaterThan(0);
      expect(Math.max(...minors)).toBeLessThanOrEqual(17);
    } finally {
      await rm(work, { recursive: true });
    }
  });
});

describe.each(packageNames)("%s", (name) => {
  test("says what it is", async () => {
    expect(await field(name, "Version")).toBe(`${version}-1`);
    expect(await field(name, "Architecture")).toBe(debianArchitecture);
    expect(await paths(name)).toContain(`/usr/share/doc/${name}/copyright`);
  });

  test("belongs to root, with no bit for others to write, and none of setuid", async () => {
    const odd = (await entries(name)).filter(
      ({ owner, mode }) => owner !== "0/0" || !/^(-rw-r--r--|-rwxr-xr-x)$/.test(mode),
    );
    expect(odd).toEqual([]);
  });
});

test.each(["enroot+caps", "enroot-hardened+caps"] as const)("%s has no program of its own", async (name) => {
  expect((await paths(name)).filter((path) => !/^\/usr\/share\/(doc|lintian)\//.test(path))).toEqual([]);
  expect(await field(name, "Depends")).toBe(`${name.slice(0, -5)} (= ${version}-1), libcap2-bin`);
});

test("the flavours exclude each other", async () => {
  for (const [one, other] of [flavours, flavours.toReversed()] as const) {
    expect(await field(one ?? "enroot", "Conflicts")).toBe(other ?? "");
    expect(await field(one ?? "enroot", "Replaces")).toBe(other ?? "");
  }
});

test("the checksums are those of everything made", async () => {
  expect(await host(["sha256sum", "--check", "--quiet", "SHA256SUMS"], { cwd: directory })).toBe("");
  const listed = (await Bun.file(join(directory, "SHA256SUMS")).text()).matchAll(/ {2}(.*)\n/g);
  const made = (await readdir(directory)).filter((name) => name !== "SHA256SUMS").toSorted();
  expect([...listed].map(([, name = ""]) => name).toSorted()).toEqual(made);
  expect(made).toHaveLength(6);
});

test("lintian has nothing to say", async () => {
  const files = await Promise.all(packageNames.map(packageFile));
  // Those of tests are not compressed.
  const options = [
    "--allow-root",
    "--fail-on=error,warning",
    "--suppress-tags=uses-no-compression-for-data-tarball",
  ];
  expect(await host(["lintian", ...options, ...files])).toBe("");
}, 300_000);
