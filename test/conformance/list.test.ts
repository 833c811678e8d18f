// SPDX-License-Identifier: Apache-2.0
// Also with containers that are datasets, in every run.
import { describe, expect, test } from "bun:test";
import { mkdir, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  enrootBinary,
  hasDatasets,
  host,
  processesOf,
  type Running,
  type Sandbox,
  sandbox,
  testUser,
  until,
} from "../harness/index.ts";
import { emptyContainer, own } from "./container.ts";
import { busybox } from "./image.ts";
import { improvement } from "./improvement.ts";

const header = ["NAME", "PID", "COMM", "STATE", "STARTED", "TIME", "MNTNS", "USERNS", "COMMAND"];

/** Makes a container without an image. */
async function container(box: Sandbox, name: string): Promise<void> {
  const rootfs = await emptyContainer(box, name);
  await host(["sh", "-euc", busybox], { cwd: rootfs });
  await own(rootfs);
}

/** The rows of `list -f` below its header, as fields. */
async function rows(box: Sandbox): Promise<string[][]> {
  const result = await box.enroot(["list", "-f"]);
  expect(result).toMatchObject({ status: 0, stderr: "" });
  const [first = "", ...rest] = result.stdout.replace(/\n$/, "").split("\n");
  expect(first.split(/ +/)).toEqual(header);
  return withoutOthers(rest).map((line) => line.trimEnd().split(/ {2,}/));
}

/** The rows without containers of no known name: other tests that run as the same user have theirs. */
function withoutOthers(lines: readonly string[]): string[] {
  let other = false;
  return lines.filter((line) => {
    if (!line.startsWith(" ")) other = line.startsWith("<unknown>");
    return !other;
  });
}

async function running(box: Sandbox, args: readonly string[], command = "sleep"): Promise<Running> {
  const child = box.start(["start", ...args]);
  await until("the container's command", async () => {
    const comm = await Bun.file(`/proc/${child.pid}/comm`).text();
    return comm.trim() === command || child.stderr() !== "";
  });
  expect(child.stderr()).toBe("");
  return child;
}

describe("names", () => {
  test("one a line, sorted bytewise, without those with a leading dot", async () => {
    await using box = await sandbox();
    for (const name of ["b", "a b", "B", "-f", ".hidden", "ä"]) await emptyContainer(box, name);
    // A directory behind a link is a container as well, and no dataset.
    const behind = hasDatasets(box) ? "" : "link\n";
    if (behind !== "") await symlink(join(box.data, "b"), join(box.data, "link"));
    expect(await box.ok(["list"])).toBe(`-f\nB\na b\nb\n${behind}ä\n`);
  });

  test("nothing at all where there is none", async () => {
    await using box = await sandbox();
    expect(await box.ok(["list"])).toBe("");
    expect(await rows(box)).toEqual([]);
  });

  test("what is being made is not listed", async () => {
    await using box = await sandbox();
    await emptyContainer(box, ".new.host.1.1.1.0");
    expect(await box.ok(["list"])).toBe("");
    expect(await rows(box)).toEqual([]);
  });
});

describe("processes", () => {
  test("a container that does not run has its name alone", async () => {
    await using box = await sandbox();
    await container(box, "idle");
    expect(await rows(box)).toEqual([["idle"]]);
  });

  test("the command that was started, in the words of ps", async () => {
    await using box = await sandbox();
    await container(box, "box");
    const child = await running(box, ["box", "sleep", "1000"]);
    const [[name, pid, comm, state, started, time, mounts, users, command] = []] = await rows(box);
    expect([name, pid, comm, command]).toEqual(["box", String(child.pid), "sleep", "sleep 1000"]);
    const ps = await host(["ps", "-o", "stat=,lstart=", "-p", String(child.pid)]);
    expect(state).toBe(ps.split(" ")[0]);
    expect(started).toBe(/(\d\d:\d\d):\d\d/.exec(ps)?.[1]);
    expect(time).toMatch(/^\d\d:\d\d$/);
    expect(await readlink(`/proc/${child.pid}/ns/mnt`)).toBe(`mnt:[${mounts}]`);
    expect(await readlink(`/proc/${child.pid}/ns/user`)).toBe(`user:[${users}]`);
  });

  improvement("bash enroot does not start it", "a container with a space in its name", async () => {
    await using box = await sandbox();
    await container(box, "a box");
    const child = await running(box, ["a box", "sleep", "1000"]);
    expect((await rows(box))[0]?.slice(0, 2)).toEqual(["a box", String(child.pid)]);
  });

  test("a container that runs twice: the name is on its first row only", async () => {
    await using box = await sandbox();
    await container(box, "box");
    await container(box, "zoo");
    const first = await running(box, ["box", "sleep", "1000"]);
    const second = await running(box, ["box", "sleep", "2000"]);
    const lines = withoutOthers((await box.ok(["list", "--fancy"])).trimEnd().split("\n").slice(1));
    const pids = [first.pid, second.pid].sort((a, b) => a - b);
    expect(lines.map((line) => line.trimStart().split(/ +/).slice(0, 2))).toEqual([
      ["box", String(pids[0])],
      [String(pids[1]), "sleep"],
      ["zoo"],
    ]);
    expect(lines[1]).toStartWith("     ");
  });

  test("a process that joined keeps the container alive when the first one is gone", async () => {
    await using box = await sandbox();
    await container(box, "box");
    const child = await running(box, ["box", "sleep", "1000"]);
    const join = ["nsenter", "--preserve-credentials", "-U", "-m", "-t", String(child.pid), "--"];
    const joined = box.run([...join, "/bin/sleep", "3000"]);
    await until("the second process", async () =>
      (await processesOf(testUser().uid, box.root)).some((line) => /^\d+ \/bin\/sleep 3000/.test(line)),
    );
    child.kill("SIGKILL");
    await child.exited;
    const [[name, pid, , , , , , , command] = []] = await rows(box);
    expect([name, command]).toEqual(["box", "/bin/sleep 3000"]);
    process.kill(Number(pid), "SIGKILL");
    expect((await joined).signal).toBe("SIGKILL");
    expect(await rows(box)).toEqual([["box"]]);
  });

  test("a container of another store is unknown", async () => {
    await using box = await sandbox();
    await container(box, "box");
    const child = await running(box, ["box", "sleep", "1000"]);
    const other = { ENROOT_DATA_PATH: join(box.home, "other"), ENROOT_STORAGE_BACKEND: "dir" };
    const result = await box.ok(["list", "-f"], { env: other });
    const pid = String(child.pid);
    const row = result.split("\n").find((line) => line.trimStart().split(/ +/).includes(pid)) ?? "";
    // Below the row of another container without a name, should there be one.
    expect(row).toMatch(new RegExp(`^(<unknown>| +) +${pid} `));
  });

  improvement(
    "bash enroot compares the words",
    "a store behind a symbolic link is the same store",
    async () => {
      await using box = await sandbox();
      await container(box, "box");
      await symlink(box.data, join(box.home, "link"));
      const child = await running(box, ["box", "sleep", "1000"]);
      const result = await box.ok(["list", "-f"], { env: { ENROOT_DATA_PATH: join(box.home, "link") } });
      expect(result).toMatch(new RegExp(`^box +${child.pid} `, "m"));
    },
  );

  improvement(
    "bash enroot prints what it finds",
    "what a command calls itself cannot forge a row",
    async () => {
      await using box = await sandbox();
      await container(box, "box");
      const words = ["read line; true", "a\nforged 1\x1b[2J"];
      const child = box.start(["start", "box", "sh", "-c", ...words], { stdin: "pipe" });
      await until("the container", async () => (await rows(box))[0]?.[1] === String(child.pid));
      const text = await box.ok(["list", "-f"]);
      expect(text).not.toMatch(/^forged/m);
      expect(text).toContain("a?forged 1?[2J");
      await child.end();
    },
  );

  test("processes that come and go do not disturb", async () => {
    await using box = await sandbox();
    await container(box, "box");
    const child = await running(box, ["box", "sleep", "1000"]);
    const storm = box
      .start([], {})
      .exited.then(() => box.run(["sh", "-c", "for i in $(seq 500); do true | true & done; wait"]));
    for (let round = 0; round < 10; round++)
      expect((await rows(box)).map(([, pid]) => pid)).toEqual([String(child.pid)]);
    await storm;
  });
});

test("another user's containers are not seen", async () => {
  await using box = await sandbox();
  await container(box, "box");
  await running(box, ["box", "sleep", "1000"]);
  await mkdir(join(box.root, "foreign"), { mode: 0o777 });
  await writeFile(join(box.root, "probe"), "");
  const nobody = join(box.root, "nobody");
  const env = {
    HOME: nobody,
    ENROOT_DATA_PATH: nobody,
    ENROOT_RUNTIME_PATH: nobody,
    ENROOT_STORAGE_BACKEND: "dir",
  };
  await host([
    "sh",
    "-euc",
    'mkdir -m 755 "$1"; chown 65534:65534 "$1"; chmod 755 "$2"',
    "-",
    nobody,
    box.root,
  ]);
  const drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const text = await host([...drop, enrootBinary(), "list", "-f"], { env });
  expect(text).not.toContain("sleep");
});
