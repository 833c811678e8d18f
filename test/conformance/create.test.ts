// SPDX-License-Identifier: Apache-2.0
// Also with containers that are datasets, in every run.
import { describe, expect, test } from "bun:test";
import { lstat, mkdir, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, hasDatasets, host, inStore, type Sandbox, sandbox } from "../harness/index.ts";
import { image } from "./image.ts";
import { improvement } from "./improvement.ts";

const plain = "mkdir etc; echo text > etc/file";

async function failed(box: Sandbox, args: readonly string[], words: string): Promise<void> {
  const result = await box.enroot(args);
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(result.stderr.replace(/^\[INFO\].*\n/gm, "")).toMatch(/^\[ERROR\] [^\n]+\n$/);
  expect(result.stderr).toContain(words);
}

describe("the name", () => {
  improvement.among(
    [
      ["image.sqsh", "image"],
      ["a b.sqsh", "a b"],
      ["ubuntu+24.04.sqsh", "ubuntu+24.04"],
      ["plain", "plain"],
      ["x.sqsh.sqsh", "x.sqsh"],
    ],
    "bash enroot takes it for an option",
    [["-dash.sqsh", "-dash"]],
  )("of %j is %j unless another is given", async (file, name) => {
    await using box = await sandbox();
    await image(box, plain, file);
    await box.ok(["create", "--", file]);
    await box.ok(["create", "-n", "other", `./${file}`]);
    expect(await inStore(box)).toEqual([name, "other"].sort());
    expect(await readFile(join(box.data, name, "etc/file"), "utf8")).toBe("text\n");
  });

  test("image files may have any name", async () => {
    await using box = await sandbox();
    await image(box, plain, "odd\n'name' $(id)");
    await box.ok(["create", "--name=box", "odd\n'name' $(id)"]);
    expect(await inStore(box)).toEqual(["box"]);
  });

  const refused = async (name: string, words = ""): Promise<void> => {
    await using box = await sandbox();
    await image(box, plain);
    await failed(box, ["create", "-n", name, "image.sqsh"], words);
    expect(await inStore(box)).toEqual([]);
    expect((await readdir(box.root)).includes("b")).toBe(false);
  };
  const long = "x".repeat(256);

  test.each([["a/b"], [".."], [long]])("%j is refused", (name) => refused(name));

  improvement.each("bash enroot makes hidden containers, and breaks its list", [[".x"], ["a\nb"]])(
    "%j is refused",
    (name) => refused(name),
  );

  improvement.each("bash enroot names something else", [["a/b"], [".."], [long]])(
    "%j is refused as a name",
    (name) => refused(name, "name"),
  );
});

describe("what is there already", () => {
  test("stays without force and goes with it", async () => {
    await using box = await sandbox();
    const file = await image(box, plain);
    await box.ok(["create", "-n", "box", file]);
    await box.run(["sh", "-c", "echo changed > box/etc/file; mkdir -m 0 box/locked"], { cwd: box.data });
    await failed(box, ["create", "-n", "box", file], join(box.data, "box"));
    expect(await readFile(join(box.data, "box/etc/file"), "utf8")).toBe("changed\n");
    await box.ok(["create", "--force", "-n", "box", file]);
    expect(await readFile(join(box.data, "box/etc/file"), "utf8")).toBe("text\n");
    await box.ok(["create", "-n", "box", file], { env: { ENROOT_FORCE_OVERRIDE: "yes" } });
    expect(await inStore(box)).toEqual(["box"]);
  });
});

describe("files", () => {
  test("belong to the caller, who can read all and write all directories", async () => {
    await using box = await sandbox();
    const file = await image(
      box,
      `mkdir ro none; echo x > ro/secret; chmod 0 ro/secret none; chmod 555 ro; touch run; chmod 4711 run
       ln -s /etc/shadow link; ln ro/secret hard; mkfifo fifo; chmod 700 .`,
    );
    await box.ok(["create", file]);
    const list = await box.run(["find", "image", "-printf", "%P %m %u\n"], { cwd: box.data });
    expect(list.stdout.trim().split("\n").sort()).toEqual(
      [
        "700 enroot-test",
        "fifo 644 enroot-test",
        "hard 400 enroot-test",
        "link 777 enroot-test",
        "none 700 enroot-test",
        "ro 755 enroot-test",
        "ro/secret 400 enroot-test",
        "run 711 enroot-test",
      ].sort(),
    );
  });

  improvement.each("bash enroot makes them, or fails at the end", [["test"], ["root"]] as const)(
    "device nodes are not made, by %s",
    async (user) => {
      await using box = await sandbox();
      const devices = ["-p", "null c 666 0 0 1 3", "-p", "disk b 660 0 0 8 0", "-p", "zero c 666 0 0 1 5"];
      const file = await image(box, plain, "image.sqsh", devices);
      const result = await box.enroot(["create", file], { user });
      expect(result).toMatchObject({ status: 0, stdout: "" });
      expect(await readdir(join(box.data, "image"))).toEqual(["etc"]);
      if (user === "root") await box.ok(["remove", "-f", "image"], { user });
    },
  );
});

describe("what is no image", () => {
  test("is named", async () => {
    await using box = await sandbox();
    await writeFile(join(box.work, "text.sqsh"), "not an image");
    await writeFile(join(box.work, "empty.sqsh"), "");
    await writeFile(join(box.work, "pointer"), "enroot-zfs-image:v1\nuri=docker://x\n");
    await writeFile(join(box.work, "stream.zfs"), "stream");
    await mkdir(join(box.work, "directory"));
    await writeFile(join(box.work, "locked.sqsh"), "hsqs", { mode: 0 });
    for (const name of [
      "text.sqsh",
      "empty.sqsh",
      "pointer",
      "stream.zfs",
      "directory",
      "locked.sqsh",
      "missing.sqsh",
    ]) {
      await failed(box, ["create", name], join(box.work, name));
    }
    expect(await inStore(box)).toEqual([]);
  });

  test("is not read without end", async () => {
    await using box = await sandbox();
    await box.run(["mkfifo", "pipe"]);
    await failed(box, ["create", "pipe"], "pipe");
    await failed(box, ["create", "/dev/zero"], "/dev/zero");
  });

  test("or only a part of one leaves nothing", async () => {
    await using box = await sandbox();
    const file = await image(box, "head -c 3M /dev/urandom > big");
    for (const size of [50, 4096, 2_000_000]) {
      const part = await readFile(file);
      await writeFile(join(box.work, "part.sqsh"), part.subarray(0, size));
      expect(await box.enroot(["create", "part.sqsh"])).toMatchObject({ status: 1, stdout: "" });
    }
    expect(await inStore(box)).toEqual([]);
  });

  improvement("bash enroot leaves the words to unsquashfs", "or only a part of one is named", async () => {
    await using box = await sandbox();
    const file = await image(box, "head -c 3M /dev/urandom > big");
    const part = await readFile(file);
    await writeFile(join(box.work, "part.sqsh"), part.subarray(0, 4096));
    await failed(box, ["create", "part.sqsh"], "part.sqsh");
  });

  improvement("bash enroot leaves a container", "or is damaged inside leaves nothing", async () => {
    await using box = await sandbox();
    const file = await image(box, "seq 500000 > big");
    const whole = await readFile(file);
    whole.fill(0xff, 1000, 200_000);
    await writeFile(join(box.work, "broken.sqsh"), whole);
    await failed(box, ["create", "broken.sqsh"], "broken.sqsh");
    expect(await inStore(box)).toEqual([]);
  });
});

test("an image behind a link has the name of what the link names", async () => {
  await using box = await sandbox();
  await image(box, plain, "real.sqsh");
  await symlink("real.sqsh", join(box.work, "latest.sqsh"));
  await box.ok(["create", "latest.sqsh"]);
  expect(await inStore(box)).toEqual(["real"]);
});

improvement(
  "bash enroot leaves half a container",
  "a full disk is named together with its setting, and nothing is left",
  async () => {
    // The small disk is mounted on the store's directory.
    await using box = await sandbox({ chosenStore: false });
    const file = await image(box, "head -c 3M /dev/urandom > big; head -c 3M /dev/urandom > more");
    await host(["mount", "-t", "tmpfs", "-o", "size=4M,mode=777", "none", box.data]);
    try {
      const result = await box.enroot(["create", file]);
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/\[ERROR\] [^\n]*no space left on device[^\n]*ENROOT_DATA_PATH[^\n]*\n$/);
      expect(result.stderr).toContain(box.data);
      expect(await inStore(box)).toEqual([]);
    } finally {
      await host(["umount", box.data]);
    }
  },
);

improvement(
  "bash enroot's come from the PATH",
  "programs come from a safe place: not from the working directory, not by a relative PATH",
  async () => {
    await using box = await sandbox();
    const file = await image(box, plain);
    const trap = `#!/bin/sh\necho trapped >> ${box.work}/trapped\nexit 1\n`;
    for (const name of ["unsquashfs", "rm", "chmod", "find", "sh", "bash"]) {
      await writeFile(join(box.work, name), trap, { mode: 0o755 });
    }
    const enroot = enrootBinary();
    const created = await box.run(["env", "PATH=:.:../work:/usr/bin", enroot, "create", "-n", "box", file]);
    expect(created).toMatchObject({ status: 0, stdout: "" });
    expect(await box.run(["env", "PATH=", enroot, "remove", "-f", "box"])).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(await Bun.file(join(box.work, "trapped")).exists()).toBe(false);
  },
);

test("the descriptor limit of the caller does not matter", async () => {
  await using box = await sandbox();
  const file = await image(box, plain);
  const limited = ["prlimit", "--nofile=64:", "--", enrootBinary(), "create", file];
  expect(await box.run(limited)).toMatchObject({ status: 0 });
  expect(await readFile(join(box.data, "image/etc/file"), "utf8")).toBe("text\n");
  // What is mounted cannot be renamed.
  if (hasDatasets(box)) return;
  await rename(join(box.data, "image"), join(box.data, "moved"));
  expect((await lstat(join(box.data, "moved"))).isDirectory()).toBe(true);
});
