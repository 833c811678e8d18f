// SPDX-License-Identifier: Apache-2.0
// What a container has mounted: of the system's own, of fstab files, of the command line.
// Also with containers that are datasets.
import { beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Result, type Sandbox, sandbox } from "../harness/index.ts";
import { type Container, container, lines, own, sysconf } from "./container.ts";
import { improvement } from "./improvement.ts";

interface Bare extends Container, AsyncDisposable {
  readonly box: Sandbox;
  enroot(args: readonly string[]): Promise<Result>;
}

/** A sandbox with a container that has no mounts of the system, and things to mount: dir/file, a file. */
async function bare(files: Record<string, string> = {}): Promise<Bare> {
  const box = await sandbox();
  const env = { ENROOT_SYSCONF_PATH: await sysconf(box) };
  const made = await container(box, files);
  await mkdir(join(box.work, "dir/sub"), { recursive: true });
  await writeFile(join(box.work, "dir/file"), "in dir\n");
  await writeFile(join(box.work, "file"), "a file\n");
  await own(box.work);
  return {
    ...made,
    box,
    enroot: (args) => box.enroot(args, { env }),
    inside: (script, options, run) => made.inside(script, options, { ...run, env: { ...env, ...run?.env } }),
    [Symbol.asyncDispose]: () => box[Symbol.asyncDispose](),
  };
}

/** Mount point → options, propagation and type, from mountinfo text. */
function parse(mountinfo: string): Map<string, { options: string[]; type: string; fields: string }> {
  const entry = (line: string) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , , point = "", options = "", ...fields] = left.split(" ");
    return [
      point,
      { options: options.split(","), type: right.split(" ")[0] ?? "", fields: fields.join(" ") },
    ] as const;
  };
  return new Map(lines(mountinfo).map(entry));
}

const table = ["-m", "/proc:/proc:none:rbind,x-create=dir"];

describe("by default", () => {
  let mounts: ReturnType<typeof parse>;
  beforeAll(async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    mounts = parse(await inside("cat /proc/self/mountinfo"));
  });

  test.each([
    ["/proc", "proc", "rw nosuid nodev noexec"],
    ["/sys", "sysfs", "ro nosuid nodev noexec"],
    ["/dev", undefined, "rw nosuid noexec"],
    ["/dev/shm", "tmpfs", "rw nosuid nodev noexec"],
    ["/tmp", "tmpfs", "rw nosuid nodev"],
    ["/var/run", "tmpfs", "rw nosuid nodev"],
    ["/var/lock", "tmpfs", "rw nosuid nodev"],
    ["/etc/hosts", undefined, "ro nosuid nodev noexec"],
    ["/etc/hostname", undefined, "ro nosuid nodev noexec"],
    ["/etc/resolv.conf", undefined, "ro nosuid nodev noexec"],
    ["/etc/machine-id", undefined, "ro nosuid nodev noexec"],
    ["/", undefined, "ro nosuid nodev"],
    ["/.lock", undefined, "ro nosuid nodev noexec"],
  ])("%s", (point, type, options) => {
    const found = mounts.get(point);
    expect(found?.options).toEqual(expect.arrayContaining(options.split(" ")));
    if (type !== undefined) expect(found?.type).toBe(type);
  });

  test("nothing is shared with the host", () => {
    for (const { fields } of mounts.values()) expect(fields).not.toContain("shared:");
  });
});

describe("the root file system", () => {
  test("is read-only, without what could write to it in other ways", async () => {
    await using place = await bare();
    const result = await place.enroot(["start", "box", "sh", "-c", "touch /x; touch /.lock; mkdir /d"]);
    expect(result.status).toBe(1);
    expect(lines(result.stderr)).toEqual(Array(3).fill(expect.stringContaining("Read-only file system")));
  });

  test.each([
    [["--rw"], {}],
    [["-w"], {}],
    [[], { ENROOT_ROOTFS_WRITABLE: "y" }],
  ])("is writable with %j %j, and keeps what is written", async (options, env) => {
    await using place = await bare();
    await place.inside("echo kept > /x; ! echo no > /.lock", options, { env });
    expect(await readFile(join(place.rootfs, "x"), "utf8")).toBe("kept\n");
    expect(await place.inside("cat /x")).toBe("kept\n");
  });
});

describe("--mount", () => {
  test.each([
    ["dir", "cat /dir/file", "in dir\n"],
    ["dir:/mnt", "cat /mnt/file", "in dir\n"],
    ["dir:mnt", "cat /mnt/file", "in dir\n"],
    [".:/mnt/deep/er", "cat /mnt/deep/er/file", "a file\n"],
    ["file:/mnt/f", "cat /mnt/f", "a file\n"],
    ["dir:/new:none:x-create=dir,bind", "cat /new/file", "in dir\n"],
    ["dir:/root:bind", "cat /root/file", "in dir\n"],
    ["dir:/mnt:rbind,x-create=dir", "cat /mnt/file", "in dir\n"],
    ["file:/x:x-create=file,bind,ro", "cat /x; ! echo no > /x", "a file\n"],
    ["dir:/mnt:x-create=auto,rbind,ro", "! touch /mnt/no; cat /mnt/file", "in dir\n"],
    ["tmpfs:/mnt:x-create=dir,size=64k,mode=700", "touch /mnt/yes; stat -f -c '%b' /mnt", "16\n"],
    ["tmpfs:/root", "touch /root/yes; echo yes", "yes\n"],
    ["none:/root:tmpfs", "touch /root/yes; echo yes", "yes\n"],
    ["/none/here:/mnt:x-create=dir,bind,nofail,silent", "echo started", "started\n"],
  ])("%s", async (mount, script, output) => {
    await using place = await bare();
    expect(await place.inside(script, ["-m", mount], { cwd: place.box.work })).toBe(output);
  });

  test("several, in order", async () => {
    await using place = await bare();
    const options = ["-m", "dir:/mnt", "--mount=tmpfs:/mnt/sub", "-m", "file:/mnt/sub/inner"];
    expect(await place.inside("ls /mnt/sub; cat /mnt/sub/inner", options)).toBe("inner\na file\n");
    expect(await readdir(join(place.box.work, "dir/sub"))).toEqual([]);
  });

  test("a space is written \\040", async () => {
    await using place = await bare();
    await mkdir(join(place.box.work, "a b"));
    await writeFile(join(place.box.work, "a b/c"), "spaced\n");
    expect(await place.inside("cat '/m n/c'", ["-m", "a\\040b:/m\\040n"])).toBe("spaced\n");
  });

  test.each([
    ["/nothing/here:/mnt", /\/nothing\/here.*No such file or directory$/],
    ["dir:../../outside", /Invalid cross-device link$/],
    ["dir:/mnt/../../outside", /Invalid cross-device link$/],
    ["dir:/missing:bind", /\/missing.*No such file or directory$/],
  ])("%s fails in one line", async (mount, message) => {
    await using place = await bare();
    const result = await place.enroot(["start", "-m", mount, "box", "true"]);
    expect(result.status).toBe(1);
    expect(lines(result.stderr)).toEqual([expect.stringMatching(message)]);
  });

  improvement("bash enroot shows what its helper says", "what fails is an error like any other", async () => {
    await using place = await bare();
    const result = await place.enroot(["start", "-m", "dir:/missing:bind", "box", "true"]);
    expect(result.stderr).toMatch(/^\[ERROR\] .*\/missing.*No such file or directory\n$/);
  });

  test.each(["", "dir: /mnt", "dir:/mnt\n/x"])("refuses %j", async (mount) => {
    await using place = await bare();
    const result = await place.enroot(["start", `--mount=${mount}`, "box", "true"]);
    expect(result).toMatchObject({ status: 1 });
  });
});

describe("fstab files", () => {
  test("image, system and user, then script and command line", async () => {
    await using place = await bare({ "etc/fstab": "tmpfs /image\ntmpfs /order\n" });
    const { box } = place;
    const system = await sysconf(box, {
      "mounts.d/10.fstab": "tmpfs /system tmpfs x-create=dir\n${DIR} /order rbind\n",
      "mounts.d/20.fstab": "${DIR} /variable x-create=dir,bind\n",
    });
    await mkdir(join(box.config, "mounts.d"));
    await writeFile(join(box.config, "mounts.d/1.fstab"), "tmpfs /user tmpfs x-create=dir\n");
    await writeFile(join(box.work, "conf"), 'mounts() { echo "${DIR} /script x-create=dir,bind"; }\n');
    await mkdir(join(place.rootfs, "image"));
    await mkdir(join(place.rootfs, "order"));
    await own(place.rootfs);
    const env = { DIR: join(box.work, "dir"), ENROOT_SYSCONF_PATH: system };
    const options = [...table, "-c", "conf", "-m", "file:/script/file"];
    const script = "cat /order/file /variable/file /script/file; cat /proc/self/mountinfo";
    const [order, variable, scripted, ...rest] = lines(await place.inside(script, options, { env }));
    expect([order, variable, scripted]).toEqual(["in dir", "in dir", "a file"]);
    const points = [...parse(rest.join("\n")).keys()];
    const wanted = ["/image", "/order", "/system", "/variable", "/user", "/proc", "/script", "/script/file"];
    for (const point of wanted) expect(points).toContain(point);
  });

  test("pass -1 comes before hooks, other numbers never", async () => {
    await using place = await bare();
    const system = await sysconf(place.box, {
      "mounts.d/1.fstab": `tmpfs /early tmpfs x-create=dir 0 -1
tmpfs /late tmpfs x-create=dir 0 0
tmpfs /never tmpfs x-create=dir 0 7
`,
      "hooks.d/1.sh":
        "#!/bin/sh\ntouch $ENROOT_ROOTFS/early/here; ls -d $ENROOT_ROOTFS/* > $ENROOT_ROOTFS/early/seen\n",
    });
    const output = await place.inside(
      "ls /early; grep -c /late /early/seen || ls -d /late; ! ls /never",
      [],
      {
        env: { ENROOT_SYSCONF_PATH: system },
      },
    );
    expect(output).toBe("here\nseen\n0\n/late\n");
  });

  test("moves, detaches and changes of propagation", async () => {
    await using place = await bare({
      "etc/fstab": `tmpfs /a tmpfs x-create=dir
tmpfs /a/below tmpfs x-create=dir
tmpfs /gone tmpfs x-create=dir
none /gone none x-detach
none /never-mounted none x-detach,nofail,silent
dir /s none x-create=dir,bind,rprivate
none /a none unbindable
# comment

   tmpfs   /indented\ttmpfs x-create=dir,nosuid,noexec
`,
    });
    const mounts = parse(await place.inside("cat /proc/self/mountinfo", table));
    expect(mounts.has("/a/below")).toBe(true);
    expect(mounts.has("/gone")).toBe(false);
    expect(mounts.get("/a")?.fields).toBe("unbindable");
    expect(mounts.get("/s")?.fields).toBe("");
    expect(mounts.get("/indented")?.options).toEqual(expect.arrayContaining(["nosuid", "noexec"]));
  });

  test("a bad line stops the start, nofail warns", async () => {
    await using place = await bare({ "etc/fstab": "/nothing /mnt none bind,nofail,x-create=dir\n" });
    const warned = await place.enroot(["start", "box", "true"]);
    expect(warned.status).toBe(0);
    expect(warned.stderr).toMatch(/^[^\n]*\/nothing[^\n]*\n$/);
    await writeFile(join(place.rootfs, "etc/fstab"), "tmpfs /mnt unknown-type-of-fs x-create=dir\n");
    const failed = await place.enroot(["start", "box", "true"]);
    expect(failed.status).toBe(1);
    expect(lines(failed.stderr)).toEqual([expect.stringContaining("/mnt")]);
  });

  test("options that repeat or contradict each other are no error", async () => {
    await using place = await bare();
    const mount = "file:/mnt/f:x-create=auto,rbind,x-create=file,bind,ro,nosuid,nodev,private";
    const output = await place.inside("cat /mnt/f; grep ' /mnt/f ' /proc/self/mountinfo", [
      ...table,
      "-m",
      mount,
    ]);
    expect(output).toMatch(/^a file\n.* \/mnt\/f ro,nosuid,nodev,/);
  });
});

test("what is mounted inside stays inside", async () => {
  await using box = await sandbox();
  const { inside } = await container(box);
  const before = await readFile("/proc/self/mountinfo", "utf8");
  await inside("busybox mount | wc -l", [
    "--rw",
    "-m",
    "tmpfs:/mnt:x-create=dir",
    "-m",
    `${box.work}:/mnt/work`,
  ]);
  expect(await readFile("/proc/self/mountinfo", "utf8")).toBe(before);
});

test("a link of the image leads a mount to a place inside of it", async () => {
  await using place = await bare();
  await mkdir(join(place.rootfs, "real"));
  await symlink("/real", join(place.rootfs, "absolute"));
  await symlink("../../../../real", join(place.rootfs, "relative"));
  await symlink(place.box.work, join(place.rootfs, "host"));
  await own(place.rootfs);
  expect(await place.inside("cat /real/file", ["-m", "dir:/absolute:bind"])).toBe("in dir\n");
  const above = await place.enroot(["start", "-m", "dir:/relative:bind", "box", "true"]);
  expect(above.stderr).toContain("Invalid cross-device link");
  // The same path inside, made there: the host's directory of that name sees nothing.
  await place.inside("touch /host/new/made", ["-m", "tmpfs:/host/new:x-create=dir"]);
  expect((await readdir(place.box.work)).sort()).toEqual(["dir", "file"]);
});

test("a mount point that cannot be made is named", async () => {
  await using place = await bare();
  await chmod(join(place.rootfs, "bin"), 0o555);
  await writeFile(join(place.rootfs, "plain"), "");
  const result = await place.enroot(["start", "-m", "dir:/plain/below", "box", "true"]);
  expect(lines(result.stderr)).toEqual([expect.stringMatching(/\/plain\/below.*Not a directory$/)]);
});
