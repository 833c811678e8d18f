// SPDX-License-Identifier: Apache-2.0
// exec: a command in the namespaces, the environment and the working directory of a container's process.
// Also with containers that are datasets, in every run.
import { describe, expect, test } from "bun:test";
import { readFile, readlink } from "node:fs/promises";
import { type Running, type Sandbox, sandbox, testUser, until } from "../harness/index.ts";
import { container, lines } from "./container.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";

const { uid, gid } = testUser();

/** Starts a container that sleeps; the PID is that of its command on the host. */
async function sleeper(
  box: Sandbox,
  options: readonly string[] = [],
  script = "exec sleep 600",
): Promise<{ pid: string; running: Running }> {
  await container(box, { "etc/environment": "PATH=/bin\nFROM_IMAGE=a b\n", "etc/motd": "" });
  const running = box.start(["start", ...options, "box", "sh", "-c", `echo up; ${script}`]);
  await until("the container", async () => running.stdout().includes("up"));
  const pid = options.includes("--pid") ? await childOf(running.pid) : String(running.pid);
  return { pid, running };
}

async function childOf(pid: number): Promise<string> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim();
}

const namespaces = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

describe.each([
  ["in the caller's other namespaces", []],
  ["in namespaces of its own", ["--pid", "--net", "--ipc", "--uts"]],
  ["as root", ["--root"]],
])("%s", (_, options) => {
  test("the command has the process's namespaces, environment and working directory", async () => {
    await using box = await sandbox();
    const { pid } = await sleeper(box, options, "cd /tmp; export LATER=x; exec sleep 600");
    const script = `for ns in ${namespaces.join(" ")}; do readlink /proc/self/ns/$ns; done; pwd; id -u; id -g; env`;
    const out = lines(await box.ok(["exec", pid, "sh", "-c", script]));
    const theirs = await Promise.all(namespaces.map((ns) => readlink(`/proc/${pid}/ns/${ns}`)));
    expect(out.slice(0, namespaces.length)).toEqual(theirs);
    const root = options.includes("--root");
    expect(out.slice(namespaces.length, namespaces.length + 3)).toEqual([
      "/tmp",
      root ? "0" : String(uid),
      root ? "0" : String(gid),
    ]);
    expect(out).toEqual(expect.arrayContaining(["FROM_IMAGE=a b", "LATER=x", "PATH=/bin"]));
    expect(out.filter((line) => line.startsWith("ENROOT_"))).toEqual([]);
  });

  test("the status is the command's, and nothing is added to its output", async () => {
    await using box = await sandbox();
    const { pid } = await sleeper(box, options);
    const script = "cat; echo err >&2; exit 7";
    expect(await box.enroot(["exec", pid, "sh", "-c", script], { stdin: "in" })).toMatchObject({
      status: 7,
      stdout: "in",
      stderr: "err\n",
    });
  });

  test("a signal that ends the command ends exec", async () => {
    await using box = await sandbox();
    const { pid } = await sleeper(box, options);
    const result = await box.enroot(["exec", pid, "sh", "-c", "kill -USR1 $$"]);
    expect(result).toMatchObject({ status: null, signal: "SIGUSR1" });
  });
});

test("the command is the process that the caller started", async () => {
  await using box = await sandbox();
  const { pid } = await sleeper(box);
  const child = box.start(["exec", pid, "sh", "-c", "echo $$; exec sleep 600"]);
  await until("the command", async () => child.stdout() !== "");
  expect(child.stdout()).toBe(`${child.pid}\n`);
});

test("signals reach a command in another PID namespace, and it dies with exec", async () => {
  await using box = await sandbox();
  const { pid } = await sleeper(box, ["--pid"]);
  const trap = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
  const child = box.start(["exec", pid, "sh", "-c", trap]);
  await until("the trap", async () => child.stdout().includes("ready"));
  child.kill("SIGTERM");
  expect(await child.exited).toMatchObject({ status: 3, stdout: "ready\ngot\n" });

  const other = box.start(["exec", pid, "sh", "-c", "echo ready; exec sleep 600"]);
  await until("the command", async () => other.stdout().includes("ready"));
  const command = await childOf(other.pid);
  other.kill("SIGKILL");
  await other.exited;
  await until(
    "its end",
    async () => (await readFile(`/proc/${command}/comm`, "utf8").catch(() => "")) === "",
  );
});

describe("--env", () => {
  test("adds and replaces, and takes the caller's value without one", async () => {
    await using box = await sandbox();
    const { pid } = await sleeper(box);
    const options = [
      "-e",
      "FROM_IMAGE=other",
      "--env=NEW=two words",
      "-e",
      "HOST",
      "-e",
      "NOT_SET",
      "-e",
      "EMPTY=",
    ];
    const script = 'echo "$FROM_IMAGE,$NEW,$HOST,${NOT_SET-unset},${EMPTY-unset}"';
    const out = await box.ok(["exec", ...options, pid, "sh", "-c", script], { env: { HOST: "a=b" } });
    expect(out).toBe("other,two words,a=b,,\n");
  });

  test.each(["", "=x", "1A=x", "A B=x", "A-B"])("%j is refused", async (option) => {
    await using box = await sandbox();
    expect((await box.enroot(["exec", "-e", option, "1", "true"])).status).toBe(1);
  });

  improvement("bash enroot keeps the first", "variables of several lines stay whole", async () => {
    await using box = await sandbox();
    const { pid } = await sleeper(box, [], 'export LINES="$(printf "a\\nb")"; exec sleep 600');
    const script = 'echo "$LINES"; echo "$NEW"';
    expect(await box.ok(["exec", "-e", "NEW=c\nd", pid, "sh", "-c", script])).toBe("a\nb\nc\nd\n");
  });
});

test("options and empty words after the command are the command's", async () => {
  await using box = await sandbox();
  const { pid } = await sleeper(box);
  expect(await box.ok(["exec", "--", pid, "printf", "[%s]", "-e", "", "--", "x"])).toBe("[-e][][--][x]");
});

test("the command has no capabilities, and may change no owners", async () => {
  await using box = await sandbox();
  const { pid } = await sleeper(box);
  const script = "grep -E '^(CapEff|Seccomp):' /proc/self/status; chown 0:0 /tmp && echo chowned";
  expect(lines(await box.ok(["exec", pid, "sh", "-c", script]))).toEqual([
    "CapEff:\t0000000000000000",
    "Seccomp:\t2",
    "chowned",
  ]);
});

improvement("bash enroot's may by programs with capabilities", "nor may it gain any", async () => {
  await using box = await sandbox();
  const { pid } = await sleeper(box);
  const facts = await box.ok(["exec", pid, "grep", "-E", "^(CapBnd|NoNewPrivs):", "/proc/self/status"]);
  expect(lines(facts)).toEqual(["CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]);
});

improvement.among(
  [
    ["no process", ["exec", "4194304", "true"], "4194304"],
    ["no number", ["exec", "box", "true"], "box"],
    ["somebody else's process", ["exec", "1", "true"], "1"],
  ],
  "bash enroot looks for it",
  [["a negative number", ["exec", "--", "-1", "true"], "-1"]],
)("%s is refused", async (_, args, words) => {
  await using box = await sandbox();
  expect(refusal(await box.enroot(args))).toContain(words);
});

test("a command that is not there is an error", async () => {
  await using box = await sandbox();
  const { pid } = await sleeper(box);
  const result = await box.enroot(["exec", pid, "nosuch"]);
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(result.stderr).toEndWith("nosuch: No such file or directory\n");
  expect(lines(result.stderr)).toHaveLength(1);
});

test("without a command usage is printed", async () => {
  await using box = await sandbox();
  expect(await box.enroot(["exec", "1"])).toMatchObject({
    status: 1,
    stdout: expect.stringContaining("Usage: enroot exec"),
  });
});
