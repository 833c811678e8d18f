// SPDX-License-Identifier: Apache-2.0
// Root file systems that try to lead a start, and its hooks, to files of the host.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, type Sandbox, sandbox } from "../harness/index.ts";
import { type Container, container, own, sysconf } from "./container.ts";
import { improvement } from "./improvement.ts";

interface Trap extends Container, AsyncDisposable {
  readonly box: Sandbox;
  /** A directory of the user's on the host that holds `file`, a secret. */
  readonly prey: string;
  /** Fails when anything in `prey` has changed. */
  untouched(): Promise<void>;
  /** Puts a link into the root file system in the place of what is there. */
  plant(name: string, target: string): Promise<void>;
}

async function trap(files: Record<string, string> = {}): Promise<Trap> {
  const box = await sandbox();
  const made = await container(box, files);
  const prey = join(box.root, "prey");
  await mkdir(prey);
  await writeFile(join(prey, "file"), "SECRET=1\n", { mode: 0o600 });
  await own(prey);
  const state = () =>
    host(["sh", "-c", 'cd "$1" && find . -printf "%p %y %m %i %T@ %s\\n" | sort', "sh", prey]);
  const before = await state();
  return {
    ...made,
    box,
    prey,
    untouched: async () => expect(await state()).toBe(before),
    plant: async (name, target) => {
      const path = join(made.rootfs, name);
      await rm(path, { recursive: true, force: true });
      await mkdir(join(path, ".."), { recursive: true });
      await symlink(target, path);
      await own(made.rootfs);
    },
    [Symbol.asyncDispose]: () => box[Symbol.asyncDispose](),
  };
}

/** Runs the container with everything on that writes to it, whether that works or not. */
async function start({ box }: Trap): Promise<void> {
  for (const options of [
    ["--rw", "--pid"],
    ["--root", "--ipc", "--net"],
  ]) {
    const result = await box.enroot(["start", ...options, "box", "sh", "-c", "exit 0"], {
      env: { ENROOT_MOUNT_HOME: "y", ENROOT_RESTRICT_DEV: "y" },
    });
    expect(result.stdout + result.stderr).not.toContain("SECRET");
  }
}

const above = (path: string) => `../../../../../../../../..${path}`;

describe("a directory as a link", () => {
  improvement.among(
    [["proc"], ["sys"], ["tmp"], ["run"], ["root"], ["etc/skel"], ["etc/default"], ["var/run"]],
    "bash enroot writes through it",
    [
      ["etc"],
      ["dev"],
      ["var"],
      ["home"],
      ["usr"],
      ["usr/share/zoneinfo"],
      ["var/mail"],
      ["etc/apt"],
      ["etc/apt/apt.conf.d"],
    ],
  )("/%s", async (name) => {
    const files = { "etc/debian_version": "12\n", "etc/default/useradd": "CREATE_MAIL_SPOOL=yes\n" };
    await using place = await trap(files);
    const { prey } = place;
    const itself = name.split("/").at(-1) ?? "";
    for (const target of [prey, above(prey), `/proc/self/root${prey}`, "nowhere", itself]) {
      await place.plant(name, target);
      await start(place);
      await place.untouched();
    }
  });
});

describe("a file as a link", () => {
  improvement.among(
    [
      ["etc/localtime"],
      ["etc/environment"],
      ["etc/hosts"],
      ["etc/resolv.conf"],
      ["etc/login.defs"],
      ["etc/default/useradd"],
      ["dev/null"],
    ],
    "bash enroot writes through it",
    [
      ["etc/passwd"],
      ["etc/group"],
      ["etc/fstab"],
      ["etc/skel/file"],
      [".lock"],
      ["etc/apt/apt.conf.d/enroot"],
    ],
  )("/%s", async (name) => {
    await using place = await trap({ "etc/debian_version": "12\n" });
    const file = join(place.prey, "file");
    for (const target of [file, above(file)]) {
      await place.plant(name, target);
      await start(place);
      await place.untouched();
      // Links on the way lead grep -r nowhere.
      expect((await place.box.run(["grep", "-r", "SECRET", place.rootfs])).stdout).toBe("");
    }
  });
});

improvement.among([["etc/environment"], ["etc/fstab"], ["etc/localtime"]], "bash enroot waits for ever", [
  ["etc/passwd"],
  ["etc/group"],
  ["etc/login.defs"],
  [".lock"],
])("/%s that is no file does not make the start wait", async (name) => {
  await using place = await trap();
  for (const make of [["mkfifo"], ["mkdir"]]) {
    await rm(join(place.rootfs, name), { recursive: true, force: true });
    await host([...make, join(place.rootfs, name)]);
    await own(place.rootfs);
    const result = await place.box.enroot(["start", "box", "true"], { timeout: 20 });
    expect(result.signal).toBeNull();
  }
});

test("nothing of the image's environment reaches what runs on the host", async () => {
  const hostile = [
    "PATH=/evil",
    "LD_PRELOAD=/evil.so",
    "LD_LIBRARY_PATH=/evil",
    "BASH_ENV=/evil.sh",
    "ENV=/evil.sh",
  ];
  const more = [
    "GCONV_PATH=/evil",
    "ENROOT_LIBRARY_PATH=/evil",
    "NVIDIA_VISIBLE_DEVICES=all",
    "IFS=x",
    "PS4=$(evil)",
  ];
  await using place = await trap({ "etc/environment": [...hostile, ...more, ""].join("\n") });
  const directory = await sysconf(place.box, {
    "mounts.d/1.fstab": "${LD_PRELOAD}/proc /proc none x-create=dir,rbind,rslave 0 -1\n",
    "hooks.d/1.sh": "#!/bin/sh\nenv >&2\n",
  });
  await writeFile(join(place.box.work, "conf"), "hooks() { env >&2; }\n");
  const result = await place.box.enroot(["start", "-c", "conf", "box", "/bin/env"], {
    env: { ENROOT_SYSCONF_PATH: directory },
  });
  expect(result.status).toBe(0);
  expect(result.stderr).toContain("ENROOT_LIBRARY_PATH=");
  expect(result.stderr).not.toMatch(/evil|NVIDIA_VISIBLE_DEVICES|^IFS=/m);
  expect(result.stdout).toContain("LD_PRELOAD=/evil.so\n");
  expect(result.stdout).not.toContain("ENROOT_");
});

improvement(
  "bash enroot writes through it",
  "a directory that becomes a link to the host, and back, all the while",
  async () => {
    await using place = await trap({ "etc/debian_version": "12\n" });
    const { box, rootfs, prey } = place;
    await mkdir(join(rootfs, "etc/apt"));
    await mkdir(join(rootfs, "swapped"));
    await symlink(prey, join(rootfs, "link"));
    await symlink(prey, join(rootfs, "etc/link"));
    await own(rootfs);
    // The exchange is atomic: there is always something at both names.
    const exchange = `import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
while True:
    for one, other in (("swapped", "link"), ("etc/apt", "etc/link")):
        libc.renameat2(-100, one.encode(), -100, other.encode(), 2)
`;
    const swapping = box.run(["timeout", "-s", "KILL", "8", "python3", "-c", exchange], { cwd: rootfs });
    const until = Date.now() + 7000;
    let count = 0;
    while (Date.now() < until && count < 40) {
      const mounts = [
        "-m",
        "tmpfs:/swapped/deep/made:x-create=dir",
        "-m",
        "/etc/hostname:/swapped/made:x-create=file,bind",
      ];
      const result = await box.enroot(["start", "--root", ...mounts, "box", "true"]);
      expect(result.signal).toBeNull();
      count++;
    }
    expect(count).toBeGreaterThan(3);
    await place.untouched();
    await swapping;
    expect(await readdir(prey)).toEqual(["file"]);
    expect(await readFile(join(prey, "file"), "utf8")).toBe("SECRET=1\n");
  },
  30_000,
);
