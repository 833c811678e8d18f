// SPDX-License-Identifier: Apache-2.0
// What an import makes of an image's configuration and layers, as a container sees it.
// Also with containers that are datasets.

import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host, type Sandbox, sandbox, testUser } from "../harness/index.ts";
import {
  type Compression,
  type Layer,
  type ScriptedImage,
  scriptedImage,
} from "../registry/scripted-image.ts";
import { serveImage } from "../registry/scripted-registry.ts";
import { lines } from "./container.ts";
import { busybox } from "./image.ts";
import { improvement } from "./improvement.ts";

let base: Uint8Array;

/** An archive of what a script makes in an empty directory. */
async function archive(script: string): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "enroot-layer."));
  try {
    const pack = `mkdir tree; cd tree; ${script}\ntar --owner=0 --group=0 -cf ../layer.tar .`;
    await host(["sh", "-euc", pack], { cwd: directory });
    return await readFile(join(directory, "layer.tar"));
  } finally {
    await host(["rm", "-rf", directory]);
  }
}

beforeAll(async () => {
  base = await archive(`${busybox}; for applet in printf pwd touch; do ln -s busybox bin/$applet; done`);
});

/** The configuration of an image, as its author writes it. */
type Config = Readonly<Record<string, unknown>>;

/** A sandbox with an imported image and a container of it, and what import was told. */
async function made(image: ScriptedImage): Promise<{ box: Sandbox; uri: string }> {
  await using registry = serveImage(image);
  const box = await sandbox({ env: registry.env });
  await box.ok(["import", "-o", "image.sqsh", registry.uri]);
  await box.ok(["create", "-n", "box", "image.sqsh"]);
  return { box, uri: registry.uri };
}

function imageOf(config: Config, layers: readonly Layer[]): ScriptedImage {
  return scriptedImage([{ tar: base }, ...layers], { config: { Env: ["PATH=/bin"], ...config } });
}

async function configured(config: Config, ...layers: Layer[]): Promise<{ box: Sandbox; uri: string }> {
  return made(imageOf(config, layers));
}

/** What unsquashfs lists of the file that import makes. */
async function listed(config: Config, ...layers: Layer[]): Promise<string[]> {
  await using registry = serveImage(imageOf(config, layers));
  // With datasets it would be a pointer.
  await using box = await sandbox({ env: registry.env, chosenStore: false });
  await box.ok(["import", "-o", "image.sqsh", registry.uri]);
  return lines(await host(["unsquashfs", "-lln", join(box.work, "image.sqsh")]));
}

async function file(box: Sandbox, name: string): Promise<string> {
  return readFile(join(box.data, "box", name), "utf8");
}

describe("the files of enroot's own", () => {
  test("/etc/environment has the variables", async () => {
    const { box } = await configured({ Env: ["PATH=/bin", "SPACES=a b  c", "EQUALS=a=b", "EMPTY="] });
    await using _ = box;
    expect(lines(await file(box, "etc/environment"))).toEqual([
      "PATH=/bin",
      "SPACES=a b  c",
      "EQUALS=a=b",
      "EMPTY=",
    ]);
    expect(await box.ok(["start", "box", "sh", "-c", 'echo "$SPACES,$EQUALS,$EMPTY."'])).toBe(
      "a b  c,a=b,.\n",
    );
  });

  test("/etc/fstab has a line for each volume, which can be written to", async () => {
    const tar = await archive("mkdir -p data var/lib/more");
    const { box } = await configured({ Volumes: { "/data": {}, "/var/lib/more": {} } }, { tar });
    await using _ = box;
    const line = (path: string) => `\${ENROOT_ROOTFS}${path} ${path} none x-create=dir,bind,rw,nosuid,nodev`;
    expect(lines(await file(box, "etc/fstab")).sort()).toEqual([line("/data"), line("/var/lib/more")].sort());
    const script = "touch /data/x /var/lib/more/y; ls /data /var/lib/more";
    expect(await box.ok(["start", "box", "sh", "-ec", script])).toBe("/data:\nx\n\n/var/lib/more:\ny\n");
  });

  improvement("bash enroot makes them for nobody to enter", "directories of volumes are made", async () => {
    const { box } = await configured({ Volumes: { "/not/there": {} } });
    await using _ = box;
    expect(await box.ok(["start", "box", "sh", "-ec", "touch /not/there/x; ls /not/there"])).toBe("x\n");
  });

  test("/etc/rc says where the image is from, and its labels", async () => {
    const labels = { "org.example.name": "a name", "org.example.text": "one\nexit 1\n# three" };
    const { box, uri } = await configured({ Labels: labels });
    await using _ = box;
    const rc = lines(await file(box, "etc/rc"));
    expect(rc.filter((line) => line.startsWith(`# enroot-provenance: ${uri}`))).toHaveLength(1);
    expect(rc).toContain("# org.example.name a name");
    expect(rc).toContain("# org.example.text one exit 1 # three");
    expect(await box.ok(["start", "box", "echo", "started"])).toBe("started\n");
  });

  test("/etc/rc.local is there, and does nothing until it is written", async () => {
    const { box } = await configured({ Cmd: ["sh", "-c", "echo $SITE"] });
    await using _ = box;
    expect(await file(box, "etc/rc.local")).toMatch(/^(#.*\n|\n)*$/);
    expect(await box.ok(["start", "box"])).toBe("\n");
    await box.run(["sh", "-c", "echo 'export SITE=here' > box/etc/rc.local"], { cwd: box.data });
    expect(await box.ok(["start", "box"])).toBe("here\n");
    await box.run(["sh", "-c", ": > box/etc/rc.local"], { cwd: box.data });
    expect(await box.ok(["start", "box"])).toBe("\n");
  });
});

describe("the command", () => {
  const say = ["sh", "-c", 'printf "<%s>" "$0" "$@"'];

  test.each<[string, Config, readonly string[], string]>([
    ["an entrypoint and a default", { Entrypoint: [...say, "e"], Cmd: ["c d"] }, [], "<e><c d>"],
    ["an entrypoint and arguments", { Entrypoint: [...say, "e"], Cmd: ["c"] }, ["a b", ""], "<e><a b><>"],
    ["an entrypoint alone", { Entrypoint: [...say, "e", "it's $HOME"] }, [], "<e><it's $HOME>"],
    ["a default alone", { Cmd: [...say, "c"] }, [], "<c>"],
    ["arguments instead of the default", { Cmd: ["false"] }, [...say, "a", "$b"], "<a><$b>"],
  ])("of %s", async (_name, config, args, expected) => {
    const { box } = await configured(config);
    await using _ = box;
    expect(await box.ok(["start", "box", ...args])).toBe(expected);
  });

  test("of neither is a shell", async () => {
    const { box } = await configured({});
    await using _ = box;
    expect(await box.ok(["start", "box"], { stdin: "echo in a shell\n" })).toBe("in a shell\n");
  });

  test("runs in the working directory, which is made", async () => {
    const config = { WorkingDir: "/not/there yet", Cmd: ["pwd"] };
    expect(await listed(config)).toContainEqual(expect.stringMatching(/ squashfs-root\/not\/there yet$/));
    const { box } = await configured(config);
    await using _ = box;
    expect(await box.ok(["start", "box"])).toBe("/not/there yet\n");
  });
});

describe("the layers", () => {
  test.each<[string, readonly Compression[]]>([
    ["gzip", ["gzip", "gzip"]],
    ["zstd", ["zstd", "zstd"]],
    ["no compression", ["none", "none"]],
    ["each in its own", ["gzip", "zstd", "none"]],
  ])("%s: the upper ones replace and delete", async (_name, compressions) => {
    const upper = await archive(
      "mkdir -p etc a; echo new > etc/file; : > a/.wh.gone; mkdir opaque; : > opaque/.wh..wh..opq; echo kept > opaque/new",
    );
    const lower = await archive(
      "mkdir -p etc a opaque; echo old > etc/file; echo x > a/gone; echo x > a/stays; echo x > opaque/old",
    );
    const archives = compressions.length === 2 ? [lower, upper] : [base, lower, upper];
    const image = scriptedImage(
      archives.map((tar, index) => ({ tar, compression: compressions[index] ?? "gzip" })),
    );
    const { box } = await made(image);
    await using _ = box;
    expect(await file(box, "etc/file")).toBe("new\n");
    expect((await box.run(["ls", "a", "opaque"], { cwd: join(box.data, "box") })).stdout).toBe(
      "a:\nstays\n\nopaque:\nnew\n",
    );
  });

  test("everything in the image is root's, and the caller's in a container", async () => {
    const tar = await archive("echo x > file; chown 7:8 file; mkdir dir; chmod 750 dir");
    expect((await listed({}, { tar })).join("\n")).not.toMatch(/ (?!0\/0 )\d+\/\d+ /);
    const { box } = await configured({}, { tar });
    await using _ = box;
    const { uid, gid } = testUser();
    const found = await box.run(["stat", "-c", "%u:%g %a", "box/file", "box/dir"], { cwd: box.data });
    expect(found.stdout).toBe(`${uid}:${gid} 644\n${uid}:${gid} 750\n`);
  });

  test("nothing of /dev is in the image", async () => {
    const tar = await archive(
      "mkdir -p dev/sub; echo x > dev/file; mknod dev/zero c 1 5; echo y > dev/sub/y",
    );
    expect((await listed({}, { tar })).filter((line) => /root\/dev\//.test(line))).toEqual([]);
  });
});
