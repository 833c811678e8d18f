// SPDX-License-Identifier: Apache-2.0
// `list -f` and `list` as the plug-in reads them: by words between spaces, the first line unread.
import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { until } from "../harness/index.ts";
import { type Step, step, type Task } from "./conversation.ts";

interface Found {
  readonly name: string;
  readonly pid: number | undefined;
}

/** Reads the log of `list -f` as the plug-in does; fails where the plug-in fails. */
async function find(job: Step, name: string): Promise<Found | undefined> {
  const { status, log } = await job.call(["list", "-f"], { daemon: true });
  expect(status).toBe(0);
  const [header, ...rows] = log.split("\n").slice(0, -1);
  if (header === undefined) throw new Error("list -f printed nothing");
  for (const row of rows) {
    const [first, second] = row.split(" ").filter((word) => word !== "");
    if (first === undefined) throw new Error("a blank line");
    if (first === name) return { name, pid: second === undefined ? undefined : Number.parseInt(second, 10) };
  }
  return undefined;
}

/** A task that has joined and stays. */
async function staying(job: Step, pid: number): Promise<Task> {
  const task = await job.join(pid, ["sh", "-c", "kill -STOP $$"]);
  await until("the stop", async () => / T /.test(await readFile(`/proc/${task.pid}/stat`, "utf8")));
  return task;
}

test("there is a first line without any container, and nothing is found", async () => {
  await using job = await step();
  expect(await find(job, "pyxis_none")).toBeUndefined();
});

test("a container that does not run has its name alone on a line", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  expect(await find(job, "pyxis_a")).toEqual({ name: "pyxis_a", pid: undefined });
});

test("names are compared whole", async () => {
  await using job = await step();
  for (const name of ["pyxis_a", "pyxis_ab"]) await job.create(name);
  expect(await find(job, "pyxis_")).toBeUndefined();
  expect((await find(job, "pyxis_ab"))?.name).toBe("pyxis_ab");
});

test("a running container has a process in its mount namespace as the second word", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const { pid } = await job.start("pyxis_a");
  expect(await find(job, "pyxis_a")).toEqual({ name: "pyxis_a", pid });
  await job.release(pid);
});

test("the process is found when the one that enroot started has ended", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const { pid } = await job.start("pyxis_a");
  const task = await staying(job, pid);
  await job.release(pid);
  expect(await find(job, "pyxis_a")).toEqual({ name: "pyxis_a", pid: task.pid });
  await job.release(task.pid);
  expect(await find(job, "pyxis_a")).toEqual({ name: "pyxis_a", pid: undefined });
});

test("started twice: the first row has the name, the next begins with spaces", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const { pid } = await job.start("pyxis_a");
  const second = await job.start("pyxis_a");
  const { log } = await job.call(["list", "-f"]);
  const rows = log.split("\n");
  const first = rows.findIndex((row) => row.startsWith("pyxis_a "));
  expect(rows[first + 1]).toMatch(/^ +\d+ /);
  expect(await find(job, "pyxis_a")).toEqual({ name: "pyxis_a", pid: Math.min(pid, second.pid) });
  await job.release(pid);
  await job.release(second.pid);
});

test("no blank line and no warning comes before a name, whatever the environment", async () => {
  await using job = await step();
  await job.create("pyxis_a");
  const { log } = await job.call(["list", "-f"], {
    env: { ENROOT_SQUASH_OPTIONS: "nonsense", COLUMNS: "10" },
    daemon: true,
  });
  expect(
    log
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.trim() === ""),
  ).toEqual([]);
  expect(log).toStartWith("NAME ");
});

test("list has one name a line, to the end of the line", async () => {
  await using job = await step();
  for (const name of ["pyxis_7_7.0", "pyxis_7_other"]) await job.create(name);
  const { log } = await job.call(["list"]);
  expect(log.match(/^pyxis_7_\S+$/gm)).toEqual(["pyxis_7_7.0", "pyxis_7_other"]);
});
