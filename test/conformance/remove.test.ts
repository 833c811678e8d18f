// SPDX-License-Identifier: Apache-2.0
// Also with containers that are datasets, in every run.
import { describe, expect, test } from "bun:test";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, inStore, makeContainer, type Sandbox, sandbox, until } from "../harness/index.ts";
import { emptyContainer, own } from "./container.ts";
import { improvement } from "./improvement.ts";

async function containers(box: Sandbox, ...names: string[]): Promise<void> {
  for (const name of names) await mkdir(join(await makeContainer(box, name), "etc"));
  await own(box.data);
}

describe("confirmation", () => {
  test.each([
    ["y\n", 0, []],
    ["Y\n", 0, []],
    ["n\n", 0, ["box"]],
    ["\n", 0, ["box"]],
    ["yes\n", 0, ["box"]],
    ["", 1, ["box"]],
  ])("the answer %j", async (stdin, status, left) => {
    await using box = await sandbox();
    await containers(box, "box");
    const result = await box.enroot(["remove", "box"], { stdin });
    expect(result).toMatchObject({ status, stdout: "" });
    expect(await inStore(box)).toEqual(left);
  });

  test("on a terminal is a question that names the container", async () => {
    await using box = await sandbox();
    await containers(box, "box");
    const child = box.start(["remove", "box"], { tty: true, stdin: "pipe" });
    await until("the question", () => child.stdout().includes("[y/N]"));
    expect(child.stdout()).toContain(join(box.data, "box"));
    await child.write("y\n");
    expect(await child.exited).toMatchObject({ status: 0 });
    expect(await inStore(box)).toEqual([]);
  });

  test("is asked for each container", async () => {
    await using box = await sandbox();
    await containers(box, "a", "b");
    expect(await box.enroot(["remove", "a", "b"], { stdin: "n\ny\n" })).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(await inStore(box)).toEqual(["a"]);
  });

  test.each([["-f"], ["--force"]])("is not asked with %s", async (option) => {
    await using box = await sandbox();
    await containers(box, "a", "b b", "-c");
    expect(await box.enroot(["remove", option, "--", "a", "b b", "-c"])).toEqual({
      status: 0,
      signal: null,
      stdout: "",
      stderr: "",
    });
    expect(await inStore(box)).toEqual([]);
  });

  test("is not asked with ENROOT_FORCE_OVERRIDE", async () => {
    await using box = await sandbox();
    await containers(box, "a");
    await box.ok(["remove", "a"], { env: { ENROOT_FORCE_OVERRIDE: "y" } });
    expect(await inStore(box)).toEqual([]);
  });
});

describe("refused, and nothing is touched", () => {
  improvement.among(
    [["nope"], ["../data"], ["box/etc"], [""], ["x".repeat(256)]],
    "bash enroot takes them as names",
    [["."], [".."], [".hidden"]],
  )("%j", async (name) => {
    await using box = await sandbox();
    await containers(box, "box", ".hidden");
    const result = await box.enroot(["remove", "-f", name]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^\[ERROR\] [^\n]+\n$/);
    expect(await inStore(box)).toEqual([".hidden", "box"]);
  });

  test("a container with something mounted in it, also behind a link", async () => {
    await using box = await sandbox();
    await containers(box, "box");
    const mount = join(box.data, "box/etc");
    await symlink(box.data, join(box.home, "link"));
    await host(["mount", "-t", "tmpfs", "none", mount]);
    try {
      await writeFile(join(mount, "kept"), "");
      for (const data of [box.data, join(box.home, "link")]) {
        const result = await box.enroot(["remove", "-f", "box"], { env: { ENROOT_DATA_PATH: data } });
        expect(result.status).toBe(1);
        expect(result.stderr).toContain(mount);
      }
      expect(await readdir(mount)).toEqual(["kept"]);
      expect(await inStore(box)).toEqual(["box"]);
    } finally {
      await host(["umount", mount]);
    }
  });
});

test("odd permissions, deep trees and odd names go", async () => {
  await using box = await sandbox();
  await emptyContainer(box, "box");
  const script = `cd box; mkdir -p -m 0 none; mkdir -p ro/sub; touch ro/f; chmod 555 ro; touch "$(printf 'a\\nb\\351')" -- -rf
    mkfifo pipe; ln -s / root; p=$(printf '0123456789/%.0s' $(seq 300)); for i in 1 2 3; do mkdir -p $p; cd $p; done; touch end; chmod 0 .`;
  expect((await box.run(["bash", "-c", script], { cwd: box.data })).status).toBe(0);
  await box.ok(["remove", "-f", "box"]);
  expect(await inStore(box)).toEqual([]);
});

test("links in a container are not followed", async () => {
  await using box = await sandbox();
  await writeFile(join(box.home, "kept"), "");
  await containers(box, "box");
  await symlink(box.home, join(box.data, "box/out"));
  await box.ok(["remove", "-f", "box"]);
  expect(await inStore(box)).toEqual([]);
  expect(await readdir(box.home)).toContain("kept");
});

improvement(
  "bash enroot deletes what it leads to instead",
  "a container that is a link is deleted as one",
  async () => {
    // A link is never a dataset.
    await using box = await sandbox({ chosenStore: false });
    await mkdir(join(box.home, "kept"));
    await symlink(box.home, join(box.data, "link"));
    await box.ok(["remove", "-f", "link"]);
    expect(await inStore(box)).toEqual([]);
    expect(await readdir(box.home)).toContain("kept");
  },
);

test("files of somebody else stay, under the same name, and that is an error", async () => {
  // A dataset goes with whatever is in it.
  await using box = await sandbox({ chosenStore: false });
  await containers(box, "box");
  await host(["chown", "-R", "root:root", join(box.data, "box/etc")]);
  await writeFile(join(box.data, "box/etc/file"), "");
  const result = await box.enroot(["remove", "-f", "box"]);
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(/^[^\n]*box[^\n]*\n$/);
  expect(await inStore(box)).toEqual(["box"]);
});
