// SPDX-License-Identifier: Apache-2.0
// The tarball runs wherever it is unpacked: on this machine as a user, on an older Debian where nothing is installed;
// and says what is missing where it cannot.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { container, own } from "../conformance/container.ts";
import { host, sandbox } from "../harness/index.ts";
import { debianArchitecture, packages, version } from "./built.ts";
import { type Base, baseSystem, type System, system } from "./installation.ts";

/** Its C library is 2.31, and the smallest installation has no program for squashfs. */
const older: Base = { architecture: debianArchitecture, suite: "bullseye", include: [] };

const tarball = join(await packages(), `enroot_${version}_${debianArchitecture}.tar.xz`);
await baseSystem(older);

let unpacked: string;

beforeAll(async () => {
  unpacked = await mkdtemp(join(tmpdir(), "enroot tarball."));
  await chmod(unpacked, 0o755);
  await host(["tar", "-xf", tarball, "-C", unpacked]);
}, 120_000);

afterAll(async () => {
  await rm(unpacked, { recursive: true, force: true });
});

test("everything is in one directory, and nobody but its owner may write to it", async () => {
  expect(await host(["ls", unpacked])).toBe(`enroot-${version}\n`);
  expect(await host(["find", unpacked, "-mindepth", "1", "-perm", "/6022", "!", "-type", "l"])).toBe("");
});

describe("as a user of this machine", () => {
  test("it finds its own library, configuration and helpers", async () => {
    await using box = await sandbox();
    const enroot = join(unpacked, `enroot-${version}/bin/enroot`);
    const { stdout } = await box.run([enroot, "info"]);
    expect(stdout).toContain(join(unpacked, `enroot-${version}/lib/enroot`));
    expect(stdout).toContain(join(unpacked, `enroot-${version}/etc/enroot`));
    await container(box);
    const hook = `${box.config}/hooks.d`;
    await mkdir(hook);
    await Bun.write(
      `${hook}/50-where.sh`,
      '#!/bin/bash\ncommand -v enroot-mount > "${ENROOT_ROOTFS}/where"\n',
    );
    await chmod(`${hook}/50-where.sh`, 0o755);
    await own(hook);
    const { stdout: where, stderr } = await box.run([enroot, "start", "--rw", "box", "cat", "/where"]);
    expect(stderr).toBe("");
    expect(where).toBe(`${join(unpacked, `enroot-${version}/bin/enroot-mount`)}\n`);
  });

  test("it runs through a link on PATH", async () => {
    await using box = await sandbox();
    const script = `ln -s "$1" "$HOME/enroot" && PATH=$HOME:$PATH && enroot version`;
    const enroot = join(unpacked, `enroot-${version}/bin/enroot`);
    expect((await box.run(["sh", "-c", script, "sh", enroot])).stdout).toBe(`${version}\n`);
  });
});

describe("on Debian 11 with nothing installed", () => {
  let on: System;
  beforeAll(async () => {
    on = await system([unpacked], older);
  }, 120_000);
  afterAll(async () => {
    await on?.[Symbol.asyncDispose]();
  });
  const enroot = `/srv/packages/0/enroot-${version}/bin/enroot`;

  test("containers start", async () => {
    const script = `
      export XDG_RUNTIME_DIR=$HOME
      root=$HOME/.local/share/enroot/box
      mkdir -p $root/bin $root/etc
      cp -L /bin/sh $root/bin
      for file in $(ldd /bin/sh | grep -o '/[^ ]*'); do install -D "$file" "$root$file"; done
      ${enroot} list
      ${enroot} start box /bin/sh -c 'echo inside'`;
    expect(await on.user(script)).toBe("box\ninside\n");
  });

  test("a program that is missing is named, with its package", async () => {
    await host([
      "mksquashfs",
      join(unpacked, `enroot-${version}/etc`),
      join(unpacked, "image.sqsh"),
      "-quiet",
    ]);
    const result = await on.attempt(
      `HOME=/tmp XDG_RUNTIME_DIR=/tmp ${enroot} create /srv/packages/0/image.sqsh`,
    );
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("unsquashfs");
    expect(result.stderr).toContain("squashfs-tools");
  });
});

test("without glibc it says so", async () => {
  const root = await mkdtemp(join(tmpdir(), "enroot-musl."));
  try {
    await host(["cp", "-r", join(unpacked, `enroot-${version}`), join(root, "enroot")]);
    const run = `mount --bind "$1" "$1"; mkdir -p "$1/proc"; mount -t proc proc "$1/proc"; chroot "$1" /enroot/bin/enroot version`;
    const said = host(["unshare", "--mount", "--", "sh", "-ec", run, "sh", root]);
    await expect(said).rejects.toThrow(
      "it needs the C library glibc, 2.17 or later, which this system lacks",
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
