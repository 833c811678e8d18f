// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageConfig } from "../../../src/image/oci-config.ts";
import {
  addedFiles,
  renderEnvironment,
  renderFstab,
  renderRc,
  wantedDirectories,
  workingDirectory,
} from "../../../src/image/rootfs-files.ts";

const empty: ImageConfig = {
  architecture: "amd64",
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: "/",
  volumes: [],
  labels: new Map(),
  diffIds: [],
  created: undefined,
};

/** Words that a shell could take for something else. */
const hostile = [
  "",
  " ",
  "a b",
  "it's",
  "'",
  "''; touch owned; '",
  '"',
  "$(touch owned)",
  "`touch owned`",
  "${HOME}",
  "\\",
  "a\nb",
  "\n",
  "*",
  "~",
  "-n",
  "--",
  "#x",
  "a;b",
  "é文🚀",
  "\u0001\u007f\t",
];

/** Runs a command script as a shell does, with a program that prints its arguments in the image's words' place. */
function run(shell: string, rc: string, args: readonly string[]): { words: string[]; cwd: string } {
  const directory = mkdtempSync(join(tmpdir(), "enroot-rc."));
  try {
    writeFileSync(join(directory, "rc"), rc);
    const result = Bun.spawnSync([shell, join(directory, "rc"), ...args], { cwd: directory, stderr: "pipe" });
    expect(result.stderr.toString()).toBe("");
    expect([...new Bun.Glob("**/owned").scanSync(directory)]).toEqual([]);
    const [cwd = "", ...words] = result.stdout.toString().split("\0").slice(0, -1);
    return { words, cwd };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const printer = ["/bin/sh", "-c", 'printf "%s\\0" "$PWD" "$@"', "sh"];

describe.each(["dash", "bash"])("the command script in %s", (shell) => {
  test("passes every word as it is", () => {
    const rc = renderRc({ ...empty, entrypoint: [...printer, ...hostile], cmd: [...hostile] }, "docker://x");
    expect(run(shell, rc, []).words).toEqual([...hostile, ...hostile]);
    expect(run(shell, rc, hostile).words).toEqual([...hostile, ...hostile]);
    expect(run(shell, rc, ["other"]).words).toEqual([...hostile, "other"]);
  });

  test("without an entrypoint executes the arguments, or the command", () => {
    const rc = renderRc({ ...empty, cmd: [...printer, "default"] }, "docker://x");
    expect(run(shell, rc, []).words).toEqual(["default"]);
    expect(run(shell, rc, [...printer, "given"]).words).toEqual(["given"]);
  });

  test("labels and the URI are comments, whatever they hold", () => {
    const labels = new Map(
      hostile.map((word) => [`key${word}\r\ntouch owned`, `${word}\ntouch owned\r\ntouch owned`]),
    );
    const rc = renderRc({ ...empty, entrypoint: printer, labels }, "docker://x\ntouch owned");
    expect(run(shell, rc, []).words).toEqual([]);
    const lines = rc.split("\n");
    expect(lines[0]).toBe("# enroot-provenance: docker://x touch owned");
    expect(lines.slice(0, 1 + labels.size).every((line) => line.startsWith("# "))).toBe(true);
  });

  test("enters the working directory, whatever its name", () => {
    for (const word of hostile.filter((name) => name.trim() !== "" && !name.includes("/"))) {
      const place = join(mkdtempSync(join(tmpdir(), "enroot-work.")), word);
      const rc = renderRc({ ...empty, entrypoint: printer, workingDir: place }, "docker://x");
      expect(run(shell, rc, []).cwd).toBe(place);
      rmSync(join(place, ".."), { recursive: true });
    }
  });
});

test("nothing to execute is a shell", () => {
  expect(renderRc(empty, "docker://x")).toEndWith("exec '/bin/sh'\n");
});

test("a working directory is an absolute path in the container", () => {
  const paths = { "": "/", a: "/a", "/a/": "/a", "/a/../../b": "/b", "..": "/", "//a//b/.": "/a/b" };
  for (const [given, wanted] of Object.entries(paths))
    expect(workingDirectory({ ...empty, workingDir: given })).toBe(wanted);
});

test("an image has its working directory and its volumes", () => {
  const config = { ...empty, workingDir: "work", volumes: ["/data/", "/", "cache", "/data"] };
  expect(wantedDirectories(config)).toEqual(["/work", "/cache", "/data"]);
});

test("variables are lines; what a line cannot hold is left out", () => {
  const env = [
    "A=1",
    "B=",
    "C=a b=c",
    "none",
    "=x",
    "1=x",
    "D=a\nE=owned",
    "F=a\rb",
    "G=a\0b",
    "H=$(x) `y` ${Z}",
    "I='",
  ];
  expect(renderEnvironment({ ...empty, env })).toBe("A=1\nB=\nC=a b=c\nH=$(x) `y` ${Z}\nI='\n");
});

test("volumes are bind mounts inside the container", () => {
  const volumes = [
    "/b",
    "/a b",
    "c",
    "/",
    "..",
    "/../../etc",
    "/x\ny",
    "/${HOME}",
    "/#",
    "/back\\slash",
    "/a b/",
  ];
  const options = "none x-create=dir,bind,rw,nosuid,nodev";
  const paths = ["/\\043", "/\\044{HOME}", "/a\\040b", "/b", "/back\\134slash", "/c", "/etc", "/x\\012y"];
  expect(renderFstab({ ...empty, volumes })).toBe(
    paths.map((path) => `\${ENROOT_ROOTFS}${path} ${path} ${options}\n`).join(""),
  );
});

test("four files are added, readable by all", () => {
  const files = addedFiles(empty, "docker://x");
  expect(files.map(({ path, mode }) => [path, mode])).toEqual([
    ["etc/rc", 0o644],
    ["etc/rc.local", 0o644],
    ["etc/fstab", 0o644],
    ["etc/environment", 0o644],
  ]);
  expect(files[1]?.content).toMatch(/^(#.*\n)+$/);
});
