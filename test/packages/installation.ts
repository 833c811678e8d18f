// SPDX-License-Identifier: Apache-2.0
// A fresh Debian in which packages are installed by apt, and which is thrown away: an overlay over a base system that
// debootstrap makes once, for the cache. Every command has mount and process namespaces of its own.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDirectory, host, type Result, start, used } from "../harness/index.ts";
import { debianArchitecture } from "./built.ts";
import { emulate } from "./emulation.ts";

/** A system of a test's own. */
export interface System extends AsyncDisposable {
  /** Where its changes are, as paths from its root. */
  readonly changes: string;
  /** Runs shell lines in it as root, and fails with their output unless they succeed; returns what they print. */
  root(script: string): Promise<string>;
  /** The same as a user. */
  user(script: string): Promise<string>;
  /** Runs shell lines as root, whatever becomes of them. */
  attempt(script: string): Promise<Result>;
}

/** Where the packages to install are, inside. */
const repository = "/srv/packages";

const environment = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
  DEBIAN_FRONTEND: "noninteractive",
};

/** Which Debian. */
export interface Base {
  readonly architecture: string;
  readonly suite: string;
  /** Packages beyond the smallest installation. */
  readonly include: readonly string[];
}

/** Debian 12 with what enroot's packages ask for, so that a test needs no mirror. */
export const current: Base = {
  architecture: debianArchitecture,
  suite: "bookworm",
  include: ["libcap2-bin", "squashfs-tools", "squashfs-tools-ng", "squashfuse"],
};

/** A base system, made now if it is not in the cache; nobody may write to it. */
export async function baseSystem({ architecture, suite, include }: Base): Promise<string> {
  const directory = join(cacheDirectory(), `debian-${suite}-${architecture}-1`);
  if (existsSync(directory)) return used(directory);
  await using undo = new AsyncDisposableStack();
  const fresh = `${directory}.${process.pid}`;
  undo.defer(() => rm(fresh, { recursive: true, force: true }));
  await mkdir(cacheDirectory(), { recursive: true });
  const options = ["--variant=minbase", `--arch=${architecture}`, `--include=${include.join(",")}`];
  const run = { prepare: emulate(architecture) };
  await host(["debootstrap", ...options, suite, fresh], run);
  await host(["chroot", fresh, "useradd", "--create-home", "user"], run);
  await host(["chroot", fresh, "apt-get", "clean"], run);
  // Another run may have been faster.
  if (!existsSync(directory)) await rename(fresh, directory);
  return directory;
}

/** Starts from a base system; apt knows the packages of `directories`, which are in /srv/packages, and nothing else. */
export async function system(directories: readonly string[], on: Base = current): Promise<System> {
  const base = await baseSystem(on);
  const work = await mkdtemp(join(tmpdir(), "enroot-system."));
  for (const name of ["changes", "overlay", "root"]) await mkdir(join(work, name));
  const changes = join(work, "changes");
  await mkdir(join(changes, "etc/apt"), { recursive: true });
  await writeFile(join(changes, "etc/hosts"), "127.0.0.1 localhost\n");
  await writeFile(join(changes, "etc/apt/sources.list"), `deb [trusted=yes] file:${repository} ./\n`);
  const places = directories.map((_, index) => join(changes, repository, `${index}`));
  for (const place of places) await mkdir(place, { recursive: true });
  const indexes = await Promise.all(
    directories.map((directory, index) => packageIndex(directory, `${index}`)),
  );
  await writeFile(join(changes, repository, "Packages"), indexes.join(""));
  const inside = (argv: readonly string[], script: string): Promise<Result> =>
    start(
      [
        ...separate,
        `${emulate(on.architecture)}\n${enter}`,
        "enter",
        base,
        work,
        ...argv,
        "sh",
        "-ec",
        script,
      ],
      environment,
      {
        user: "root",
        env: { repositories: directories.join("\n") },
      },
    ).exited;
  const ok = async (argv: readonly string[], script: string): Promise<string> => {
    const result = await inside(argv, script);
    if (result.status === 0) return result.stdout;
    throw new Error(`${script}: status ${result.status}\n${result.stdout}${result.stderr}`);
  };
  await ok([], "apt-get -qq update");
  return {
    changes,
    root: (script) => ok([], script),
    user: (script) =>
      ok(
        [
          "env",
          "-C",
          "/home/user",
          "HOME=/home/user",
          "setpriv",
          "--reuid=user",
          "--regid=user",
          "--init-groups",
        ],
        script,
      ),
    attempt: (script) => inside([], script),
    [Symbol.asyncDispose]: () => rm(work, { recursive: true, force: true }),
  };
}

/** What apt reads about the packages of a directory, which is to appear as `name` in the repository. */
async function packageIndex(directory: string, name: string): Promise<string> {
  const index = await host(["dpkg-scanpackages", "--multiversion", "."], { cwd: directory });
  return index.replaceAll(/^Filename: \.\//gm, `Filename: ./${name}/`);
}

const separate = ["unshare", "--mount", "--propagation=private", "--", "sh", "-ec"];

/**
 * What becomes a command of the system; the mounts are seen by nothing else and gone with it. Not by chroot, in which
 * the kernel lets nobody make user namespaces.
 */
const enter = `
base=$1 work=$2 root=$2/root
shift 2
mount -t overlay -o "lowerdir=$base,upperdir=$work/changes,workdir=$work/overlay" overlay "$root"
number=0
printf '%s\\n' "$repositories" | while IFS= read -r directory; do
  mount --bind "$directory" "$root${repository}/$number"
  number=$((number + 1))
done
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
cd "$root"
# With the old root what is registered there would go.
emulation=/proc/sys/fs/binfmt_misc
[ ! -e "$emulation/status" ] || emulate="mount -t binfmt_misc binfmt_misc .$emulation"
export emulate
exec unshare --pid --fork --kill-child sh -ec 'mount -t proc proc proc; $emulate; pivot_root . mnt; umount -l /mnt; exec "$@"' sh "$@"
`;
