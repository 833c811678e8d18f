// SPDX-License-Identifier: Apache-2.0
// enroot-rootfs: what hooks read and change in a root file system, and roots that want to lead them astray.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { host } from "../harness/index.ts";
import { type Ended, openWorkshop, sanitizerStatus, type Workshop } from "./sanitized.ts";

let shop: Workshop;
beforeAll(() => {
  shop = openWorkshop();
}, 120_000);
afterAll(() => shop?.[Symbol.dispose]());

/** A fresh root that the user owns; `run` works on it. */
async function fresh(fill: (root: string) => void = () => undefined) {
  const root = mkdtempSync(join(shop.directory, "root."));
  fill(root);
  await host(["chown", "-hR", "enroot-test:", root]);
  const run = (args: readonly string[], stdin = ""): Ended => {
    const ended = shop.run(["enroot-rootfs", "--root", root, ...args], { stdin });
    expect(ended.status).not.toBe(sanitizerStatus);
    return ended;
  };
  const text = (path: string) => readFileSync(join(root, path), "utf8");
  return { root, run, text };
}

const good = { status: 0, stdout: "", stderr: "" };

describe("query", () => {
  test("what is there, what can be executed, what files hold", async () => {
    const { run } = await fresh((root) => {
      mkdirSync(join(root, "bin"));
      writeFileSync(join(root, "bin/x"), "", { mode: 0o755 });
      writeFileSync(join(root, "bin/y"), "text\n", { mode: 0o644 });
      symlinkSync("/bin/x", join(root, "link"));
      symlinkSync("/bin", join(root, "usr"));
    });
    const asked = ["-e", "/bin", "-e", "no", "-x", "/usr/x", "-x", "/link", "-x", "bin/y", "-x", "/bin"];
    expect(run(["query", ...asked, "-r", "/usr/y", "-r", "/none", "-r", "/bin", "-e", "../x"])).toEqual({
      ...good,
      stdout: ["yes", "", "yes", "yes", "", "", "text\n", "", "", "", ""].join("\x1e"),
    });
  });

  test("its own separator, and NUL, are taken out of files", async () => {
    const { run } = await fresh((root) => writeFileSync(join(root, "f"), "a\x1eb\0c"));
    expect(run(["query", "-r", "f"]).stdout).toBe("abc\x1e");
  });

  test("pipes and the like are not waited for", async () => {
    const { root, run } = await fresh();
    await host(["mkfifo", join(root, "pipe")]);
    expect(run(["query", "-r", "pipe", "-x", "pipe", "-e", "pipe"]).stdout).toBe("\x1e\x1eyes\x1e");
  });
});

describe("write", () => {
  test("makes what is missing, and replaces what is there", async () => {
    const { root, run, text } = await fresh();
    expect(run(["write", "/a/b/file"], "one\n")).toEqual(good);
    expect(text("a/b/file")).toBe("one\n");
    expect(statSync(join(root, "a/b/file")).mode & 0o777).toBe(0o644);
    expect(statSync(join(root, "a/b")).mode & 0o777).toBe(0o755);
    expect(run(["write", "a/b/file"], "")).toEqual(good);
    expect(text("a/b/file")).toBe("");
    expect(readdirSync(join(root, "a/b"))).toEqual(["file"]);
  });

  test("leaves a file alone that holds the text already", async () => {
    const { root, run } = await fresh((root) => writeFileSync(join(root, "f"), "same"));
    const before = lstatSync(join(root, "f"));
    expect(run(["write", "f"], "same")).toEqual(good);
    expect(lstatSync(join(root, "f"))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  });

  test("replaces a link instead of following it, follows those on the way inside", async () => {
    const { root, run, text } = await fresh((root) => {
      mkdirSync(join(root, "real"));
      symlinkSync("/real", join(root, "way"));
      symlinkSync(join(shop.directory, "outside"), join(root, "real/last"));
    });
    expect(run(["write", "/way/last"], "x")).toEqual(good);
    expect(lstatSync(join(root, "real/last")).isFile()).toBe(true);
    expect(text("real/last")).toBe("x");
    expect(readdirSync(shop.directory)).not.toContain("outside");
  });

  test.each(["/", ".", "..", "/a/", "a/..", "../x", "a/../../x"])("refuses %s", async (path) => {
    const { root, run } = await fresh();
    expect(run(["write", path], "x")).toMatchObject({ status: 1, stdout: "" });
    expect(readdirSync(join(root, "..")).filter((name) => name === "x")).toEqual([]);
  });

  test("a directory in its place is an error that leaves nothing", async () => {
    const { root, run } = await fresh((root) => mkdirSync(join(root, "d/e"), { recursive: true }));
    const { status, stderr } = run(["write", "/d"], "x");
    expect(status).toBe(1);
    expect(stderr).toMatch(/^\[ERROR\] Could not replace \/d in the container: .*\n$/);
    expect(readdirSync(root)).toEqual(["d"]);
  });
});

describe("link and mirror", () => {
  test("pairs of target and path", async () => {
    const { root, run } = await fresh((root) => writeFileSync(join(root, "old"), ""));
    expect(run(["link", "/proc/self/fd", "/dev/fd", "x y", "old"])).toEqual(good);
    expect(readlinkSync(join(root, "dev/fd"))).toBe("/proc/self/fd");
    expect(readlinkSync(join(root, "old"))).toBe("x y");
    const before = lstatSync(join(root, "old")).ino;
    expect(run(["link", "x y", "old"])).toEqual(good);
    expect(lstatSync(join(root, "old")).ino).toBe(before);
    expect(run(["link", "a", "b", "c"]).status).toBe(1);
  });

  test("a link of the host, with what it leads to", async () => {
    const { root, run, text } = await fresh();
    const source = mkdtempSync(join(shop.directory, "source."));
    chmodSync(source, 0o755);
    writeFileSync(join(source, "file"), "content");
    symlinkSync("file", join(source, "link"));
    expect(run(["mirror", join(source, "link")])).toEqual(good);
    expect(readlinkSync(join(root, source, "link"))).toBe("file");
    expect(text(join(source, "file"))).toBe("content");
    expect(run(["mirror", join(source, "file")]).status).toBe(1);
    symlinkSync("nothing", join(source, "dangling"));
    expect(run(["mirror", join(source, "dangling")])).toEqual(good);
    expect(readlinkSync(join(root, source, "dangling"))).toBe("nothing");
  });
});

describe("directory", () => {
  test("with what another one holds, and only once", async () => {
    const { root, run, text } = await fresh((root) => {
      mkdirSync(join(root, "from/sub"), { recursive: true });
      writeFileSync(join(root, "from/file"), "text", { mode: 0o640 });
      writeFileSync(join(root, "from/sub/x"), "", { mode: 0o755 });
      symlinkSync("/etc/shadow", join(root, "from/link"));
    });
    await host(["mkfifo", join(root, "from/pipe")]);
    expect(run(["directory", "/home/user", "750", "/from"])).toEqual(good);
    expect(readdirSync(join(root, "home/user")).sort()).toEqual(["file", "link", "sub"]);
    expect(statSync(join(root, "home/user")).mode & 0o777).toBe(0o750);
    expect(statSync(join(root, "home/user/file")).mode & 0o777).toBe(0o640);
    expect(text("home/user/file")).toBe("text");
    expect(readlinkSync(join(root, "home/user/link"))).toBe("/etc/shadow");
    writeFileSync(join(root, "from/later"), "");
    expect(run(["directory", "/home/user", "700", "/from"])).toEqual(good);
    expect(readdirSync(join(root, "home/user"))).not.toContain("later");
  });

  test("without a source, or with one that is not there", async () => {
    const { root, run } = await fresh();
    expect(run(["directory", "a", "700"])).toEqual(good);
    expect(run(["directory", "b", "700", "/none"])).toEqual(good);
    expect(readdirSync(root).sort()).toEqual(["a", "b"]);
    for (const mode of ["", "8", "1777", "x", "-1"]) expect(run(["directory", "c", mode]).status).toBe(1);
  });

  test("a source that a link leads out of the root is one inside", async () => {
    const { root, run } = await fresh((root) => symlinkSync("/etc", join(root, "skeleton")));
    expect(run(["directory", "home", "700", "/skeleton"])).toEqual(good);
    expect(readdirSync(join(root, "home"))).toEqual([]);
  });
});

test("a root that cannot be changed is left as it is, with a warning", async () => {
  const { root } = await fresh((root) => writeFileSync(join(root, "same"), "x"));
  const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
  const path = (name: string) => ["../../../../usr/bin/env", "sh", "-c", script, "sh", root, name];
  const run = (...args: string[]) =>
    shop.run([...path(join(shop.directory, "enroot-rootfs")), "--root", root, ...args], {
      stdin: "x",
      namespace: true,
    });
  expect(run("write", "/same")).toEqual(good);
  for (const args of [
    ["write", "/a/b"],
    ["write", "/b"],
    ["link", "x", "/l"],
    ["directory", "/d", "700"],
  ]) {
    const { status, stderr } = run(...args);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^\[WARN\] Could not .* in the container: Read-only file system\n$/);
  }
});

describe("the command line", () => {
  test.each([[[]], [["--help"]]])("help with %j", (args) => {
    const { status, stdout } = shop.run(["enroot-rootfs", ...args]);
    expect(status).toBe(0);
    expect(stdout).toStartWith("Usage: enroot-rootfs [--root DIR] OPERATION\n");
  });

  test.each([
    [["query"]],
    [["query", "-z", "x"]],
    [["write"]],
    [["write", "a", "b"]],
    [["remove", "a"]],
    [["link", "a"]],
  ])("usage with %j", async (args) => {
    const { run } = await fresh();
    const { status, stdout, stderr } = run(args);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toStartWith("Usage: ");
  });

  test("the root is ENROOT_ROOTFS by default", async () => {
    const { root, text } = await fresh();
    expect(shop.run(["enroot-rootfs", "write", "f"], { stdin: "x", env: { ENROOT_ROOTFS: root } })).toEqual(
      good,
    );
    expect(text("f")).toBe("x");
    const none = shop.run(["enroot-rootfs", "write", "f"]);
    expect(none).toMatchObject({ status: 1, stderr: "[ERROR] ENROOT_ROOTFS is not set\n" });
    const gone = shop.run(["enroot-rootfs", "--root", "/nowhere", "write", "f"]);
    expect(gone.stderr).toBe(
      "[ERROR] Could not open the root file system /nowhere: No such file or directory\n",
    );
  });
});
