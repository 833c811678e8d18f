// SPDX-License-Identifier: Apache-2.0
// The functions that hooks of sites get from common.sh.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, type RunOptions, type Sandbox, sandbox, userName } from "../harness/index.ts";
import { lines } from "./container.ts";

async function libraryPath(box: Sandbox): Promise<string> {
  const path = /ENROOT_LIBRARY_PATH=(.*)/.exec(await box.ok(["info"]))?.[1];
  if (path === undefined) throw new Error("info does not say where common.sh is");
  return path;
}

/** Runs lines of a hook that has sourced common.sh, as strictly as existing hooks do. */
async function hook(box: Sandbox, text: string, options?: RunOptions) {
  const library = await libraryPath(box);
  const strict = 'set -euo pipefail; shopt -s lastpipe; source "${ENROOT_LIBRARY_PATH}/common.sh"; ';
  return box.run(["bash", "-c", strict + text], {
    ...options,
    env: { ENROOT_LIBRARY_PATH: library, ...options?.env },
  });
}

async function output(box: Sandbox, text: string, options?: RunOptions): Promise<string> {
  const result = await hook(box, text, options);
  expect(result).toMatchObject({ status: 0, stderr: "" });
  return result.stdout;
}

test("may be sourced twice", async () => {
  await using box = await sandbox();
  expect(await output(box, 'source "${ENROOT_LIBRARY_PATH}/common.sh"; echo again')).toBe("again\n");
});

describe("log and err", () => {
  test("lines go to stderr, with what printf %b understands", async () => {
    await using box = await sandbox();
    const text = `common::log INFO "an info" NL; common::log WARN 'two\\tparts'; common::log ERROR bad; common::log
      printf 'first\\nsecond\\n' | common::log WARN -; echo done`;
    const result = await hook(box, text);
    expect(result).toMatchObject({ status: 0, stdout: "done\n" });
    expect(lines(result.stderr)).toEqual([
      "[INFO] an info",
      "[WARN] two\tparts",
      "[ERROR] bad",
      "[WARN] first",
      "[WARN] second",
    ]);
  });

  test("err ends the hook", async () => {
    await using box = await sandbox();
    expect(await hook(box, 'common::err "no good"; echo on')).toEqual({
      status: 1,
      signal: null,
      stdout: "",
      stderr: "[ERROR] no good\n",
    });
  });

  test("in colour on a terminal", async () => {
    await using box = await sandbox();
    const result = await hook(box, "common::log WARN text", { tty: true });
    expect(result.stdout).toMatch(/\[33m\[WARN\].*text/);
  });
});

describe("checks", () => {
  test.each([
    ["common::checkcmd bash sed; echo ok", 0, "ok\n", ""],
    ["common::checkcmd bash no-such-command", 1, "", "[ERROR] Command not found: no-such-command\n"],
    ["common::chdir /usr; pwd", 0, "/usr\n", ""],
    ["common::chdir /nowhere", 1, "", "[ERROR] Could not change directory: /nowhere\n"],
    ["common::debarch x86_64; common::debarch aarch64; common::debarch ppc64le", 0, "amd64arm64ppc64le", ""],
    ["common::debarch vax", 1, "", "[ERROR] Unsupported architecture: vax\n"],
    [
      "path=$(common::realpath /nowhere/at/all); echo on",
      1,
      "",
      "[ERROR] No such file or directory: /nowhere/at/all\n",
    ],
    ['common::jq -r .a <<< \'{"a": "b"}\'', 0, "b\n", ""],
    ["common::jq . <<< 'no json'", 1, "", "[ERROR] Could not process JSON input\n"],
  ])("%s", async (text, status, stdout, stderr) => {
    await using box = await sandbox();
    expect(await hook(box, text)).toEqual({ status, signal: null, stdout, stderr });
  });
});

describe("paths", () => {
  test("realpath and mountpoint", async () => {
    await using box = await sandbox();
    await mkdir(join(box.work, "dir"));
    await symlink("dir", join(box.work, "link"));
    expect((await output(box, 'p=$(common::realpath link); printf "%s" "$p"')).trim()).toBe(
      `${box.work}/dir`,
    );
    expect(await output(box, "common::mountpoint /proc/self/net")).toBe("/proc");
    const mounted = (await host(["findmnt", "-n", "-o", "TARGET", "-T", box.work])).trim();
    expect(await output(box, "common::mountpoint link")).toBe(mounted);
  });

  test("mktmpdir is for the caller alone, in ENROOT_TEMP_PATH", async () => {
    await using box = await sandbox();
    const path = (await output(box, "common::mktmpdir site")).trim();
    expect(path).toMatch(new RegExp(`^${box.temp}/site\\.\\w{10}$`));
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  test("rmall deletes what has no permissions, and not what links lead to", async () => {
    await using box = await sandbox();
    await writeFile(join(box.work, "kept"), "");
    const text = `mkdir -p tree/a/b; touch tree/a/b/c; ln -s ../kept tree/link; chmod 000 tree/a/b tree/a tree
      common::rmall tree; ls; common::rmall not-there; echo ok`;
    expect(await output(box, text)).toBe("kept\nok\n");
  });

  test("fixperms lets the owner in", async () => {
    await using box = await sandbox();
    const text = `mkdir -p tree/a; touch tree/a/f tree/x; chmod 555 tree/a; chmod 000 tree/a/f; chmod 0111 tree/x
      chmod 000 tree/a; common::fixperms tree; stat -c '%a %n' tree/a tree/a/f tree/x`;
    expect(await output(box, text)).toBe("700 tree/a\n400 tree/a/f\n511 tree/x\n");
  });
});

describe("environment files", () => {
  test("envsubst", async () => {
    await using box = await sandbox();
    await writeFile(join(box.work, "f"), "A=${X}${UNSET}-${X} $X ${X-y} \\\\ &\n# ${X}\nlast ${X}");
    const text = "common::envsubst f; common::envsubst not-there";
    expect(await output(box, text, { env: { X: "a&\\b" } })).toBe(
      "A=a&\\b-a&\\b $X ${X-y} \\\\ &\n# a&\\b\nlast a&\\b\n",
    );
  });

  test("envfmt", async () => {
    await using box = await sandbox();
    const before = "  A=1\n#B=1\n\nnot one\nENROOT_C=1\nD='x y' \nE=\"z\"\n1F=1\nG=\n_H=a=b\nI='open\n";
    await writeFile(join(box.work, "f"), before);
    expect(await output(box, "common::envfmt f; cat f")).toBe("A=1\nD=x y\nE=z\nG=\n_H=a=b\nI='open\n");
  });
});

describe("the rest", () => {
  test("getpwent and getgrent tell of the caller, in a user namespace as hooks are", async () => {
    await using box = await sandbox();
    const text = 'source "$0/common.sh"; common::getpwent; common::getgrent';
    const hook = ["unshare", "--map-root-user", "bash", "-c", text, await libraryPath(box)];
    expect((await box.run(hook)).stdout).toBe(
      (await host(["getent", "passwd", userName])) + (await host(["getent", "group", userName])),
    );
  });

  test("runparts", async () => {
    await using box = await sandbox();
    await mkdir(join(box.work, "d"));
    await mkdir(join(box.work, "empty"));
    for (const [name, text] of [
      ["b.sh", "#!/bin/sh\necho b\n"],
      ["a.sh", "#!/bin/sh\necho a\n"],
    ] as const)
      await writeFile(join(box.work, "d", name), text, { mode: 0o755 });
    await writeFile(join(box.work, "d/c.sh"), "#!/bin/sh\necho c\n", { mode: 0o644 });
    await writeFile(join(box.work, "d/x.txt"), "");
    const text = "common::runparts list .sh d; common::runparts exec .sh d; common::runparts list .sh empty";
    expect(await output(box, text)).toBe("d/a.sh\nd/b.sh\nd/c.sh\na\nb\n");
    await writeFile(join(box.work, "d/a.sh"), "#!/bin/sh\nexit 4\n");
    const failed = await hook(box, "common::runparts exec .sh d");
    expect(failed).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "[ERROR] d/a.sh exited with return code 4\n",
    });
  });

  test("read and readstrarray", async () => {
    await using box = await sandbox();
    const text = `common::read -r a b < /dev/null; echo "[$a$b]"; echo "1 2 3" | common::read -r a b; echo "$a|$b"
      x=(); common::readstrarray x ""; echo \${#x[@]}; common::readstrarray x $'a b\\nc'; echo "\${#x[@]} \${x[0]}"`;
    expect(await output(box, text)).toBe("[]\n1|2 3\n0\n2 a b\n");
  });
});
