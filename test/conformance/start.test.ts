// SPDX-License-Identifier: Apache-2.0
// The process that a container's command is: what the caller gave it arrives unchanged, and what it does comes back.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, sandbox, testUser, until } from "../harness/index.ts";
import { container, lines } from "./container.ts";
import { improvement } from "./improvement.ts";

const { uid, gid } = testUser();

describe("how it ends", () => {
  test.each([
    ["exit 0", 0],
    ["exit 1", 1],
    ["exit 42", 42],
    ["exit 255", 255],
  ])("%s", async (script, status) => {
    await using box = await sandbox();
    await container(box);
    expect(await box.enroot(["start", "box", "sh", "-c", script])).toEqual({
      status,
      signal: null,
      stdout: "",
      stderr: "",
    });
  });

  test("a command that is not there", async () => {
    await using box = await sandbox();
    await container(box);
    const result = await box.enroot(["start", "box", "no-such-command"]);
    expect(result.status).toBe(127);
    expect(result.stderr).toContain("no-such-command");
  });

  test("by its own signal", async () => {
    await using box = await sandbox();
    await container(box);
    expect(await box.enroot(["start", "box", "sh", "-c", "kill -9 $$"])).toMatchObject({
      status: null,
      signal: "SIGKILL",
    });
  });

  test.each(["SIGTERM", "SIGINT", "SIGUSR1"] as const)("by %s from outside", async (signal) => {
    await using box = await sandbox();
    await container(box);
    const running = box.start(["start", "box", "sh", "-c", "echo ready; exec sleep 1000"]);
    await until("the command", () => running.stdout() === "ready\n");
    await until("sleep", async () => (await readFile(`/proc/${running.pid}/comm`, "utf8")) === "sleep\n");
    running.kill(signal);
    expect(await running.exited).toMatchObject({ status: null, signal });
  });

  test("a signal that the command handles", async () => {
    await using box = await sandbox();
    await container(box);
    const script = "trap 'echo handled; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    const running = box.start(["start", "box", "sh", "-c", script]);
    await until("the command", () => running.stdout() === "ready\n");
    running.kill("SIGTERM");
    expect(await running.exited).toMatchObject({ status: 5, stdout: "ready\nhandled\n" });
  });
});

describe("what it is given", () => {
  test("arguments arrive as they are", async () => {
    await using box = await sandbox();
    await container(box);
    const args = ["", "a b", "--rw", "-h", "--", "é\n", "$HOME", "'\""];
    const script = 'for arg; do printf "%s|" "$arg"; done';
    const output = await box.ok(["start", "box", "sh", "-c", script, "sh", ...args]);
    expect(output).toBe(args.map((arg) => `${arg}|`).join(""));
    expect(await box.ok(["start", "--", "box", "echo", "--"])).toBe("--\n");
  });

  test("words that are no UTF-8, too", async () => {
    await using box = await sandbox();
    await container(box);
    const line = `exec "$0" start -e "A=$(printf '\\377é')" box \\
      sh -c 'printf "%s|" "$A" "$@"' sh "$(printf 'a\\300b')" é`;
    const result = await box.run(["bash", "-c", `{ ${line}; } | od -An -v -tx1 -w99`, enrootBinary()]);
    expect(result.stdout.trim()).toBe("ff c3 a9 7c 61 c0 62 7c c3 a9 7c");
  });

  improvement("bash enroot refuses them", "mounts of names that are no UTF-8, too", async () => {
    await using box = await sandbox();
    await container(box);
    const line = `touch "$(printf 'f\\351')"
      exec "$0" start -m "$(printf 'f\\351:/g\\351:x-create=file,bind')" box sh -c 'printf "%s|" /g*'`;
    const result = await box.run(["bash", "-c", `{ ${line}; } | od -An -v -tx1 -w99`, enrootBinary()]);
    expect(result.stdout.trim()).toBe("2f 67 e9 7c");
  });

  test("one argument with a space is a line for the shell", async () => {
    await using box = await sandbox();
    await container(box);
    expect(await box.ok(["start", "box", "echo $((1 + 1)) $0 $1", "one"])).toBe("2 sh one\n");
  });

  test("no command is a shell", async () => {
    await using box = await sandbox();
    await container(box);
    expect(await box.ok(["start", "box"], { stdin: "echo from $0\n" })).toBe("from -sh\n");
  });

  test("it is the process that the caller started", async () => {
    await using box = await sandbox();
    await container(box);
    const running = box.start(["start", "box", "sh", "-c", "echo $$"]);
    expect((await running.exited).stdout).toBe(`${running.pid}\n`);
  });

  test("standard input, output and error", async () => {
    await using box = await sandbox();
    await container(box);
    const result = await box.enroot(["start", "box", "sh", "-c", "cat; echo error >&2"], {
      stdin: "some text",
    });
    expect(result).toMatchObject({ status: 0, stdout: "some text", stderr: "error\n" });
  });

  test("the terminal", async () => {
    await using box = await sandbox();
    await container(box);
    const script = "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && : > /dev/tty && echo controlling";
    const result = await box.enroot(["start", "box", "sh", "-c", script], { tty: true });
    expect(result.stdout).toMatch(/^\/dev\/pts\/\d+\r\ncontrolling\r\n$/);
  });

  test("descriptors, and none of ours", async () => {
    await using box = await sandbox();
    await container(box);
    await writeFile(join(box.work, "file"), "through the descriptor\n");
    const script = 'exec 3< file 17< file; exec "$@"';
    const run = (command: string) =>
      box
        .ok(["version"])
        .then(() =>
          box.run(["bash", "-c", script, "bash", enrootBinary(), "start", "box", "sh", "-c", command]),
        );
    expect((await run("cat <&3; cat <&17")).stdout).toBe("through the descriptor\n".repeat(2));
    const listing = (await run("exec ls /proc/self/fd")).stdout;
    // 4: the directory that ls reads.
    expect(
      lines(listing)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual([0, 1, 2, 3, 4, 17]);
  });

  test("limits, umask, signal mask and dispositions, priority", async () => {
    await using box = await sandbox();
    await container(box);
    const facts =
      "umask; cut -d' ' -f19 /proc/self/stat; cat /proc/self/limits; grep '^Sig[BIC]' /proc/self/status";
    const setup = `trap '' USR1 PIPE; ulimit -Sn 333; ulimit -c 0; ulimit -Sv 9000000; umask 0123; renice -n 3 $$ > /dev/null 2>&1
      exec env --block-signal=USR2,WINCH "$@"`;
    const run = (command: readonly string[]) => box.run(["bash", "-c", setup, "bash", ...command]);
    const plain = await run(["busybox", "sh", "-c", facts]);
    const started = await run([enrootBinary(), "start", "box", "sh", "-c", facts]);
    expect(plain.stdout).toContain("0123");
    expect(started).toEqual(plain);
  });
});

describe("who it is", () => {
  test("the caller, one to one", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const text = await inside("id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups");
    expect(text.replaceAll(/ +/g, " ")).toBe(`${uid}\n${gid}\n ${uid} ${uid} 1\n ${gid} ${gid} 1\ndeny\n`);
  });

  test.each([
    [["--root"], {}],
    [["-r"], {}],
    [[], { ENROOT_REMAP_ROOT: "y" }],
  ])("root with %j %j", async (options, env) => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const text = await inside("id -u; id -g; cat /proc/self/uid_map; echo $USER $LOGNAME $HOME", options, {
      env,
    });
    expect(text.replaceAll(/ +/g, " ")).toBe(`0\n0\n 0 ${uid} 1\nroot enroot-test /root\n`);
  });

  test("without privileges, and no way to gain any", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const none = "0000000000000000";
    expect(lines(await inside("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status"))).toEqual([
      `CapInh:\t${none}`,
      `CapPrm:\t${none}`,
      `CapEff:\t${none}`,
      `CapBnd:\t${none}`,
      `CapAmb:\t${none}`,
      "NoNewPrivs:\t1",
      "Seccomp:\t2",
    ]);
    expect(await inside("grep -E '^NoNew' /proc/self/status", ["--root"])).toBe("NoNewPrivs:\t1\n");
  });

  test.each([[[]], [["--root"]]])(
    "changes of owner and of ids are accepted and ignored %j",
    async (options) => {
      await using box = await sandbox();
      const { inside } = await container(box);
      const script = "touch /file; chown 7:7 /file; chgrp 8 /file; busybox stat -c '%u %g' /file; id -u";
      const id = options.length > 0 ? 0 : uid;
      expect(await inside(script, ["--rw", ...options])).toBe(`${id} ${id === 0 ? 0 : gid}\n${id}\n`);
    },
  );

  test.each([[[]], [["--root"]]])("so are those that daemons make of themselves %j", async (options) => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const daemon =
      "cp /bin/busybox /tmp/id; start-stop-daemon -S -c nobody:nogroup -x /tmp/id -- -u; echo $?";
    const output = await inside(daemon, options);
    expect(output).toBe(`${options.length > 0 ? 0 : uid}\n0\n`);
  });

  test("in namespaces of its own, which a process outside can join", async () => {
    await using box = await sandbox();
    await container(box);
    const running = box.start(["start", "box", "sh", "-c", "echo ready; exec sleep 1000"]);
    await until("the command", () => running.stdout() === "ready\n");
    const same = async (name: string) =>
      (await readlink(`/proc/${running.pid}/ns/${name}`)) === (await readlink(`/proc/self/ns/${name}`));
    for (const name of ["user", "mnt", "cgroup"]) expect(await same(name)).toBe(false);
    for (const name of ["pid", "net", "ipc", "uts"]) expect(await same(name)).toBe(true);
    const join = ["nsenter", "--preserve-credentials", "-t", String(running.pid), "-U", "-C", "-m"];
    const joined = await box.run([...join, "/bin/busybox", "cat", "/etc/passwd"]);
    expect(joined.stdout).toContain(`enroot-test:x:${uid}:${gid}:`);
    running.kill("SIGKILL");
  });
});

improvement(
  "bash enroot writes /etc/passwd anew for each at the same time",
  "ten starts of one container at once",
  async () => {
    await using box = await sandbox();
    await container(box);
    const starts = Array.from({ length: 10 }, (_, index) =>
      box.ok(["start", "box", "sh", "-c", `grep -c ^enroot-test: /etc/passwd; echo ${index}`]),
    );
    expect(await Promise.all(starts)).toEqual(starts.map((_, index) => `1\n${index}\n`));
  },
);
