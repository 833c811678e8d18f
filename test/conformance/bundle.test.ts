// SPDX-License-Identifier: Apache-2.0
// bundle: an image that extracts and runs itself.
import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layersOf } from "../fixtures/layers.ts";
import { host, sandbox, start, testUser, until } from "../harness/index.ts";
import { bundle, content, left } from "./bundle-image.ts";
import { lines, own } from "./container.ts";
import { image } from "./image.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";

const { uid, gid } = testUser();

describe("the file", () => {
  test("is IMAGE.run here unless another is wanted, and executable", async () => {
    await using box = await sandbox();
    const file = await image(box, content, "my image.sqsh");
    expect(await box.ok(["bundle", file])).toBe("");
    await box.ok(["bundle", "-o", "other", file]);
    expect((await readdir(box.work)).sort()).toEqual(["my image.run", "my image.sqsh", "other"]);
    expect((await stat(join(box.work, "other"))).mode & 0o777).toBe(0o755);
  });

  test("stays without force and goes with it", async () => {
    await using box = await sandbox();
    const { path } = await bundle(box);
    const before = await stat(path);
    expect(refusal(await box.enroot(["bundle", "image.sqsh"]))).toContain(path);
    expect((await stat(path)).ino).toBe(before.ino);
    await box.ok(["bundle", "-f", "image.sqsh"]);
    await box.ok(["bundle", "image.sqsh"], { env: { ENROOT_FORCE_OVERRIDE: "y" } });
    expect((await box.run([path, "true"])).status).toBe(0);
  });

  improvement(
    "gzip puts the time into bash enroot's",
    "is the same each time SOURCE_DATE_EPOCH is",
    async () => {
      await using box = await sandbox({ env: { SOURCE_DATE_EPOCH: "1000000000" } });
      const { path } = await bundle(box, ["-c"]);
      const first = await readFile(path);
      await box.ok(["bundle", "-f", "-c", "image.sqsh"]);
      expect(first.equals(await readFile(path))).toBe(true);
    },
  );

  test.each([
    ["no image", ["bundle", "none.sqsh"]],
    ["no squashfs", ["bundle", "/bin/sh"]],
    ["a directory that is not there", ["bundle", "-o", "none/x.run", "image.sqsh"]],
  ])("of %s is refused and leaves nothing", async (_, args) => {
    await using box = await sandbox();
    await image(box, content);
    refusal(await box.enroot(args));
    expect(await readdir(box.work)).toEqual(["image.sqsh"]);
  });
});

describe("run", () => {
  test("starts the command, whose status it has, and leaves nothing", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box);
    const script = 'cat; cat "/with space/file"; echo "$FROM_IMAGE"; touch /new 2> /dev/null || exit 9';
    expect(await run(["-q", "sh", "-c", script], { stdin: "in\n" })).toMatchObject({
      status: 9,
      stdout: "in\ntext\n1\n",
    });
    expect(await left(box)).toEqual([]);
  });

  test("gives options and empty words after the first operand to the command", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box);
    expect(
      (await run(["sh", "-c", 'for word; do echo "[$word]"; done', "sh", "-k", "", "--", "a b"])).stdout,
    ).toBe("[-k]\n[]\n[--]\n[a b]\n");
  });

  test("takes start's options", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box);
    await writeFile(
      join(box.work, "conf"),
      "environ() { echo FROM_CONF=$WHO; }\n#ENROOT_ROOTFS_WRITABLE=y\n",
    );
    await writeFile(join(box.work, "rc"), 'echo rc; exec "$@"\n');
    await own(box.work);
    const options = [
      "-e",
      "A=1",
      "--env=HOST",
      "-m",
      "/etc/hostname:/mnt/host:none:x-create=file,bind",
      "-r",
    ];
    const script = 'echo "$A,$HOST,$FROM_CONF"; id -u; grep -c . /mnt/host; : > /new && echo writable';
    const args = [...options, "--conf", "conf", "--rc=rc", "sh", "-c", script];
    const { stdout, stderr } = await run(args, { env: { HOST: "h", WHO: "me" } });
    expect(stderr).toBe("");
    expect(lines(stdout)).toEqual(["rc", "1,h,me", "0", expect.stringMatching(/^\d+$/), "writable"]);
    expect((await run(["-w", "sh", "-c", ": > /new && echo writable"])).stdout).toBe("writable\n");
  });

  improvement.each("bash enroot waits for the command first", [["SIGTERM"], ["SIGINT"]] as const)(
    "passes %s on, and leaves nothing",
    async (signal) => {
      await using box = await sandbox();
      const { path } = await bundle(box);
      const script = `trap 'echo got; exit 4' ${signal.slice(3)}; echo up; while :; do sleep 0.1; done`;
      const child = start([path, "sh", "-c", script], box.env, { cwd: box.work });
      await until("the container", async () => child.stdout().includes("up"));
      child.kill(signal);
      expect(await child.exited).toMatchObject({ status: 4, stdout: "up\ngot\n" });
      expect(await left(box)).toEqual([]);
    },
  );

  test("has the command's death by a signal, as a shell tells it", async () => {
    await using box = await sandbox();
    const { path } = await bundle(box);
    const argv = ["sh", "-c", '"$@"; echo $?', "sh", path, "sh", "-c", "kill -KILL $$"];
    expect((await box.run(argv)).stdout).toBe("137\n");
    expect(await left(box)).toEqual([]);
  });

  test("--keep and --extract leave it in the target directory, where start finds it", async () => {
    // A bundle unpacks to a directory, which is no dataset.
    await using box = await sandbox({ chosenStore: false });
    const { run } = await bundle(box, ["-t", "${ENROOT_DATA_PATH}/kept"]);
    expect(await run(["--extract"])).toMatchObject({ status: 0, stdout: "" });
    expect((await readdir(join(box.data, "kept"))).sort()).toContain(".enroot");
    expect(await box.ok(["start", "kept", "cat", "/with space/file"])).toBe("text\n");
    expect(refusal(await run(["-k", "true"]))).toContain("already exists");
    await box.ok(["remove", "-f", "kept"]);
    expect((await run(["-k", "-w", "sh", "-c", "echo new > /new; exit 3"])).status).toBe(3);
    expect(await box.ok(["start", "kept", "cat", "/new"])).toBe("new\n");
    expect(await readdir(box.data)).toEqual(["kept"]);
    expect(await left(box)).toEqual([]);
  });

  test("variables in --target are those of whoever runs it", async () => {
    await using box = await sandbox();
    const { run } = await bundle(box, ["--target", "${HOME}/kept/hello"]);
    await mkdir(join(box.home, "kept"));
    await own(box.home);
    expect((await run(["-x"])).status).toBe(0);
    expect(await readFile(join(box.home, "kept/hello/with space/file"), "utf8")).toBe("text\n");
    expect(await left(box)).toEqual([]);
  });

  test("runs the hooks that it has taken along, with its own helpers", async () => {
    await using box = await sandbox();
    const system = join(box.root, "system");
    for (const name of ["hooks.d", "mounts.d", "environ.d"])
      await mkdir(join(system, name), { recursive: true });
    const hook =
      '#!/bin/bash\nsource "${ENROOT_LIBRARY_PATH}/common.sh"\necho "HOOK=$(command -v enroot-mount)" >> "${ENROOT_ENVIRON}"\n';
    await writeFile(join(system, "hooks.d/1.sh"), hook);
    await chmod(join(system, "hooks.d/1.sh"), 0o755);
    await image(box, content);
    await box.ok(["bundle", "image.sqsh"], { env: { ENROOT_SYSCONF_PATH: system } });
    await host(["rm", "-r", system]);
    const { stdout } = await box.run([join(box.work, "image.run"), "sh", "-c", 'echo "$HOOK"']);
    expect(stdout).toMatch(/\/\.enroot\/bin\/enroot-mount\n$/);
  });

  test("ENROOT_BUNDLE_ALL and ENROOT_BUNDLE_CHECKSUM do what the options do", async () => {
    await using box = await sandbox({ env: { ENROOT_BUNDLE_ALL: "y", ENROOT_BUNDLE_CHECKSUM: "y" } });
    await mkdir(join(box.config, "environ.d"));
    await writeFile(join(box.config, "environ.d/1.env"), "FROM_USER=1\n");
    await own(box.config);
    const { run } = await bundle(box);
    expect((await run(["-i"])).stdout).toMatch(/^Checksum: [0-9a-f]{64}\n/);
    expect((await run(["sh", "-c", 'echo "$FROM_USER"'])).stdout).toBe("1\n");
  });

  test("--all takes the user's files and settings too", async () => {
    await using box = await sandbox();
    await mkdir(join(box.config, "environ.d"));
    await writeFile(join(box.config, "environ.d/1.env"), "FROM_USER=1\n");
    await own(box.config);
    const env = { ENROOT_ROOTFS_WRITABLE: "y" };
    const script = 'echo "[${FROM_USER-}]"; : 2> /dev/null > /new && echo writable';
    await image(box, content);
    for (const [options, output] of [
      [[], "[]\n"],
      [["-a"], "[1]\nwritable\n"],
    ] as const) {
      await box.ok(["bundle", "-f", ...options, "image.sqsh"], { env });
      const argv = [join(box.work, "image.run"), "sh", "-c", `{ ${script}; } 2> /dev/null`];
      expect((await box.run(argv)).stdout).toBe(output);
    }
  });
});

test("runs on a minimal Debian that has nothing of ours, as an unprivileged user", async () => {
  await using box = await sandbox();
  const { path } = await bundle(box);
  const [base] = await layersOf({ recipe: "debian" });
  const root = join(box.root, "machine");
  const unpack =
    'mkdir -m 755 "$1"; tar -C "$1" -xf "$2"; for f in hosts hostname resolv.conf; do : >> "$1/etc/$f"; done';
  await host(["sh", "-ec", unpack, "sh", root, base?.path ?? ""]);
  const mounts = [
    "--bind",
    root,
    "/",
    "--proc",
    "/proc",
    "--dev-bind",
    "/dev",
    "/dev",
    "--ro-bind",
    "/sys",
    "/sys",
  ];
  const writable = [
    "--tmpfs",
    "/tmp",
    "--perms",
    "1777",
    "--tmpfs",
    "/run",
    "--ro-bind",
    path,
    "/opt/it.run",
  ];
  const user = [
    "setpriv",
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "env",
    "-i",
    "PATH=/usr/bin:/bin",
    "TMPDIR=/tmp",
  ];
  const bwrap = ["bwrap", ...mounts, "--perms", "1777", ...writable, "--cap-add", "ALL", ...user];
  const script = 'cat "/with space/file"; id -u; readlink /proc/self/ns/user; ls -d /.enroot';
  const out = lines(await host([...bwrap, "/opt/it.run", "sh", "-c", script]));
  expect(out.slice(0, 2)).toEqual(["text", String(uid)]);
  expect(out.at(-1)).toBe("/.enroot");
  const checked = await host([...bwrap, "sh", "-c", "/opt/it.run -v; /opt/it.run true; ls -A /tmp"]);
  expect(lines(checked).at(-1)).toMatch(/^nvidia-container-cli/);
}, 120_000);
