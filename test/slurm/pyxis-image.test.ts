// SPDX-License-Identifier: Apache-2.0
// Images and containers in the plug-in's hands: its command lines, what it keeps between steps, and its importer.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { own } from "../conformance/container.ts";
import { imageRegistry } from "../fixtures/index.ts";
import { type Registry, testUser } from "../harness/index.ts";
import { type Step, step } from "./conversation.ts";

const { uid } = testUser();
let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small", "odd"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

const dataOf = (job: Step): string => join(job.box.data, `user-${uid}`);

test("import, create and unlink; start and remove: nothing is left of a step", async () => {
  await using job = await step();
  const file = join(job.box.runtime, "7.0.squashfs");
  const calls = [
    ["import", "--output", file, registry.uri("test/small")],
    ["create", "--name", "pyxis_7.0", file],
  ];
  for (const args of calls) expect(await job.call(args)).toMatchObject({ status: 0 });
  await rm(file);
  const { pid, stopped } = await job.start("pyxis_7.0");
  expect(stopped).toBe("SIGSTOP");
  expect(await job.inside(pid, "echo $SMALL")).toBe("yes\n");
  await job.release(pid);
  expect(await job.call(["remove", "-f", "pyxis_7.0"], { daemon: true })).toMatchObject({ status: 0 });
  // A ZFS store keeps its template, under a name that no container can have.
  const names = await readdir(dataOf(job));
  expect(names.filter((name) => !name.startsWith("."))).toEqual([]);
  expect(await readdir(job.box.temp)).toEqual([]);
});

test("the file of an import must not be there before", async () => {
  await using job = await step();
  const ending = await job.call(["import", "--output", job.image, registry.uri("test/small")]);
  expect(ending).toMatchObject({ status: 1 });
  expect(ending.log).toContain("exists");
});

test("load replaces import and create", async () => {
  await using job = await step();
  const args = ["load", "--name", "pyxis_7.0", registry.uri("test/small")];
  expect(await job.call(args)).toMatchObject({ status: 0 });
  const { pid } = await job.start("pyxis_7.0");
  expect(await job.inside(pid, "echo $SMALL")).toBe("yes\n");
  await job.release(pid);
});

test("create fails when the name is taken", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  expect(await job.call(["create", "--name", "pyxis_a", job.image])).toMatchObject({ status: 1 });
});

test("a container keeps its files of enroot's own between steps", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  for (const round of [1, 2]) {
    const { pid } = await job.start("pyxis_a");
    const output = await job.inside(
      pid,
      `ls /etc/rc /etc/rc.local /etc/environment /etc/fstab; echo ${round}`,
    );
    expect(output).toBe(`/etc/environment\n/etc/fstab\n/etc/rc\n/etc/rc.local\n${round}\n`);
    await job.release(pid);
  }
});

test("export overwrites, and what it makes is an image again, onto its own source as well", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const env = { ENROOT_ROOTFS_WRITABLE: "y" };
  const { pid } = await job.start("pyxis_a", undefined, { env });
  await job.inside(pid, "echo mark > /mark; mkdir -p /tmp/below");
  expect(
    await job.call(["export", "-f", "-o", job.image, "pyxis_a"], { daemon: true, cwd: "/" }),
  ).toMatchObject({ status: 0 });
  await job.release(pid);
  await job.create("pyxis_b");
  const again = await job.start("pyxis_b");
  expect(await job.inside(again.pid, "cat /mark; ls /.lock 2> /dev/null || :")).toContain("mark\n");
  await job.release(again.pid);
});

test("remove -f asks nothing and takes trees that the user may not write to", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const tree = join(dataOf(job), "pyxis_a/closed");
  await job.box.run([
    "sh",
    "-c",
    `mkdir -p ${tree}/in; touch ${tree}/in/file; chmod 000 ${tree}/in; chmod 500 ${tree}`,
  ]);
  expect(await job.call(["remove", "-f", "pyxis_a"], { daemon: true })).toMatchObject({ status: 0, log: "" });
  expect(existsSync(join(dataOf(job), "pyxis_a"))).toBe(false);
});

test("remove of a container that was never created fails and says its name", async () => {
  await using job = await step();
  const { status, log } = await job.call(["remove", "-f", "pyxis_7.0"], { daemon: true });
  expect(status).toBe(1);
  expect(log).toContain("pyxis_7.0");
});

/** The caching importer that comes with the plug-in, in its essence: one file for each digest. */
const importer = `#!/bin/sh
set -eu
[ "$1" = get ] || exit 0
digest=$(enroot digest "$2")
file="$PYXIS_RUNTIME_PATH/\${digest#sha256:}.sqsh"
[ -e "$file" ] || enroot import --output "$file" "$2@$digest" >&2
echo "$file"
`;

test("an importer gets a digest alone on its line, imports by it, and create takes its file", async () => {
  await using job = await step();
  const program = join(job.box.root, "importer");
  await writeFile(program, importer, { mode: 0o755 });
  await own(program);
  const env = { ENROOT_SQUASH_OPTIONS: "-noI -noD -noF -noX" };
  const digest = await job.call(["digest", registry.uri("test/small")], { env });
  const [hex] = /(?<=^sha256:)[0-9a-f]{64}$/m.exec(digest.log) ?? [];
  const file = join(job.box.runtime, `${hex}.sqsh`);
  for (const [argument, output] of [
    ["get", `${file}\n`],
    ["get", `${file}\n`],
    ["release", ""],
  ] as const) {
    const ending = await job.program([program, argument, registry.uri("test/small")], { env });
    expect(ending.status).toBe(0);
    expect(ending.log.endsWith(output)).toBe(true);
  }
  expect((await stat(file)).isFile()).toBe(true);
  expect(await job.call(["create", "--name", "pyxis_7.0", file])).toMatchObject({ status: 0 });
});
