// SPDX-License-Identifier: Apache-2.0
// Signals, job control and terminals, through start and exec, as a shell and its user see them.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, type Running, type Sandbox, sandbox, until } from "../harness/index.ts";
import { container, lines } from "./container.ts";

const pty = join(import.meta.dir, "terminal.py");

async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") gone");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}

/** Runs shell lines by start, or by exec in a container that sleeps. */
interface Runner {
  start(box: Sandbox, script: string): Promise<Running>;
  /** The words before `sh -c …`, for shells and terminals. */
  words(box: Sandbox): Promise<string[]>;
}

async function sleeping(box: Sandbox, options: readonly string[]): Promise<string> {
  const child = box.start(["start", ...options, "box", "sh", "-c", "echo up; exec sleep 600"]);
  await until("the container", async () => child.stdout().includes("up"));
  if (!options.includes("--pid")) return String(child.pid);
  return (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8")).trim();
}

const runner = (words: (box: Sandbox) => Promise<string[]>): Runner => ({
  words,
  start: async (box, script) => {
    const child = box.start([...(await words(box)), "sh", "-c", script]);
    await until("the command", async () => child.stdout().includes("ready"));
    return child;
  },
});

describe.each<[string, Runner]>([
  ["start", runner(async () => ["start", "box"])],
  ["start --pid", runner(async () => ["start", "--pid", "box"])],
  ["exec", runner(async (box) => ["exec", await sleeping(box, [])])],
  ["exec in a PID namespace", runner(async (box) => ["exec", await sleeping(box, ["--pid"])])],
])("%s", (name, run) => {
  test.each<NodeJS.Signals>(["SIGTERM", "SIGINT"])(
    "a handler of %s runs, and its status comes back",
    async (signal) => {
      await using box = await sandbox();
      await container(box);
      const script = `trap 'echo got; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
      const child = await run.start(box, script);
      child.kill(signal);
      expect(await child.exited).toMatchObject({ status: 5, stdout: "ready\ngot\n" });
    },
  );

  test("SIGKILL ends all of it", async () => {
    await using box = await sandbox();
    await container(box);
    const child = await run.start(box, "echo ready; exec sleep 600");
    child.kill("SIGKILL");
    expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
  });

  test("STOP and CONT stop and wake it", async () => {
    await using box = await sandbox();
    await container(box);
    const child = await run.start(box, "echo ready; while :; do sleep 0.05; done");
    process.kill(child.pid, "SIGSTOP");
    await until("the stop", async () => (await stateOf(child.pid)) === "T");
    process.kill(child.pid, "SIGCONT");
    await until("its going on", async () => (await stateOf(child.pid)) !== "T");
  });

  // Process 1 of a namespace cannot be stopped from inside of it.
  if (name !== "start --pid")
    test("a command that stops itself is seen stopped, and goes on when woken", async () => {
      await using box = await sandbox();
      await container(box);
      const child = await run.start(box, "echo ready; sh -c 'kill -STOP $PPID'; echo woken");
      await until("the stop", async () => (await stateOf(child.pid)) === "T");
      child.kill("SIGCONT");
      expect(await child.exited).toMatchObject({ status: 0, stdout: "ready\nwoken\n" });
    });

  test("on a terminal: its size, a change of it, and ^C", async () => {
    await using box = await sandbox();
    await container(box);
    const script = `trap 'stty size; echo changed' WINCH; trap 'echo interrupted; exit 6' INT
      stty size; echo ready; while :; do sleep 0.05; done`;
    const steps =
      "wait 24 80; wait ready; size 100x40; wait 40 100; wait changed; type \\x03; wait interrupted";
    const words = [enrootBinary(), ...(await run.words(box)), "sh", "-c", script];
    const result = await box.run(["/usr/bin/python3", pty, steps, ...words]);
    expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 6, stderr: "" });
  }, 60_000);

  test("when its terminal goes it ends", async () => {
    await using box = await sandbox();
    await container(box);
    const words = [enrootBinary(), ...(await run.words(box)), "sh", "-c", "echo ready; exec sleep 600"];
    const result = await box.run(["/usr/bin/python3", pty, "wait ready; hang up", ...words]);
    expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 129, stderr: "" });
  }, 60_000);

  test("in the background of a shell it is a job like any other", async () => {
    await using box = await sandbox();
    await container(box);
    const words = [enrootBinary(), ...(await run.words(box))].map((word) => `'${word}'`).join(" ");
    const script = `set -m; ${words} sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done' > out & wait_for() { until grep -q "$1" "$2"; do sleep 0.05; done; }
      wait_for ready out; kill %1; wait %1; echo "status $?"; ${words} sh -c 'exit 9' < /dev/null & wait $!; echo "status $?"`;
    const { stdout } = await box.run(["bash", "-c", script]);
    expect(lines(stdout)).toEqual(["status 7", "status 9"]);
  });

  test("standard input may be closed, empty, or a pipe", async () => {
    await using box = await sandbox();
    await container(box);
    const words = [enrootBinary(), ...(await run.words(box))].map((word) => `'${word}'`).join(" ");
    const script = `${words} sh -c 'echo closed' <&-; ${words} cat < /dev/null; echo piped | ${words} cat`;
    expect((await box.run(["bash", "-c", script])).stdout).toBe("closed\npiped\n");
  });
});

test("SIGHUP ends a container", async () => {
  await using box = await sandbox();
  await container(box);
  const child = box.start(["start", "box", "sh", "-c", "echo ready; exec sleep 600"]);
  await until("the command", async () => child.stdout().includes("ready"));
  child.kill("SIGHUP");
  expect(await child.exited).toMatchObject({ signal: "SIGHUP" });
});
