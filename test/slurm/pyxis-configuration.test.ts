// SPDX-License-Identifier: Apache-2.0
// The configuration file that the plug-in writes: mounts(), hooks() and environ().
import { expect, test } from "bun:test";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { own } from "../conformance/container.ts";
import { type CallOptions, hooks, type Step, step } from "./conversation.ts";

/** Starts with the mounts `lines`, runs shell lines as a task, and lets go. */
async function mounted(
  job: Step,
  lines: readonly string[],
  script: string,
  options: CallOptions = {},
): Promise<string> {
  await job.create("pyxis_7.0");
  await writeFile(join(job.box.work, "file"), "text\n");
  await own(job.box.work);
  const mounts =
    lines.length === 0 ? "" : `mounts() {\n${lines.map((line) => `echo "${line}"\n`).join("")}}\n`;
  const started = await job.start("pyxis_7.0", mounts + hooks, options);
  if (started.stopped === null) return `failed: ${started.log}`;
  try {
    return await job.inside(started.pid, script);
  } finally {
    await job.release(started.pid);
  }
}

test("the file may be empty", async () => {
  await using job = await step();
  await job.create("pyxis_7.0");
  const started = await job.start("pyxis_7.0", "");
  expect(started.stopped).toBe("SIGSTOP");
  await job.release(started.pid);
});

test("mounts are made in the order of the command line", async () => {
  await using job = await step();
  const lines = ["tmpfs /a x-create=dir", `${job.box.work}/file /a/b x-create=auto,rbind`];
  expect(await mounted(job, lines, "cat /a/b")).toBe("text\n");
});

test("space and backslash are escaped by numbers", async () => {
  await using job = await step();
  const lines = [`${job.box.work}/file /a\\\\040b\\\\134c x-create=auto,rbind`];
  expect(await mounted(job, lines, "cat '/a b\\c'")).toBe("text\n");
});

test("a dollar sign is expanded by the shell, as the plug-in leaves it", async () => {
  await using job = await step();
  const lines = [`${job.box.work}/file /mnt/$FOO x-create=auto,rbind`];
  expect(await mounted(job, lines, "cat /mnt/x", { env: { FOO: "x" } })).toBe("text\n");
});

test("a source of tmpfs is of that type, with its options", async () => {
  await using job = await step();
  expect(await mounted(job, ["tmpfs /scratch x-create=dir,size=64k"], "stat -f -c %b /scratch")).toBe("16\n");
});

test("a source of umount takes the mount away", async () => {
  await using job = await step();
  const lines = ["tmpfs /a x-create=dir", "umount /a x-detach"];
  expect(await mounted(job, lines, "grep -c ' /a ' /proc/self/mountinfo || :")).toBe("0\n");
});

test("flags that repeat and contradict each other are tolerated", async () => {
  await using job = await step();
  const flags = "x-create=auto,rbind,x-create=file,bind,ro,nosuid,nodev,private";
  const output = await mounted(
    job,
    [`${job.box.work}/file /job ${flags}`],
    "cat /job; ! touch /job 2> /dev/null",
  );
  expect(output).toBe("text\n");
});

test("a relative source is below the working directory", async () => {
  await using job = await step();
  expect(await mounted(job, ["./file /mnt/x x-create=auto,rbind"], "cat /mnt/x")).toBe("text\n");
});

test("a relative destination is below the container's root", async () => {
  await using job = await step();
  expect(await mounted(job, ["./file ./mnt/x x-create=auto,rbind"], "cat /mnt/x")).toBe("text\n");
});

test("a relative destination above the container's root fails with words that are looked for", async () => {
  await using job = await step();
  const output = await mounted(job, ["./file ../home x-create=auto,rbind"], "true");
  expect(output).toContain("Invalid cross-device link");
});

test("hooks() writes /etc/rc.local even for a container that is to be read-only", async () => {
  await using job = await step();
  const options = { env: { ENROOT_ROOTFS_WRITABLE: "n" } };
  const output = await mounted(job, [], "cat /etc/rc.local; ! touch /x 2> /dev/null", options);
  expect(output).toBe('exec "$@"\n');
});

test("hooks() runs after the hooks of the system", async () => {
  const first = "#!/bin/sh\necho 'exit 9' > ${ENROOT_ROOTFS}/etc/rc.local\n";
  await using job = await step("", { "hooks.d/90-first.sh": first });
  expect(await mounted(job, [], "cat /etc/rc.local")).toBe('exec "$@"\n');
});

test("a task runs without the entrypoint because of /etc/rc.local, which stays for later steps", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const one = await job.start("pyxis_a");
  expect((await job.look(one.pid)).environ).not.toHaveProperty("FROM_ENTRYPOINT");
  await job.release(one.pid);
  const two = await job.start("pyxis_a", "");
  expect((await job.look(two.pid)).environ).not.toHaveProperty("FROM_ENTRYPOINT");
  await job.release(two.pid);
});

test("environ() sees the job's environment, comes after the image's, and its last word counts", async () => {
  await using job = await step("", { "environ.d/10-system.env": "FROM_IMAGE=of the system\n" });
  await job.create("pyxis_7.0");
  const line = (name: string) => `[ -n "\${${name}-}" ] && echo "${name}=\${${name}}" || :\n`;
  const conf = `${hooks}environ() {\n${line("FROM_IMAGE")}${line("NOT_SET")}}\n`;
  const started = await job.start("pyxis_7.0", conf, { env: { FROM_IMAGE: "of the job" } });
  const { environ } = await job.look(started.pid);
  expect(environ).toMatchObject({ FROM_IMAGE: "of the job" });
  expect(environ).not.toHaveProperty("NOT_SET");
  await job.release(started.pid);
});

test.each(["mounts", "hooks", "environ"])(
  "a %s() that fails makes start fail, and nothing is left",
  async (name) => {
    await using job = await step();
    await job.create("pyxis_7.0");
    const started = await job.start("pyxis_7.0", `${name}() {\nfalse\n}\n`);
    expect(started).toMatchObject({ stopped: null });
    expect(started.status).not.toBe(0);
  },
);

test("the container keeps what a step has written to it", async () => {
  await using job = await step();
  await mounted(job, [], "echo kept > /kept", { env: { ENROOT_ROOTFS_WRITABLE: "y" } });
  const again = await job.start("pyxis_7.0");
  expect(await job.inside(again.pid, "cat /kept")).toBe("kept\n");
  await job.release(again.pid);
  expect((await stat(job.image)).isFile()).toBe(true);
});
