// SPDX-License-Identifier: Apache-2.0
// Images of a registry on the ZFS store: import makes a template and a small file that points to it.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host } from "../harness/index.ts";
import { archive } from "../registry/archive.ts";
import { digestOf, type ScriptedImage, scriptedImage } from "../registry/scripted-image.ts";
import { answer, type ScriptedRegistry, serveImage } from "../registry/scripted-registry.ts";
import { lines, refusal, type Scene, scene } from "./scene.ts";

const shell = await readFile("/bin/busybox");

function imageOf(text: string): ScriptedImage {
  const tools = ["sh", "cat"].map((name) => ({ name: `bin/${name}`, data: shell, mode: 0o755 }));
  return scriptedImage([
    { tar: archive([{ name: "bin", flag: "5" }, ...tools]) },
    { tar: archive([{ name: "greeting", data: text }]) },
  ]);
}

const original = imageOf("hello\n");
let published: ScriptedImage;
let registry: ScriptedRegistry;
let place: Scene;
/** The template's key: what the manifest calls the configuration. */
const keyOf = (image: ScriptedImage): string =>
  (JSON.parse(Buffer.from(image.manifest).toString()) as { config: { digest: string } }).config.digest.slice(
    7,
  );

beforeAll(async () => {
  published = original;
  registry = serveImage(original, (asked) => answer(published, asked));
  place = await scene({ env: { ...registry.env } });
});
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

const layersAsked = (): number => {
  const manifest = JSON.parse(Buffer.from(original.manifest).toString()) as { layers: { digest: string }[] };
  const layers = manifest.layers.map(({ digest }) => digest);
  return registry.asked.filter(({ reference }) => layers.includes(reference)).length;
};

describe("import", () => {
  test("writes a pointer file and makes the template", async () => {
    await place.box.ok(["import", "-o", "image.sqsh", registry.uri]);
    const file = join(place.box.work, "image.sqsh");
    const text = await readFile(file, "utf8");
    expect((await stat(file)).size).toBeLessThan(1024);
    const [first, ...rest] = lines(text);
    expect(first).toBe("enroot-zfs-image:v1");
    expect(rest.map((line) => line.replace(/=.*/, ""))).toEqual([
      "image-config-sha256",
      "manifest-digest",
      "arch",
      "uri",
      "imported",
    ]);
    expect(text).toContain(`image-config-sha256=${keyOf(original)}\n`);
    expect(text).toContain(`manifest-digest=${digestOf(original.manifest)}\n`);
    expect(text).toContain(`uri=docker://${registry.name}#test/image`);
    expect(await place.templates()).toEqual([keyOf(original)]);
  });

  test("records where the image came from", async () => {
    const name = `.templates/${keyOf(original)}`;
    expect(await place.property("enroot:uri", name)).toContain(`docker://${registry.name}`);
    expect(await place.property("enroot:manifest-digest", name)).toBe(digestOf(original.manifest));
    expect(await place.property("enroot:arch", name)).toMatch(/^(amd64|arm64)$/);
  });

  test("of an image that is there fetches no layer and extracts nothing", async () => {
    await host(["rm", "-rf", place.box.cache]);
    await place.box.run(["mkdir", place.box.cache], { user: "root" });
    await host(["chown", "--reference", place.box.home, place.box.cache]);
    const before = layersAsked();
    const result = await place.box.enroot(["import", "-o", "again.sqsh", registry.uri]);
    expect(result.status).toBe(0);
    expect(result.stderr).not.toContain("Loading");
    expect(layersAsked()).toBe(before);
    expect(await place.templates()).toHaveLength(1);
  });

  test.each([
    ["--format squashfs", ["--format", "squashfs"], {}],
    ["ENROOT_ZFS_IMPORT_FORMAT", [], { ENROOT_ZFS_IMPORT_FORMAT: "squashfs" }],
  ])("makes a real squashfs file with %s", async (name, options, env) => {
    const file = `${name.replaceAll(/\W/g, "")}.sqsh`;
    await place.box.ok(["import", ...options, "-o", file, registry.uri], { env });
    expect(await host(["unsquashfs", "-cat", join(place.box.work, file), "greeting"])).toBe("hello\n");
  });

  test("refuses a format that there is not", async () => {
    const env = { ENROOT_ZFS_IMPORT_FORMAT: "tar" };
    expect(refusal(await place.box.enroot(["import", registry.uri], { env }))).toContain(
      "ENROOT_ZFS_IMPORT_FORMAT",
    );
  });

  test("does not overwrite a file", async () => {
    expect(refusal(await place.box.enroot(["import", "-o", "image.sqsh", registry.uri]))).toContain(
      "already exists",
    );
  });
});

describe("create of a pointer file", () => {
  test("clones the template without asking the registry", async () => {
    const before = registry.asked.length;
    const result = await place.box.enroot(["create", "-n", "box", "image.sqsh"]);
    expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(registry.asked.length).toBe(before);
    expect(await place.box.ok(["start", "box", "cat", "/greeting"])).toBe("hello\n");
    await place.box.ok(["remove", "-f", "box"]);
  });

  test("fetches the image again when its template is gone", async () => {
    await host(["zfs", "destroy", "-r", `${place.store.dataset}/.templates/${keyOf(original)}`]);
    await place.box.ok(["create", "-n", "box", "image.sqsh"]);
    expect(await place.box.ok(["start", "box", "cat", "/greeting"])).toBe("hello\n");
    expect(await place.templates()).toEqual([keyOf(original)]);
    await place.box.ok(["remove", "-f", "box"]);
  });

  test("refuses another image under the same tag", async () => {
    await host(["zfs", "destroy", "-r", `${place.store.dataset}/.templates/${keyOf(original)}`]);
    published = imageOf("changed\n");
    const words = refusal(await place.box.enroot(["create", "-n", "box", "image.sqsh"]));
    published = original;
    expect(words).toContain("is another image than when");
    expect(words).toContain("delete the file and import again");
    expect(await place.templates()).toEqual([]);
    expect(await place.box.ok(["list"])).toBe("");
  });

  test("refuses a file that is not quite one", async () => {
    const file = join(place.box.work, "image.sqsh");
    await writeFile(
      join(place.box.work, "odd.sqsh"),
      (await readFile(file, "utf8")).replace(/arch=.*/, "arch=../x"),
    );
    expect(refusal(await place.box.enroot(["create", "odd.sqsh"]))).toContain("Invalid pointer file");
  });

  test("is refused by a store of plain directories", async () => {
    const env = { ENROOT_STORAGE_BACKEND: "dir", ENROOT_DATA_PATH: join(place.box.root, "plain") };
    expect(refusal(await place.box.enroot(["create", "image.sqsh"], { env }))).toContain(
      "Only the ZFS store can use",
    );
    expect(existsSync(join(place.box.root, "plain/image"))).toBe(false);
  });
});

test("start of a pointer file runs the image", async () => {
  expect(await place.box.ok(["start", "./image.sqsh", "cat", "/greeting"])).toBe("hello\n");
  await place.settled();
});

test("load uses the template that an import has made, and needs no overlay", async () => {
  const before = layersAsked();
  await place.box.ok(["load", "-n", "loaded", registry.uri], { env: { ENROOT_NATIVE_OVERLAYFS: "n" } });
  expect(layersAsked()).toBe(before);
  expect(await place.property("origin", "loaded")).toContain(keyOf(original));
  expect(await place.box.ok(["start", "loaded", "cat", "/greeting"])).toBe("hello\n");
  await place.box.ok(["remove", "-f", "loaded"]);
});

test("many imports of one image make one template", async () => {
  await host(["zfs", "destroy", "-r", `${place.store.dataset}/.templates/${keyOf(original)}`]);
  const names = Array.from({ length: 4 }, (_, index) => `many-${index}.sqsh`);
  const results = await Promise.all(
    names.map((name) => place.box.enroot(["import", "-o", name, registry.uri])),
  );
  expect(results.map(({ status }) => status)).toEqual(names.map(() => 0));
  expect(results.filter(({ stderr }) => stderr.includes("Loading"))).toHaveLength(1);
  expect(await place.templates()).toEqual([keyOf(original)]);
});

test("a user's name in a URI is written down nowhere", async () => {
  const uri = registry.uri.replace("docker://", "docker://alice@");
  await place.box.ok(["import", "-o", "user.sqsh", uri]);
  expect(await readFile(join(place.box.work, "user.sqsh"), "utf8")).not.toContain("alice");
  expect(await place.property("enroot:uri", `.templates/${keyOf(original)}`)).not.toContain("alice");
});
