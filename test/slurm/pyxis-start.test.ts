// SPDX-License-Identifier: Apache-2.0
// `start` as the plug-in calls it: the process that stops, what is read of it, and the tasks that join it.
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { testUser, until } from "../harness/index.ts";
import { hooks, type Step, step } from "./conversation.ts";

const { uid } = testUser();

/** A step whose container has been started and has stopped. */
async function stopped(job: Step, env: Record<string, string> = {}, conf = hooks): Promise<number> {
  await job.create("pyxis_7.0");
  const started = await job.start("pyxis_7.0", conf, { env });
  expect(started).toMatchObject({ stopped: "SIGSTOP", log: "" });
  return started.pid;
}

test("the process that was started becomes the container's shell, which stops itself", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
  expect(command.split("\0")).toEqual(["sh", "-c", "kill -STOP $$ ; exit 0", ""]);
  expect((await job.look(pid)).parent).toBe(job.driver.pid);
  await job.release(pid);
});

test("SIGCONT ends it with status 0 and no output", async () => {
  await using job = await step();
  expect(await job.release(await stopped(job))).toMatchObject({ status: 0, log: "" });
});

test("a failure before the stop is an exit status that is not 0, with the reason in the log", async () => {
  await using job = await step();
  const ending = await job.start("pyxis_nothing");
  expect(ending).toMatchObject({ stopped: null, status: 1 });
  expect(ending.log).toContain("pyxis_nothing");
});

test("a command that ends too soon is seen as an end, not as a stop", async () => {
  await using job = await step();
  await job.create("pyxis_7.0");
  const conf = "hooks() {\necho 'exit 0' > ${ENROOT_ROOTFS}/etc/rc.local\n}\n";
  expect(await job.start("pyxis_7.0", conf)).toMatchObject({ stopped: null, status: 0 });
});

test("the configuration file is no longer needed once the process has stopped", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const left = (await readFile(`/proc/${pid}/mountinfo`, "utf8")).includes(".enroot_config_");
  expect(left).toBe(false);
  expect(await job.inside(pid, "echo joined")).toBe("joined\n");
  await job.release(pid);
});

test("the process belongs to the user and can be read by the user", async () => {
  await using job = await step();
  const pid = await stopped(job);
  expect((await job.look(pid)).owner).toBe(uid);
  await job.release(pid);
});

test.each([
  ["n", `${uid}`],
  ["y", "0"],
])("ENROOT_REMAP_ROOT=%s: one line in the map of user ids", async (remap, inside) => {
  await using job = await step();
  const pid = await stopped(job, { ENROOT_REMAP_ROOT: remap });
  expect((await job.look(pid)).uidMap).toEqual([inside, `${uid}`, "1"]);
  await job.release(pid);
});

test("its working directory is the image's, as a path in the container", async () => {
  await using job = await step();
  const pid = await stopped(job);
  expect((await job.look(pid)).cwd).toBe("/image/work");
  await job.release(pid);
});

test("its environment is the container's: nothing of the job, of enroot or of the host", async () => {
  await using job = await step();
  const pid = await stopped(job, { JOB_VARIABLE: "1", PMIX_MCA_x: "1", http_proxy: "http://proxy.invalid" });
  const { environ } = await job.look(pid);
  expect(environ).toMatchObject({ PATH: "/bin", FROM_IMAGE: "of the image" });
  expect(
    Object.keys(environ).filter((key) => /^(ENROOT|SLURM|PYXIS|JOB|LANG|LD_|BASH|PMIX|_$)/.test(key)),
  ).toEqual([]);
  await job.release(pid);
});

test("what an entrypoint adds to the environment is there", async () => {
  await using job = await step();
  const pid = await stopped(job, {}, "");
  expect((await job.look(pid)).environ).toMatchObject({ FROM_ENTRYPOINT: "1" });
  await job.release(pid);
});

test("user, cgroup and mount namespaces are its own, and no other", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const { separate } = await job.look(pid);
  expect(separate.filter((kind) => !kind.endsWith("_for_children")).toSorted()).toEqual([
    "cgroup",
    "mnt",
    "user",
  ]);
  await job.release(pid);
});

test.each(["net", "ipc", "uts"])(
  "ENROOT_UNSHARE_%s=y makes that namespace another one, which is joined",
  async (kind) => {
    await using job = await step();
    const pid = await stopped(job, { [`ENROOT_UNSHARE_${kind.toUpperCase()}`]: "y" });
    const task = await job.join(pid, ["readlink", `/proc/self/ns/${kind}`]);
    expect(task.joined).toEqual(["user", "cgroup", "mnt", kind]);
    expect((await job.wait(task.pid)).status).toBe(0);
    await job.release(pid);
  },
);

test("a task joins user, cgroup and mnt in that order and may then install a filter of system calls", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const task = await job.join(pid, ["sh", "-c", "grep -h ^Seccomp: /proc/self/status"]);
  expect(task.joined).toEqual(["user", "cgroup", "mnt"]);
  expect(await job.wait(task.pid)).toMatchObject({ status: 0, log: "Seccomp:\t2\n" });
  await job.release(pid);
});

test("after joining, the root is the container's and the old one is out of reach", async () => {
  await using job = await step();
  const pid = await stopped(job);
  expect(await job.inside(pid, "cd / && cd ../../.. && ls -d entrypoint && ! ls -d boot")).toStartWith(
    "entrypoint\n",
  );
  const mounts = await job.inside(pid, "cut -d' ' -f5 /proc/self/mountinfo");
  expect(mounts).not.toContain(job.box.root);
  await job.release(pid);
});

test("a task gets the container's environment over the job's, without the job's locale", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const output = await job.inside(pid, "env; pwd", { env: { FROM_IMAGE: "of the job", OF_JOB: "1" } });
  expect(output.split("\n")).toEqual(
    expect.arrayContaining(["FROM_IMAGE=of the image", "OF_JOB=1", "/image/work"]),
  );
  expect(output).not.toMatch(/^LANG=/m);
  await job.release(pid);
});

test("--container-env keeps the job's value, --container-workdir the job's directory", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const options = { env: { FROM_IMAGE: "of the job" }, kept: ["FROM_IMAGE"], workdir: "/tmp" };
  expect(await job.inside(pid, "echo $FROM_IMAGE; pwd", options)).toBe("of the job\n/tmp\n");
  await job.release(pid);
});

test("PMI, PMIx and Slurm variables come from the opt-in hook", async () => {
  const hook = await readFile(join(import.meta.dir, "../../packaging/extra/hooks.d/50-slurm-pmi.sh"), "utf8");
  await using job = await step("", { "hooks.d/50-slurm-pmi.sh": hook });
  const pid = await stopped(job, { PMIX_NAMESPACE: "slurm.7.0", SLURM_MPI_TYPE: "pmix", PMI_SIZE: "2" });
  const { environ } = await job.look(pid);
  expect(environ).toMatchObject({ SLURM_JOB_ID: "7", PMIX_NAMESPACE: "slurm.7.0", PMI_SIZE: "2" });
  await job.release(pid);
});

test("the namespaces stay for tasks that have joined after the started process has ended", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const task = await job.join(pid, ["sh", "-c", "kill -STOP $$; ls -d /entrypoint"]);
  await until("the stop", async () => / T /.test(await readFile(`/proc/${task.pid}/stat`, "utf8")));
  expect((await job.release(pid)).status).toBe(0);
  const list = await job.call(["list", "-f"], { daemon: true });
  const row = list.log.split("\n").find((line) => line.startsWith("pyxis_7.0 "));
  const listed = Number(row?.split(/ +/)[1]);
  expect(existsSync(`/proc/${listed}`)).toBe(true);
  expect(await job.inside(listed, "pwd", { started: task.pid })).toBe("/image/work\n");
  expect(await job.release(task.pid)).toMatchObject({ status: 0, log: "/entrypoint\n" });
});

test("start of a running container works, and its namespaces are those of the listed process", async () => {
  await using job = await step();
  const first = await stopped(job);
  const second = await job.start("pyxis_7.0");
  expect(second.stopped).toBe("SIGSTOP");
  expect(await job.inside(first, "pwd", { started: second.pid })).toBe("/image/work\n");
  await job.release(second.pid);
  await job.release(first);
});

test("the lock of the root file system is free once the process has stopped", async () => {
  await using job = await step();
  const pid = await stopped(job);
  const { stdout } = await job.box.run(["sh", "-c", `grep -c ":${pid}:\\| ${pid} " /proc/locks || :`]);
  expect(stdout.trim()).toBe("0");
  await job.release(pid);
});

test("an image as the target is mounted, writable, without create or remove, and its servers end with it", async () => {
  await using job = await step();
  const started = await job.start(job.image, hooks, { env: { ENROOT_ROOTFS_WRITABLE: "y" } });
  expect(started).toMatchObject({ stopped: "SIGSTOP" });
  expect(await job.inside(started.pid, "echo text > /new && cat /new")).toBe("text\n");
  expect((await job.call(["list"])).log).toBe("");
  await job.send(started.pid, "SIGKILL");
  expect((await job.wait(started.pid)).signal).toBe("SIGKILL");
});

test("a squashfs file as the target for two tasks", async () => {
  await using job = await step();
  const { pid } = await job.start(job.image);
  const tasks = [await job.join(pid, ["sh", "-c", "pwd"]), await job.join(pid, ["sh", "-c", "pwd"])];
  for (const task of tasks)
    expect(await job.wait(task.pid)).toMatchObject({ status: 0, log: "/image/work\n" });
  await job.send(pid, "SIGKILL");
  await job.wait(pid);
});
