// SPDX-License-Identifier: Apache-2.0
// ENROOT_ZFS_LAYER_CHAIN keeps each layer once, however many images have it.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, until } from "../harness/index.ts";
import { archive, type Member } from "../registry/archive.ts";
import { digestOf, type ScriptedImage, scriptedImage } from "../registry/scripted-image.ts";
import { answer, type ScriptedRegistry, serveImage } from "../registry/scripted-registry.ts";
import { lines, type Scene, scene } from "./scene.ts";

const shell = await readFile("/bin/busybox");
/** Bytes that do not compress. */
const large = 3_000_000;

const tools = ["sh", "cat"].map((name): Member => ({ name: `bin/${name}`, data: shell, mode: 0o755 }));
const base = [
  archive([{ name: "bin", flag: "5" }, ...tools]),
  archive([
    { name: "usr", flag: "5", mtime: 1_600_000_000 },
    { name: "usr/lib", flag: "5" },
    { name: "usr/lib/large", data: randomBytes(large) },
    { name: "lib", flag: "2", link: "usr/lib" },
    { name: "opaque", flag: "5" },
    { name: "opaque/hidden", data: "hidden" },
    { name: "gone", data: "gone" },
    { name: "kept", data: "kept" },
  ]),
];
/** Layers on top of the base that meet it in every way. */
const own = (name: string): Uint8Array =>
  archive([
    { name: "lib/added", data: name },
    { name: "opaque/.wh..wh..opq", data: "" },
    { name: "opaque/shown", data: name },
    { name: ".wh.gone", data: "" },
    { name: "also", flag: "1", link: "kept" },
    { name: "without/a/member", data: name },
  ]);

function imageOf(name: string, created: string): ScriptedImage {
  const tars = [...base, own(name)];
  const wholeConfig = {
    architecture: { x64: "amd64", arm64: "arm64" }[process.arch as string],
    os: "linux",
    created,
    config: { Env: [`NAME=${name}`], WorkingDir: "/work/here" },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
  };
  return scriptedImage(
    tars.map((tar) => ({ tar })),
    { wholeConfig },
  );
}

const images: Readonly<Record<string, ScriptedImage>> = {
  one: imageOf("one", "2024-01-02T03:04:05Z"),
  two: imageOf("two", "2025-06-07T08:09:10Z"),
};
/** Called with each blob that is asked for. */
let onBlob: (digest: string) => Promise<void> | undefined = () => undefined;
let registry: ScriptedRegistry;
let place: Scene;

beforeAll(async () => {
  registry = serveImage(images["one"] as ScriptedImage, async (asked) => {
    if (asked.kind === "blob") await onBlob(asked.reference);
    const tagged = images[asked.reference];
    if (tagged) return answer(tagged, { ...asked, reference: "latest" });
    return Object.values(images)
      .map((image) => answer(image, asked))
      .find(({ ok }) => ok);
  });
  place = await scene({ env: { ...registry.env, ENROOT_ZFS_LAYER_CHAIN: "y" } });
});
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  onBlob = () => undefined;
  // Cold at once, and nothing is live: whatever is done next takes all away.
  for (const name of lines(await place.box.ok(["list"]))) await place.box.ok(["remove", "-f", name]);
  const parents = [".templates", ".layers"].map((name) => `${place.store.dataset}/${name}`);
  for (const parent of parents)
    if ((await place.datasets()).includes(parent.slice(place.store.dataset.length + 1)))
      await host(["zfs", "destroy", "-R", parent]);
  await host(["sh", "-c", `rm -rf '${place.box.cache}'/*`]);
});

const load = (name: string, env: Record<string, string> = {}): Promise<string> =>
  place.box.ok(["load", "-n", name, `${registry.uri}:${name}`], { env });

const layers = async (): Promise<string[]> =>
  (await place.datasets()).flatMap((name) => /^\.layers\/([0-9a-f]{64})$/.exec(name)?.[1] ?? []);

const blobsAsked = (): number => registry.asked.filter(({ kind }) => kind === "blob").length;

/** Everything about every file, as far as a file system does not choose it. */
function listing(rootfs: string): Promise<string> {
  const script = `cd "$1"; find . ! -type d -printf '%p %y %m %T@ %n %l\\n' -o -printf '%p %y %m %T@\\n' | sort
find . -type f -print0 | sort -z | xargs -0 sha256sum`;
  return host(["sh", "-ec", script, "sh", rootfs]);
}

/** The same image in a store without layers: each file as the image in one piece has it. */
async function inOnePiece(name: string): Promise<string> {
  const data = join(place.box.root, `plain-${name}`);
  await load(name, { ENROOT_STORAGE_BACKEND: "dir", ENROOT_DATA_PATH: data });
  return listing(join(data, name));
}

test("a container is file by file what it is without layers", async () => {
  for (const name of ["one", "two"]) {
    await load(name);
    expect(await listing(join(place.box.data, name))).toBe(await inOnePiece(name));
    expect(await place.box.ok(["start", name, "sh", "-c", "echo $NAME; cat /usr/lib/added; pwd"])).toBe(
      `${name}\n${name}/work/here\n`,
    );
  }
});

test("layers that images have in common are stored, unpacked and fetched once", async () => {
  await load("one");
  expect(await layers()).toHaveLength(3);
  const before = blobsAsked();
  await load("two");
  expect(await layers()).toHaveLength(4);
  // Its configuration, and the layer that is its own.
  expect(blobsAsked() - before).toBe(2);
  const used = async (name: string): Promise<number> => Number(await place.property("used", name));
  const sizes = await Promise.all((await layers()).map((id) => used(`.layers/${id}`)));
  expect(sizes.filter((size) => size > large)).toHaveLength(1);
  for (const key of await place.templates()) expect(await used(`.templates/${key}`)).toBeLessThan(large / 10);
  expect(await used("two")).toBeLessThan(large / 10);
  await expectClones();
});

/** Each template is a clone of its top layer, and each layer of the one below. */
async function expectClones(): Promise<void> {
  const chain: string[] = [];
  let at = `.templates/${(await place.templates())[0]}`;
  for (;;) {
    const origin = await place.property("origin", at);
    if (origin === "-") break;
    at = origin.slice(place.store.dataset.length + 1).replace(/@done$/, "");
    chain.push(at);
    expect(await place.property("readonly", at)).toBe("on");
    expect(await place.property("mounted", at)).toBe("no");
  }
  expect(chain).toHaveLength(3);
  expect(chain.every((name) => name.startsWith(".layers/"))).toBe(true);
}

test("layers go with the last template that has them", async () => {
  await load("one");
  await load("two");
  const file = await image(place.box, busybox);
  const make = ["create", "-f", "-n", "other", file];
  await place.box.ok(["remove", "-f", "one"]);
  await place.box.ok(make, { env: { ENROOT_TEMPLATE_WARM_SECONDS: "0" } });
  expect(await layers()).toHaveLength(3);
  await place.box.ok(["remove", "-f", "two"]);
  await place.box.ok(make, { env: { ENROOT_TEMPLATE_WARM_SECONDS: "0" } });
  expect(await layers()).toEqual([]);
});

test("two images at once make each layer once", async () => {
  await Promise.all([load("one"), load("two")]);
  expect(await layers()).toHaveLength(4);
  await place.settled();
  for (const name of ["one", "two"])
    expect(await place.box.ok(["start", name, "cat", "/opaque/shown"])).toBe(name);
});

test("SIGKILL in the middle leaves nothing half-made", async () => {
  let reached = false;
  let release = (): void => undefined;
  const top = JSON.parse(Buffer.from((images["one"] as ScriptedImage).manifest).toString()).layers[2].digest;
  onBlob = (digest) => {
    if (digest !== top) return undefined;
    reached = true;
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  const child = place.box.start(["load", "-n", "one", `${registry.uri}:one`]);
  await until("the lower layers to be there", async () => reached && (await layers()).length === 2);
  child.kill("SIGKILL");
  await child.exited;
  release();
  onBlob = () => undefined;
  await load("one");
  expect((await layers()).length).toBe(3);
  await place.settled();
  expect(await place.box.ok(["start", "one", "cat", "/opaque/shown"])).toBe("one");
});
