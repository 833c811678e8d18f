// SPDX-License-Identifier: Apache-2.0
// The blob cache: what is used again, what is not believed, and what others may do to it.
import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import {
  chmod,
  link,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { type Result, type Sandbox, testUser, until } from "../harness/index.ts";
import { archive } from "./archive.ts";
import { errorLines, expectImport, expectRefusal, importIt, type Scene, scene } from "./fixture.ts";
import { scriptedImage } from "./scripted-image.ts";
import type { Asked, Script } from "./scripted-registry.ts";

const noise = randomBytes(3 << 20);
const tar = archive([
  { name: "greeting", data: "hello\n" },
  { name: "noise", data: noise },
]);
const image = scriptedImage([{ tar, compression: "none" }]);
const hex = createHash("sha256").update(tar).digest("hex");
const isLayer = ({ kind, reference }: Asked): boolean => kind === "blob" && reference === `sha256:${hex}`;
const layerRequests = ({ registry }: Scene): (string | null)[] =>
  registry.asked.filter(isLayer).map(({ request }) => request.headers.get("range"));
const directory = ({ cache }: Sandbox): string => `${cache}/blobs/sha256`;
const blobFile = (box: Sandbox): string => `${directory(box)}/${hex}`;
const partFile = (box: Sandbox): string => `${blobFile(box)}.${testUser().uid}.part`;

/** Answers ranges of the layer. */
const withRanges: Script = (asked) => {
  const range = isLayer(asked) ? asked.request.headers.get("range") : null;
  if (range === null) return undefined;
  const from = Number(/\d+/.exec(range)?.[0]);
  const headers = { "content-range": `bytes ${from}-${tar.length - 1}/${tar.length}` };
  return new Response(new Uint8Array(tar.subarray(from)), { status: 206, headers });
};

async function plant({ box }: Scene, path: string, data: Uint8Array): Promise<void> {
  await box.run(["sh", "-c", 'mkdir -p "${1%/*}"; cat > "$1"', "sh", path], { stdin: data });
}

async function again(here: Scene): Promise<void> {
  await here.box.run(["rm", "-f", "a.sqsh"]);
  await expectImport(here);
}

describe("a blob", () => {
  test("that is there is fetched no more", async () => {
    await using here = await scene(image);
    await expectImport(here);
    await here.box.run(["rm", "a.sqsh"]);
    expect((await expectImport(here)).stderr).toContain("Found all layers in cache");
    expect(layerRequests(here)).toHaveLength(1);
  });

  test("that others may write to is not for everybody to read", async () => {
    await using here = await scene(image);
    await expectImport(here);
    expect(((await stat(blobFile(here.box))).mode & 0o777).toString(8)).toBe("640");
    expect(((await stat(directory(here.box))).mode & 0o777).toString(8)).toBe("700");
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    ["changed", (path) => writeFile(path, randomBytes(tar.length))],
    ["cut short", (path) => writeFile(path, tar.subarray(0, 1000))],
    ["a directory", (path) => mkdir(path)],
    ["unreadable", (path) => writeFile(path, tar, { mode: 0o600 })],
    ["a link to another file", (path) => symlink("/etc/passwd", path)],
  ])("that is %s is fetched again", async (_, change) => {
    await using here = await scene(image);
    await expectImport(here);
    await rm(blobFile(here.box));
    await change(blobFile(here.box));
    await again(here);
    expect(layerRequests(here)).toHaveLength(2);
    await again(here);
    expect(layerRequests(here)).toHaveLength(2);
    expect(await readFile("/etc/passwd", "utf8")).toContain("root:");
  });

  test("of the original's cache, which keeps other bytes under the same name, is neither used nor changed", async () => {
    await using here = await scene(image);
    const old = `${here.box.cache}/${hex}`;
    await plant(here, old, Buffer.from("zstd of the layer"));
    await expectImport(here);
    expect(await readFile(old, "utf8")).toBe("zstd of the layer");
    expect(layerRequests(here)).toHaveLength(1);
  });
});

describe("a partial blob", () => {
  test("of a killed process is gone on with", async () => {
    let stall = true;
    await using here = await scene(image, (asked) => {
      if (!isLayer(asked) || !stall) return withRanges(asked);
      const half = new ReadableStream({
        start: (controller) => controller.enqueue(tar.subarray(0, 2 << 20)),
      });
      return new Response(half);
    });
    const child = here.box.start(["import", "-o", "a.sqsh", here.registry.uri]);
    await until(
      "some bytes on disk",
      async () =>
        (await Bun.file(partFile(here.box)).exists()) && Bun.file(partFile(here.box)).size >= 1 << 20,
    );
    child.kill("SIGKILL");
    await child.exited;
    expect(await Bun.file(blobFile(here.box)).exists()).toBeFalse();
    const { size } = Bun.file(partFile(here.box));
    stall = false;
    await again(here);
    expect(layerRequests(here)).toEqual([null, `bytes=${size}-`]);
    expect(await readdir(directory(here.box))).not.toContainEqual(expect.stringContaining("part"));
  });

  test("that is larger than the blob starts again", async () => {
    await using here = await scene(image, withRanges);
    await plant(here, partFile(here.box), Buffer.concat([tar, tar]));
    await expectImport(here);
    expect(layerRequests(here)).toEqual([null]);
  });

  test.each<[string, (victim: string, part: string) => Promise<void>]>([
    ["symbolic", (victim, part) => symlink(victim, part)],
    ["hard", (victim, part) => link(victim, part)],
  ])("that is a %s link is not written through", async (_, make) => {
    await using here = await scene(image);
    const victim = `${here.box.home}/victim`;
    await plant(here, victim, Buffer.from("mine"));
    await here.box.run(["mkdir", "-p", directory(here.box)]);
    await make(victim, partFile(here.box));
    await expectRefusal(here, /Could not write .*\.part/);
    expect(await readFile(victim, "utf8")).toBe("mine");
  });

  test("that nobody has touched for a week is swept, a newer one is not", async () => {
    await using here = await scene(image);
    const name = (digit: string): string =>
      `${directory(here.box)}/${digit.repeat(64)}.${testUser().uid}.part`;
    await plant(here, name("a"), Buffer.from("old"));
    await plant(here, name("b"), Buffer.from("new"));
    const old = Date.now() / 1000 - 8 * 86_400;
    await utimes(name("a"), old, old);
    await expectImport(here);
    expect(await Bun.file(name("a")).exists()).toBeFalse();
    expect(await Bun.file(name("b")).exists()).toBeTrue();
  });

  test("does not stay when the disk is full: says which directory, and what moves it", async () => {
    await using here = await scene(image);
    const { uid, gid } = testUser();
    const result = await here.box.enroot(["import", "-o", "a.sqsh", here.registry.uri], {
      prepare: `mount -t tmpfs -o size=1m,uid=${uid},gid=${gid},mode=700 tmpfs ${here.box.cache}`,
    });
    expect({ status: result.status, errors: errorLines(result) }).toEqual({
      status: 1,
      errors: [
        expect.stringMatching(
          /Could not write .*: no space left on device \(ENROOT_CACHE_PATH moves the cache\)/,
        ),
      ],
    });
    expect((await here.box.run(["ls", "-A"])).stdout).toBe("");
  });
});

describe("two at once", () => {
  test("fetch a blob once", async () => {
    const { promise: both, resolve } = Promise.withResolvers<void>();
    await using here = await scene(image, async ({ kind, count }) => {
      if (kind === "manifest" && count === 1) resolve();
      if (kind === "blob") await both;
      return undefined;
    });
    const results = await Promise.all(
      ["a.sqsh", "b.sqsh"].map((name) => here.box.enroot(["import", "-o", name, here.registry.uri])),
    );
    expect(results.map(({ status }) => status)).toEqual([0, 0]);
    expect(layerRequests(here)).toHaveLength(1);
  });

  test("without locks both end right", async () => {
    await using here = await scene(image);
    await here.box.run(["mkdir", "-p", `${here.box.cache}/blobs/locks/${hex.slice(0, 2)}.${testUser().uid}`]);
    const results = await Promise.all(
      ["a.sqsh", "b.sqsh"].map((name) => here.box.enroot(["import", "-o", name, here.registry.uri])),
    );
    expect(results.map(({ status }) => status)).toEqual([0, 0]);
    expect(await readdir(directory(here.box))).not.toContainEqual(expect.stringContaining("part"));
  });
});

describe("a cache that users share", () => {
  const asRoot = (here: Scene): Promise<Result> =>
    here.box.enroot(["import", "-o", `${here.box.root}/root.sqsh`, here.registry.uri], { user: "root" });

  test("is open to all of them, and each verifies for itself", async () => {
    await using here = await scene(image);
    await chmod(here.box.cache, 0o1777);
    expect((await asRoot(here)).status).toBe(0);
    expect(((await stat(directory(here.box))).mode & 0o7777).toString(8)).toBe("1777");
    await expectImport(here);
    await again(here);
    // Root's copy is not for this user to read, so there is a second one, and no third.
    expect(layerRequests(here)).toHaveLength(2);
    expect((await readdir(directory(here.box))).filter((name) => name.startsWith(hex)).sort()).toEqual([
      hex,
      `${hex}.${testUser().uid}`,
    ]);
  });

  test("may hold a forged blob, which is not believed", async () => {
    await using here = await scene(image);
    await chmod(here.box.cache, 0o1777);
    await mkdir(directory(here.box), { recursive: true });
    for (const path of [`${here.box.cache}/blobs`, directory(here.box)]) await chmod(path, 0o1777);
    await writeFile(blobFile(here.box), randomBytes(tar.length), { mode: 0o644 });
    await expectImport(here);
    expect(layerRequests(here)).toHaveLength(1);
  });

  test("whose blobs are used as they are, where they can be read", async () => {
    await using here = await scene(image);
    await chmod(here.box.cache, 0o1777);
    expect((await asRoot(here)).status).toBe(0);
    for (const name of await readdir(directory(here.box)))
      await chmod(`${directory(here.box)}/${name}`, 0o644);
    await expectImport(here);
    expect(layerRequests(here)).toHaveLength(1);
  });
});

test("a cache that cannot be made is an error", async () => {
  await using here = await scene(image);
  const result = await importIt(here, { ENROOT_CACHE_PATH: "/proc/nothing" });
  expect(errorLines(result)).toEqual([expect.stringContaining("ENROOT_CACHE_PATH")]);
});
