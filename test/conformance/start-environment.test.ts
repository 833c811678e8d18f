// SPDX-License-Identifier: Apache-2.0
// The container's environment: image, system directories, user directories, configuration script, command line.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, type Sandbox, sandbox } from "../harness/index.ts";
import { container, lines, sysconf } from "./container.ts";
import { improvement } from "./improvement.ts";

/** The environment that a start gives its command, less what logging in adds. */
async function environment(
  box: Sandbox,
  options: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<string[]> {
  const added = /^(HOME|SHELL|USER|LOGNAME|TERM|PWD|OLDPWD|SHLVL)=/;
  const text = await box.ok(["start", ...options, "box", "env"], { env });
  return lines(text)
    .filter((line) => !added.test(line))
    .sort();
}

async function userFile(box: Sandbox, path: string, text: string): Promise<void> {
  await mkdir(join(box.config, path, ".."), { recursive: true });
  await writeFile(join(box.config, path), text);
}

test("nothing of the caller's but what is asked for", async () => {
  await using box = await sandbox();
  await container(box);
  const env = {
    SECRET: "1",
    LD_PRELOAD: "/none",
    LC_ALL: "C",
    ENROOT_X: "1",
    NVIDIA_VISIBLE_DEVICES: "void",
  };
  expect(await environment(box, [], env)).toEqual(["PATH=/bin"]);
});

test("TERM is kept", async () => {
  await using box = await sandbox();
  const { inside } = await container(box);
  expect(await inside("echo $TERM", [], { env: { TERM: "my-terminal" } })).toBe("my-terminal\n");
});

test("later levels win", async () => {
  await using box = await sandbox();
  const level = (number: number) =>
    [1, 2, 3, 4, 5].map((name) => (name >= number ? `L${name}=${number}\n` : "")).join("");
  await container(box, { "etc/environment": `PATH=/bin\n${level(1)}` });
  const system = await sysconf(box, { "environ.d/20-b.env": level(2), "environ.d/10-a.env": "L2=earlier\n" });
  await userFile(box, "environ.d/05-c.env", level(3));
  await writeFile(join(box.work, "conf"), `environ() { printf '${level(4).replaceAll("\n", "\\n")}'; }\n`);
  const options = ["--conf", "conf", "-e", "L5=5", "--env=L6=6"];
  expect(await environment(box, options, { ENROOT_SYSCONF_PATH: system })).toEqual([
    "L1=1",
    "L2=2",
    "L3=3",
    "L4=4",
    "L5=5",
    "L6=6",
    "PATH=/bin",
  ]);
});

test("variables of the caller are substituted, at every level of files", async () => {
  await using box = await sandbox();
  await container(box, { "etc/environment": "PATH=/bin\nIMAGE=[${A}][${UNSET}][$A][${A-x}]${A}\n" });
  const system = await sysconf(box, { "environ.d/1.env": "SYSTEM=${A}\n" });
  await userFile(box, "environ.d/1.env", "USER_FILE=${A}\n");
  const env = { ENROOT_SYSCONF_PATH: system, A: "a $(id) `id` \\ ${PATH}" };
  expect(await environment(box, ["-e", "LINE=${A}"], env)).toEqual(
    [
      `IMAGE=[${env.A}][][$A][\${A-x}]${env.A}`,
      "LINE=${A}",
      "PATH=/bin",
      `SYSTEM=${env.A}`,
      `USER_FILE=${env.A}`,
    ].sort(),
  );
});

test("lines that are no variables are dropped, one pair of quotes is taken off", async () => {
  await using box = await sandbox();
  const text = [
    "PATH=/bin",
    "# comment=1",
    "  \tINDENTED=1",
    "no equals sign",
    "1A=1",
    "A-B=1",
    "A B=1",
    "=1",
    "",
    "ENROOT_ROOTFS=/",
    "ENROOT_REMAP_ROOT=y",
    'DOUBLE="a b" ',
    "SINGLE='a b'",
    'HALF="x',
    "EMPTY=",
    'EMPTY_QUOTES=""',
    "EQUALS=a=b=c",
    "HASH=a # b",
    "export X=1",
    "LAST=no newline",
  ].join("\n");
  await container(box, { "etc/environment": text });
  expect(await environment(box)).toEqual([
    "DOUBLE=a b",
    "EMPTY=",
    "EMPTY_QUOTES=",
    "EQUALS=a=b=c",
    'HALF="x',
    "HASH=a # b",
    "INDENTED=1",
    "LAST=no newline",
    "PATH=/bin",
    "SINGLE=a b",
  ]);
});

improvement("bash enroot takes off one of each kind", "one pair of quotes and no more", async () => {
  await using box = await sandbox();
  await container(box, { "etc/environment": "PATH=/bin\nTWICE='\"x\"'\n" });
  expect(await environment(box)).toEqual(["PATH=/bin", 'TWICE="x"']);
});

describe("--env", () => {
  test("a name alone takes the caller's value, also of variables that the engine must not see", async () => {
    await using box = await sandbox();
    await container(box);
    const env = { A: "a b", NODE_ENV: "production", BUN_X: "1" };
    const options = ["-e", "A", "-e", "NODE_ENV", "--env", "BUN_X", "-e", "UNSET"];
    expect(await environment(box, options, env)).toEqual([
      "A=a b",
      "BUN_X=1",
      "NODE_ENV=production",
      "PATH=/bin",
      "UNSET=",
    ]);
  });

  improvement("bash enroot takes them for more", "further lines are no variables", async () => {
    await using box = await sandbox();
    await container(box);
    const env = { LINES_: "one\nB=2" };
    expect(await environment(box, ["-e", "LINES_"], env)).toEqual(["LINES_=one", "PATH=/bin"]);
  });

  test("the last one wins, ENROOT_ is ours", async () => {
    await using box = await sandbox();
    await container(box);
    const options = ["-e", "A=1", "-e", "A=2=3", "-e", "ENROOT_A=1", "-e", "Q='x'"];
    expect(await environment(box, options)).toEqual(["A=2=3", "PATH=/bin", "Q=x"]);
  });

  test.each(["1A=x", "=x", "A-B", "A B=1", " A=1"])("refuses %j", async (value) => {
    await using box = await sandbox();
    await container(box);
    const result = await box.enroot(["start", "-e", value, "box", "true"]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(lines(result.stderr)).toEqual([expect.stringMatching(/^\[ERROR\] Invalid argument: /)]);
  });
});

describe("logging in", () => {
  const defaults =
    "UMASK 027\nENV_PATH PATH=/bin:/login\nENV_SUPATH /root-bin:/bin\nMAIL_CHECK_ENAB yes\nMAIL_DIR /var/spool\n";

  test("gives the user's own variables and umask, and goes home", async () => {
    await using box = await sandbox();
    const { inside } = await container(box, { "etc/environment": "", "etc/login.defs": defaults });
    const text = await inside("echo $HOME $SHELL $USER $LOGNAME $PATH $MAIL; umask; pwd");
    expect(text).toBe(
      "/home/enroot-test /bin/sh enroot-test enroot-test /bin:/login /var/spool/enroot-test\n0027\n/home/enroot-test\n",
    );
    const root = await inside("echo $HOME $USER $LOGNAME $PATH; pwd", ["--root"]);
    expect(root).toBe("/root root enroot-test /root-bin:/bin\n/root\n");
  });

  test("changes nothing that the environment says", async () => {
    await using box = await sandbox();
    const { inside } = await container(box, { "etc/login.defs": defaults });
    expect(await inside("echo $HOME $PATH $USER", ["-e", "HOME=/", "-e", "USER=me"])).toBe("/ /bin me\n");
  });

  test("is left out with ENROOT_LOGIN_SHELL=no", async () => {
    await using box = await sandbox();
    const { inside } = await container(box, { "etc/login.defs": defaults });
    const text = await inside("echo ${HOME-unset} ${USER-unset} $0; umask; pwd", [], {
      env: { ENROOT_LOGIN_SHELL: "no" },
    });
    expect(text).toBe("unset unset sh\n0022\n/\n");
  });

  test("a home that is not there stops it, unless login.defs allows that", async () => {
    await using box = await sandbox();
    const { inside } = await container(box, { "etc/login.defs": "DEFAULT_HOME yes\n" });
    expect(await inside("pwd", ["-e", "HOME=/gone"])).toBe("/\n");
    await writeFile(join(box.data, "box/etc/login.defs"), "");
    const result = await box.enroot(["start", "-e", "HOME=/gone", "box", "true"]);
    expect(result.stderr).toMatch(/^[^\n]*directory[^\n]*\/gone: No such file or directory\n$/);
    expect(result.status).toBe(1);
  });
});

test("variables that steer the engine's runtime have no effect, and hooks see them as the caller had them", async () => {
  await using box = await sandbox();
  await container(box);
  await writeFile(join(box.work, "preload.js"), 'console.log("HIJACKED")\n');
  await writeFile(join(box.work, "bunfig.toml"), 'preload = ["./preload.js"]\n');
  await writeFile(join(box.work, ".env"), "ENROOT_REMAP_ROOT=y\n");
  const system = await sysconf(box, {
    "hooks.d/1.sh": '#!/bin/sh\necho "$BUN_OPTIONS" >> "$ENROOT_ROOTFS/seen"\n',
  });
  const env = {
    BUN_OPTIONS: "--preload=./preload.js",
    BUN_BE_BUN: "1",
    NODE_OPTIONS: "--require=./preload.js",
    ENROOT_SYSCONF_PATH: system,
  };
  const result = await box.run([enrootBinary(), "start", "box", "sh", "-c", "id -u; cat /seen"], { env });
  expect(result.stdout).toMatch(/^\d{3,}\n--preload=\.\/preload\.js\n$/);
});
