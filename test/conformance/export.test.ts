// SPDX-License-Identifier: Apache-2.0
// export: an image of a container as it is now.
// Also with containers that are datasets, in every run.
import { describe, expect, test } from "bun:test";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Tree, treeOf } from "../fixtures/index.ts";
import { host, type Sandbox, sandbox, until } from "../harness/index.ts";
import { container, lines } from "./container.ts";
import { busybox, image } from "./image.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";
import { files } from "./surroundings.ts";

/** A tree with whatever a file system can hold, some of it made by the container's user. */
const odd = `${busybox}
  mkdir -p 'dir with spaces' deep/a/b/c var/empty; mkdir -m 1777 shared; mkdir -m 0555 readonly
  echo one > deep/a/file; ln deep/a/file deep/hard; ln -s /etc/shadow absolute; ln -s missing dangling
  printf 'x' > "$(printf 'name\\nwith line')"; printf 'y' > "$(printf '\\377\\376')"; mkfifo fifo
  touch -d '2001-02-03 04:05:06' old; truncate -s 5M sparse; head -c 300000 /dev/urandom > random
  chmod 0444 old; chmod 0755 random`;

async function paths(file: string): Promise<string[]> {
  const list = lines(await host(["unsquashfs", "-l", "-no-progress", "-quiet", file]));
  return list.map((line) => line.replace("squashfs-root", ".")).sort();
}

function content(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => path !== "." && path !== ".lock"));
}

test("create makes the same tree of it", async () => {
  await using box = await sandbox();
  await box.ok(["create", "-n", "first", await image(box, odd)]);
  await box.ok(["start", "--rw", "first", "sh", "-c", "echo changed > /deep/a/file; rm -r /shared"]);
  await box.ok(["export", "first"]);
  await box.ok(["create", "-n", "second", "first.sqsh"]);
  const [first, second] = await Promise.all(["first", "second"].map((name) => treeOf(join(box.data, name))));
  const mounts = Object.keys(first ?? {}).filter((path) => first?.[path]?.mode === "0000");
  const kept = Object.entries(content(first ?? {})).filter(([path]) => !mounts.includes(path));
  expect(content(second ?? {})).toEqual(Object.fromEntries(kept));
  expect(await readFile(join(box.data, "second/deep/hard"), "utf8")).toBe("changed\n");
  expect(await box.ok(["start", "second", "cat", "/deep/hard"])).toBe("changed\n");
});

test("devices, mount points, the lock and a bundle's directory stay out", async () => {
  await using box = await sandbox();
  const box1 = await container(box, {
    ".enroot/file": "",
    "dev/null": "",
    "dev/sub/x": "",
    "kept/.lock": "",
  });
  await host([
    "sh",
    "-ec",
    `cd "$1"; mkdir -m 0 mnt; : > point; chmod 0 point; mkdir -m 0 full; : > full/x`,
    "sh",
    box1.rootfs,
  ]);
  await host(["chown", "-hR", "--reference", box1.rootfs, box1.rootfs]);
  await box1.inside("true", ["-m", "/tmp:/at/made"]);
  await box.ok(["export", "box"]);
  const names = await paths(join(box.work, "box.sqsh"));
  expect(names).toEqual(expect.arrayContaining(["./at", "./dev", "./etc/passwd", "./kept/.lock", "./root"]));
  expect(names.filter((path) => /full|\/mnt|point|made|dev\/|\.enroot|^\.\/\.lock/.test(path))).toEqual([]);
});

improvement("mksquashfs, as bash enroot uses it, cannot", "also those with a line break", async () => {
  await using box = await sandbox();
  const { rootfs } = await container(box);
  await host(["sh", "-ec", `cd "$1"; mkdir -m 0 "$(printf 'm\\nnt')"`, "sh", rootfs]);
  await host(["chown", "-hR", "--reference", rootfs, rootfs]);
  await box.ok(["export", "box"]);
  expect(await host(["unsquashfs", "-l", join(box.work, "box.sqsh")])).not.toContain("/m\n");
});

describe("the file", () => {
  improvement("bash enroot's is lzo", "is zstd, and a squashfs when that is asked for", async () => {
    await using box = await sandbox();
    await container(box);
    await box.ok(["export", "--format=sqsh", "box"]);
    expect(await host(["unsquashfs", "-s", join(box.work, "box.sqsh")])).toContain("Compression zstd");
  });

  test("is NAME.sqsh here unless another is wanted, of root", async () => {
    await using box = await sandbox();
    await container(box, {}, "my box");
    expect(await box.ok(["export", "my box"])).toBe("");
    await box.ok(["export", "--output", "other\nname", "my box"]);
    expect((await readdir(box.work)).sort()).toEqual(["my box.sqsh", "other\nname"]);
    expect(await host(["unsquashfs", "-lln", join(box.work, "my box.sqsh")])).not.toMatch(
      / (?!0\/0 )\d+\/\d+ /,
    );
  });

  test("is written with the options that are set", async () => {
    await using box = await sandbox();
    await container(box);
    await box.ok(["export", "box"], { env: { ENROOT_SQUASH_OPTIONS: "-comp gzip -b 64K" } });
    const about = await host(["unsquashfs", "-s", join(box.work, "box.sqsh")]);
    expect(about).toContain("Compression gzip");
    expect(about).toContain("Block size 65536");
  });

  test("stays without force and goes with it, also when the container came from it", async () => {
    await using box = await sandbox();
    const file = await image(box, busybox);
    await box.ok(["create", "-n", "box", file]);
    await box.ok(["start", "--rw", "box", "sh", "-c", ": > /mark"]);
    const before = await stat(file);
    expect(refusal(await box.enroot(["export", "-o", file, "box"]))).toContain(file);
    expect((await stat(file)).ino).toBe(before.ino);
    await box.ok(["export", "-f", "-o", file, "box"]);
    expect(await paths(file)).toContain("./mark");
    await box.ok(["export", "-o", file, "box"], { env: { ENROOT_FORCE_OVERRIDE: "y" } });
    await box.ok(["create", "-f", "-n", "box", file]);
    expect(await readdir(join(box.data, "box"))).toContain("mark");
  });
});

test("a container that runs is exported without what is mounted in it", async () => {
  await using box = await sandbox();
  const { rootfs } = await container(box);
  const running = box.start([
    "start",
    "--rw",
    "box",
    "sh",
    "-c",
    "echo x > /tmp/in-memory; echo y > /kept; echo up; exec sleep 600",
  ]);
  await until("the container", async () => running.stdout().includes("up"));
  await box.ok(["export", "box"]);
  const names = await paths(join(box.work, "box.sqsh"));
  expect(names).toContain("./kept");
  expect(names.filter((path) => /in-memory|^\.\/(proc|sys)\//.test(path))).toEqual([]);
  expect(await readdir(rootfs)).toContain(".lock");
});

improvement.among(
  [
    ["a container that is not there", ["export", "none"]],
    ["a name with a slash", ["export", "../box"]],
    ["a directory that is not there", ["export", "-o", "none/box.sqsh", "box"]],
  ],
  "bash enroot knows no formats, and shows what rm says",
  [
    ["an unknown format", ["export", "--format", "tar", "box"]],
    ["a directory instead of a file", ["export", "-f", "-o", ".", "box"]],
  ],
)("%s is refused and leaves nothing", async (_, args) => {
  await using box = await sandbox();
  await container(box);
  refusal(await box.enroot(args));
  expect(await readdir(box.work)).toEqual([]);
});

improvement("bash enroot knows no formats", "the other store's format is refused", async () => {
  await using box = await sandbox({ chosenStore: false });
  await container(box);
  refusal(await box.enroot(["export", "--format", "zfs", "box"]));
  expect(await readdir(box.work)).toEqual([]);
});

improvement(
  "bash enroot deletes that first",
  "a file that cannot be read is named, and the old image stays",
  async () => {
    await using box = await sandbox();
    const { rootfs } = await container(box, { "etc/secret": "text" });
    await box.ok(["export", "box"]);
    await host(["chmod", "0", join(rootfs, "etc/secret")]);
    const before = await stat(join(box.work, "box.sqsh"));
    expect(refusal(await box.enroot(["export", "-f", "box"]))).toContain("etc/secret");
    expect((await stat(join(box.work, "box.sqsh"))).ino).toBe(before.ino);
    expect(await readdir(box.work)).toEqual(["box.sqsh"]);
  },
);

async function interrupted(box: Sandbox, signal: NodeJS.Signals): Promise<void> {
  const { rootfs } = await container(box);
  await host(["sh", "-ec", 'head -c 200M /dev/urandom > "$1/big"; chmod 644 "$1/big"', "sh", rootfs]);
  const child = box.start(["export", "box"]);
  await until("the first bytes", async () => (await files(box, box.work)) !== "");
  child.kill(signal);
  expect(await child.exited).toMatchObject({ status: null, signal });
}

improvement.each("bash enroot leaves a part of it", [["SIGINT"], ["SIGTERM"], ["SIGHUP"]] as const)(
  "%s ends it without a trace",
  async (signal) => {
    await using box = await sandbox();
    await interrupted(box, signal);
    expect(await readdir(box.work)).toEqual([]);
  },
);
