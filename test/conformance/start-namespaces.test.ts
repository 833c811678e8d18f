// SPDX-License-Identifier: Apache-2.0
// --net, --pid, --ipc, --uts, and the small /dev.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { sandbox, until } from "../harness/index.ts";
import { container, lines } from "./container.ts";

const own = (kind: string) => readlink(`/proc/self/ns/${kind}`);

test.each([
  ["net", ["--net"], {}],
  ["net", [], { ENROOT_UNSHARE_NET: "y" }],
  ["pid", ["--pid"], {}],
  ["pid", [], { ENROOT_UNSHARE_PID: "y" }],
  ["ipc", ["--ipc"], {}],
  ["ipc", [], { ENROOT_UNSHARE_IPC: "y" }],
  ["uts", ["--uts"], {}],
  ["uts", [], { ENROOT_UNSHARE_UTS: "y" }],
])("a %s namespace with %j %j, and no other", async (kind, options, env) => {
  await using box = await sandbox();
  const { inside } = await container(box);
  const kinds = ["net", "pid", "ipc", "uts"];
  const links = lines(
    await inside(kinds.map((name) => `readlink /proc/self/ns/${name}`).join("; "), options, { env }),
  );
  for (const [index, name] of kinds.entries()) expect(links[index] === (await own(name))).toBe(name !== kind);
});

test("all at once", async () => {
  await using box = await sandbox();
  const { inside } = await container(box);
  expect(await inside("echo $$; id -u", ["--net", "--pid", "--ipc", "--uts", "--root", "--rw"])).toBe(
    "1\n0\n",
  );
});

describe("--net", () => {
  test("loopback alone, up, and its own /sys", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const script =
      "ls /sys/class/net; cat /sys/class/net/lo/operstate; ping -c 1 -w 5 127.0.0.1 > /dev/null && echo up";
    expect(await inside(script, ["--net", "--root"])).toMatch(/^lo\nunknown\n/);
    const flags = await inside("cat /sys/class/net/lo/flags", ["--net"]);
    expect(Number(flags) & 1).toBe(1);
    expect(await inside("! touch /sys/x 2> /dev/null && echo read-only", ["--net"])).toBe("read-only\n");
  });
});

describe("--uts", () => {
  test("the host's name at first, and changes stay inside", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const before = hostname();
    expect(await inside("hostname; hostname other; hostname", ["--uts", "--root"])).toBe(
      `${before}\nother\n`,
    );
    expect(hostname()).toBe(before);
  });
});

describe("--pid", () => {
  test("the command is process 1, and sees no other", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const output = await inside("echo $$; ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm; :", ["--pid"]);
    // ls and wc themselves, and the shell between them.
    expect(output).toMatch(/^1\n[234]\nsh\n$/);
  });

  test.each([
    ["exit 7", { status: 7, signal: null }],
    ["sh -c 'kill -KILL $$'; exit $?", { status: 137, signal: null }],
  ])("status of %s", async (script, outcome) => {
    await using box = await sandbox();
    await container(box);
    expect(await box.enroot(["start", "--pid", "box", "sh", "-c", script])).toMatchObject(outcome);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("%s is handed on", async (signal) => {
    await using box = await sandbox();
    await container(box);
    const script = "trap 'echo handled; exit 3' TERM INT; echo ready; while :; do sleep 0.05; done";
    const running = box.start(["start", "--pid", "box", "sh", "-c", script]);
    await until("the command", () => running.stdout() === "ready\n");
    running.kill(signal);
    expect(await running.exited).toMatchObject({ status: 3, stdout: "ready\nhandled\n" });
  });

  test("nothing is left when the caller's process is killed", async () => {
    await using box = await sandbox();
    await container(box);
    const running = box.start([
      "start",
      "--pid",
      "box",
      "sh",
      "-c",
      "echo ready; sleep 1000 & exec sleep 1000",
    ]);
    await until("the command", () => running.stdout() === "ready\n");
    const children = (await readFile(`/proc/${running.pid}/task/${running.pid}/children`, "utf8")).trim();
    expect(children).toMatch(/^\d+$/);
    running.kill("SIGKILL");
    await running.exited;
    await until("the end of the command", () =>
      readFile(`/proc/${children}/stat`, "utf8").then(
        (text) => / Z /.test(text),
        () => true,
      ),
    );
  });
});

describe("the small /dev", () => {
  const devices = "full|null|ptmx|pts|random|shm|stdin|stdout|stderr|tty|urandom|zero|fd".split("|");

  test.each([
    [["--ipc"], {}],
    [[], { ENROOT_RESTRICT_DEV: "y" }],
  ])("with %j %j", async (options, env) => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const names = lines(await inside("ls /dev", options, { env }));
    expect(names).toEqual(expect.arrayContaining(devices));
    expect(names.filter((name) => !devices.includes(name) && !/^(mqueue|hugepages|log)$/.test(name))).toEqual(
      [],
    );
    const script = `echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c
      (echo through > /dev/stdout; echo too > /dev/fd/1) | cat; echo seen | cat /dev/stdin; readlink /dev/ptmx
      touch /dev/shm/file && ls /dev/shm/file && rm /dev/shm/file`;
    const output = await inside(script, options, { env });
    expect(output).toBe("3\n5\nthrough\ntoo\nseen\n/dev/pts/ptmx\n/dev/shm/file\n");
  });

  test("shared memory is the container's own with --ipc", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const marker = `enroot-test-${process.pid}`;
    expect(await inside(`touch /dev/shm/${marker}; ls /dev/shm`, ["--ipc"])).toBe(`${marker}\n`);
    expect(await box.run(["ls", "/dev/shm"]).then(({ stdout }) => stdout.includes(marker))).toBe(false);
  });

  test("the terminal is its console", async () => {
    await using box = await sandbox();
    await container(box);
    const script = "tty; test -c /dev/console && echo x > /dev/console && echo console";
    const result = await box.enroot(["start", "--ipc", "box", "sh", "-c", script], { tty: true });
    expect(lines(result.stdout.replaceAll("\r", "")).slice(-2)).toEqual(["x", "console"]);
  });
});
