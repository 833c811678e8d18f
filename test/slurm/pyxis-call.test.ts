// SPDX-License-Identifier: Apache-2.0
// How every call of the plug-in is made: descriptors, signals, directories, the environment, and what counts as success.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { imageRegistry } from "../fixtures/index.ts";
import { host, type Registry, testUser, until } from "../harness/index.ts";
import { step } from "./conversation.ts";
import { silentRegistry } from "./silent-registry.ts";

const { uid } = testUser();
let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small", "odd"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

/** The command line of an import, to the plug-in's own file. */
const importing = (file: string): string[] => ["import", "--output", file, registry.uri("test/small")];

test("enroot is found through the PATH of the daemon; the job's PATH is ignored", async () => {
  await using job = await step();
  expect((await job.call(["version"], { env: { PATH: "/nowhere" } })).status).toBe(0);
});

test("success is status 0 and nothing else, with standard output and error in one file in memory", async () => {
  await using job = await step();
  const ending = await job.call(["create", "--name", "pyxis_7.0", "/no/such.sqsh"]);
  expect(ending).toMatchObject({ status: 1, signal: null });
  expect(ending.log).toContain("/no/such.sqsh");
});

test("no progress bar and no escape sequence reaches a log that is no terminal", async () => {
  await using job = await step();
  const { status, log } = await job.call(importing(join(job.box.runtime, "7.0.squashfs")), {
    env: { TERM: "xterm-256color" },
  });
  expect(status).toBe(0);
  for (const control of ["\u001b", "\r", "\b"]) expect(log).not.toContain(control);
});

test("export and remove do not need a working directory that the user may read", async () => {
  await using job = await step();
  await job.create("pyxis_7.0");
  const hidden = join(job.box.root, "hidden");
  await mkdir(hidden);
  await chmod(hidden, 0o711);
  const saved = join(job.box.work, "saved.sqsh");
  const options = { cwd: hidden, daemon: true };
  expect(await job.call(["export", "-f", "-o", saved, "pyxis_7.0"], options)).toMatchObject({ status: 0 });
  expect(await job.call(["remove", "-f", "pyxis_7.0"], options)).toMatchObject({ status: 0 });
});

test("list, export and remove work with slurmstepd's signals blocked and SIGPIPE ignored", async () => {
  await using job = await step();
  await job.create("pyxis_7.0");
  for (const args of [
    ["list", "-f"],
    ["export", "-f", "-o", join(job.box.work, "saved.sqsh"), "pyxis_7.0"],
    ["remove", "-f", "pyxis_7.0"],
  ])
    expect(await job.call(args, { daemon: true })).toMatchObject({ status: 0 });
});

test.each([true, false])(
  "SIGTERM ends an import with signals blocked: %p, without leftovers",
  async (daemon) => {
    await using job = await step();
    await using slow = silentRegistry();
    const file = join(job.box.runtime, "7.0.squashfs");
    const uri = `docker://127.0.0.1:${slow.port}#test/small`;
    const pid = await job.spawn(["import", "--output", file, uri], { daemon });
    await until("a request", () => slow.asked());
    await job.send(pid, "SIGTERM");
    const ending = await job.wait(pid);
    expect(ending.signal ?? ending.status).toBeOneOf(["SIGTERM", 143]);
    expect(await readdir(job.box.runtime)).toEqual([]);
    expect(await readdir(job.box.temp)).toEqual([]);
  },
);

test("SIGTERM from slurmstepd ends an export, whose file is then not there", async () => {
  await using job = await step();
  await job.create("pyxis_7.0");
  const fifo = join(job.box.data, `user-${uid}/pyxis_7.0/large`);
  await job.box.run(["sh", "-c", `head -c 100M /dev/urandom > ${fifo}`]);
  const pid = await job.spawn(["export", "-f", "-o", join(job.box.work, "saved.sqsh"), "pyxis_7.0"], {
    daemon: true,
  });
  await until(
    "the work",
    async () => (await host(["pgrep", "-P", String(pid), "-f", "."]).catch(() => "")) !== "",
  );
  await job.send(pid, "SIGTERM");
  const ending = await job.wait(pid);
  expect(ending.signal ?? ending.status).toBeOneOf(["SIGTERM", 143]);
  expect(await readdir(job.box.work)).toEqual(["image.sqsh"]);
});

test("the directories of the job's environment are withheld and those of enroot.conf are used", async () => {
  await using job = await step();
  await job.create("pyxis_7.0");
  expect(await readdir(join(job.box.data, `user-${uid}`))).toContain("pyxis_7.0");
});

test.each(["ENROOT_REMAP_ROOT", "ENROOT_ROOTFS_WRITABLE", "ENROOT_MOUNT_HOME"])(
  "%s=n of the job switches off what enroot.conf switches on",
  async (name) => {
    await using job = await step(`${name} yes\n`);
    await job.create("pyxis_7.0");
    const { pid } = await job.start("pyxis_7.0", undefined, { env: { [name]: "n" } });
    const seen = {
      ENROOT_REMAP_ROOT: (await job.look(pid)).uidMap[0] === "0",
      ENROOT_ROOTFS_WRITABLE: (await job.inside(pid, "touch /x 2> /dev/null && echo written || :")) !== "",
      ENROOT_MOUNT_HOME: (await job.inside(pid, "cut -d' ' -f5 /proc/self/mountinfo")).includes("/home/"),
    };
    expect(seen).toMatchObject({ [name]: false });
    await job.release(pid);
  },
);

test("a variable that the job does not have leaves the choice to enroot.conf", async () => {
  await using job = await step("ENROOT_REMAP_ROOT yes\n");
  await job.create("pyxis_7.0");
  const { pid } = await job.start("pyxis_7.0");
  expect((await job.look(pid)).uidMap).toEqual(["0", `${uid}`, "1"]);
  await job.release(pid);
});

test("in an epilog, with no HOME, USER or XDG_*, enroot finds the user's containers and removes them", async () => {
  await using job = await step();
  await job.create("pyxis_7_7.0");
  const epilog = { SLURM_JOB_ID: "7", SLURM_JOB_UID: String(uid) };
  const options = { exactly: epilog, daemon: true, cwd: "/" };
  expect(await job.call(["list"], options)).toMatchObject({ status: 0, log: "pyxis_7_7.0\n" });
  expect(await job.call(["remove", "-f", "pyxis_7_7.0"], options)).toMatchObject({ status: 0, log: "" });
  expect(await job.call(["list"], options)).toMatchObject({ status: 0, log: "" });
});

test.each([["a/b"], ["x".repeat(300)]])("the name pyxis_%s is refused", async (name) => {
  await using job = await step();
  const ending = await job.call(["create", "--name", `pyxis_${name}`, job.image]);
  expect(ending).toMatchObject({ status: 1 });
  expect(await job.call(["list"])).toMatchObject({ status: 0, log: "" });
});
