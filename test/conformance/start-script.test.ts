// SPDX-License-Identifier: Apache-2.0
// /etc/rc, --rc and configuration scripts.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { chmod, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, type Sandbox, sandbox, until } from "../harness/index.ts";
import { container, lines, own } from "./container.ts";
import { improvement } from "./improvement.ts";

async function script(box: Sandbox, text: string, name = "conf"): Promise<string> {
  const path = join(box.work, name);
  await writeFile(path, text);
  await own(path);
  return path;
}

describe("the command script", () => {
  const rc = `echo "rc: $0: $*"; [ ! -s /etc/rc.local ] || . /etc/rc.local; [ $# -gt 0 ] && exec "$@"; exit 9\n`;

  test("gets the command and its arguments, and is the process itself", async () => {
    await using box = await sandbox();
    await container(box, { "etc/rc": rc });
    const running = box.start(["start", "box", "sh", "-c", "echo $$", "a b"]);
    expect(await running.exited).toMatchObject({
      status: 0,
      stdout: `rc: /etc/rc: sh -c echo $$ a b\n${running.pid}\n`,
    });
    expect((await box.enroot(["start", "box"])).status).toBe(9);
  });

  test("is run by the login shell, executable or not", async () => {
    await using box = await sandbox();
    const { rootfs } = await container(box, { "etc/rc": "#!/no/such/interpreter\necho by shell\n" });
    expect(await box.ok(["start", "box"])).toBe("by shell\n");
    await chmod(join(rootfs, "etc/rc"), 0o755);
    expect(await box.ok(["start", "box"])).toBe("by shell\n");
  });

  test("rc.local replaces the entrypoint when it executes the command", async () => {
    await using box = await sandbox();
    await container(box, { "etc/rc": rc, "etc/rc.local": 'exec "$@"\n' });
    expect(await box.ok(["start", "box", "echo", "hi"])).toBe("rc: /etc/rc: echo hi\nhi\n");
  });

  test("--rc takes the place of the image's", async () => {
    await using box = await sandbox();
    await container(box, { "etc/rc": "echo of the image\n" });
    await script(box, 'echo "mine: $*"\n', "my rc");
    expect(await box.ok(["start", "--rc", "my rc", "box", "a", "b c"])).toBe("mine: a b c\n");
  });

  test("--rc=/dev/stdin", async () => {
    await using box = await sandbox();
    await container(box);
    const line = `echo 'echo piped $1' | "$0" start --rc=/dev/stdin box x`;
    expect(await box.run(["bash", "-c", line, enrootBinary()])).toMatchObject({
      stdout: "piped x\n",
      stderr: "",
    });
  });

  test("--rc may be a descriptor or a named pipe", async () => {
    await using box = await sandbox();
    await container(box);
    const line = `exec 9< <(echo 'echo from fd'); "$0" start --rc /proc/self/fd/9 box
      mkfifo pipe; echo 'echo from pipe' > pipe & "$0" start --rc pipe box`;
    const result = await box.run(["bash", "-c", line, enrootBinary()]);
    expect(result).toMatchObject({ stdout: "from fd\nfrom pipe\n", stderr: "" });
  });
});

describe("the configuration script", () => {
  test("environ, mounts, hooks and rc, one shell for all", async () => {
    await using box = await sandbox();
    await container(box, { "etc/rc": "echo of the image\n" });
    await script(
      box,
      `count=0
top="$*"
environ() { count=$((count + 1)); echo "TOP=\${top}"; echo "WHO=\${WHO}"; }
mounts() { count=$((count + 1)); echo "tmpfs /scratch tmpfs x-create=dir"; }
hooks() { count=$((count + 1)); echo "hooks ran"; echo "COUNT=\${count}" >> "$ENROOT_ENVIRON"; : > "$ENROOT_ROOTFS/hooked"; }
rc() {
    # Quotes "and" $(substitutions) are the container's business.
    echo "\${TOP} \${WHO} \${COUNT} $*"
    touch /scratch/x && ls /scratch /hooked
}
`,
    );
    const output = await box.ok(["start", "--conf", "conf", "box", "a", "b c"], { env: { WHO: "caller" } });
    expect(output).toBe("a b c caller 2 a b c\n/hooked\n\n/scratch:\nx\n");
  });

  test("an empty one changes nothing", async () => {
    await using box = await sandbox();
    await container(box);
    await script(box, "");
    expect(await box.enroot(["start", "-c", "conf", "box", "echo", "hi"])).toMatchObject({
      stdout: "hi\n",
      stderr: "",
    });
  });

  test("directives are settings: they beat the environment, and options beat them", async () => {
    await using box = await sandbox();
    await container(box);
    await script(
      box,
      `#ENROOT_REMAP_ROOT=y
# ENROOT_ROOTFS_WRITABLE yes
#ENROOT_LOGIN_SHELL=\${SHELL_WANTED:-no}
#ENROOT_SITE_THING=$(echo computed)
environ() { echo "THING=$ENROOT_SITE_THING"; }
`,
    );
    const shell = ["sh", "-c", "id -u; touch /x && echo writable; echo $0 $THING ${LOGNAME-none}"];
    const env = { ENROOT_REMAP_ROOT: "n", ENROOT_LOGIN_SHELL: "y" };
    expect(await box.ok(["start", "-c", "conf", "box", ...shell], { env })).toBe(
      "0\nwritable\nsh computed none\n",
    );
    await script(box, "#ENROOT_REMAP_ROOT=no\n");
    expect(await box.ok(["start", "-c", "conf", "--root", "box", "id", "-u"])).toBe("0\n");
  });

  const reads = async (line: string): Promise<void> => {
    await using box = await sandbox();
    await container(box);
    await script(box, '#ENROOT_REMAP_ROOT=y\nenviron() { echo "A=from the script"; }\n');
    const result = await box.run(["bash", "-c", line, enrootBinary(), "id -u; echo $A"]);
    expect(result).toMatchObject({ stdout: "0\nfrom the script\n", stderr: "" });
  };

  test.each([
    ["its file", '"$0" start -c conf box sh -c "$1"'],
    ["a descriptor of a file", 'exec 3< conf; "$0" start -c /proc/self/fd/3 box sh -c "$1"'],
  ])("read from %s", (_, line) => reads(line));

  improvement.each("bash enroot takes no configuration script that is not a file with a name", [
    ["/dev/stdin", 'cat conf | "$0" start -c /dev/stdin box sh -c "$1"'],
    ["/dev/fd/0", 'cat conf | "$0" start -c /dev/fd/0 box sh -c "$1"'],
    ["/proc/self/fd/0", 'cat conf | "$0" start -c /proc/self/fd/0 box sh -c "$1"'],
    ["a process substitution", '"$0" start -c <(cat conf) box sh -c "$1"'],
    ["a descriptor of a deleted file", 'exec 14< conf; rm conf; "$0" start -c /dev/fd/14 box sh -c "$1"'],
    ["a named pipe", 'mkfifo pipe; cat conf > pipe & "$0" start -c pipe box sh -c "$1"'],
  ])("read from %s", (_, line) => reads(line));

  test("has the functions of common.sh", async () => {
    await using box = await sandbox();
    await container(box);
    await script(
      box,
      'hooks() { common::log INFO "called"; common::checkcmd sed; common::err "stopped"; }\n',
    );
    const result = await box.enroot(["start", "-c", "conf", "box", "true"]);
    expect(result.status).toBe(1);
    expect(lines(result.stderr).slice(0, 2)).toEqual(["[INFO] called", "[ERROR] stopped"]);
  });

  const failures: [text: string, name: string, status: number][] = [
    ["environ() { false; echo A=1; }", "environ", 1],
    ["hooks() { exit 7; }", "hooks", 7],
    ["mounts() { echo $UNSET_VARIABLE; }", "mounts", 1],
    ["rc() { true; }; exit 3", "rc", 3],
  ];

  test.each(failures)("a failing function stops the start: %s", async (text, _, status) => {
    await using box = await sandbox();
    await container(box);
    await script(box, text);
    const result = await box.enroot(["start", "-c", "conf", "box", "echo", "started"]);
    expect(result).toMatchObject({ status, stdout: "" });
  });

  improvement.each("bash enroot ends without a word", failures.slice(0, 3))(
    "a failing function is named: %s",
    async (text, name) => {
      await using box = await sandbox();
      await container(box);
      await script(box, text);
      const result = await box.enroot(["start", "-c", "conf", "box", "true"]);
      expect(result.stderr).toContain(`conf: ${name}() exited with return code`);
    },
  );

  improvement(
    "bash enroot starts it without mounts",
    "a function that exits with 0 is no success",
    async () => {
      await using box = await sandbox();
      await container(box);
      await script(box, "environ() { exit 0; }");
      const result = await box.enroot(["start", "-c", "conf", "box", "echo", "started"]);
      expect(result).toMatchObject({ status: 1, stdout: "" });
    },
  );

  test("is checked before anything is done", async () => {
    await using box = await sandbox();
    const { rootfs } = await container(box);
    await script(box, 'touch "$HOME/executed"\nhooks() { if; }\n');
    const result = await box.enroot(["start", "-c", "conf", "box", "true"]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(lines(result.stderr)).toEqual([
      expect.stringMatching(/^\[WARN\] .*conf: line 2: syntax error/),
      expect.stringMatching(/^\[WARN\] .*conf: line 2: `hooks/),
      expect.stringMatching(/^\[ERROR\] Invalid .*conf$/),
    ]);
    const after = await box.run(["ls", "-A", box.home, join(rootfs, "etc")]);
    expect(after.stdout).not.toContain("executed");
    expect(after.stdout).not.toContain("localtime");
  });

  test.each([["--conf"], ["--rc"]])("a missing file for %s", async (option) => {
    await using box = await sandbox();
    await container(box);
    const result = await box.enroot(["start", option, "nothing", "box", "true"]);
    expect(result).toMatchObject({
      status: 1,
      stderr: `[ERROR] No such file or directory: ${box.work}/nothing\n`,
    });
    expect((await box.enroot(["start", option, "/", "box", "true"])).status).toBe(1);
  });
});

test("the file may go once the command runs", async () => {
  await using box = await sandbox();
  await container(box);
  const path = await script(
    box,
    "environ() { echo A=1; }\nrc() { echo ready; read -r line; echo $A $line; }\n",
  );
  const running = box.start(["start", "-c", path, "box"], { stdin: "pipe" });
  await until("the command", () => running.stdout() === "ready\n");
  await rm(path);
  await running.write("go\n");
  expect((await running.exited).stdout).toBe("ready\n1 go\n");
});
