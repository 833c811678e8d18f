// SPDX-License-Identifier: Apache-2.0
// Images of a container engine on the ZFS store: what is known by the same configuration is the same template, wherever
// it came from.
import { expect, test } from "bun:test";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { own } from "../conformance/container.ts";
import { archive } from "../registry/archive.ts";
import { digestOf, scriptedImage } from "../registry/scripted-image.ts";
import { serveImage } from "../registry/scripted-registry.ts";
import { lines, type Scene, scene } from "./scene.ts";

const shell = await readFile("/bin/busybox");
const layer = archive([
  { name: "bin", flag: "5" },
  ...["sh", "cat"].map((name) => ({ name: `bin/${name}`, data: shell, mode: 0o755 })),
  { name: "greeting", data: "hello\n" },
]);
const config = {
  architecture: { x64: "amd64", arm64: "arm64" }[process.arch as string],
  os: "linux",
  config: { Env: ["GREETING=yes"] },
  rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
};
const key = digestOf(JSON.stringify(config)).replace("sha256:", "");
const name = "docker.io/test/image:latest";

/** What `docker save` writes of the image. */
function saved(): Uint8Array {
  const manifest = [{ Config: `${key}.json`, RepoTags: [name], Layers: ["layer.tar"] }];
  return archive([
    { name: `${key}.json`, data: JSON.stringify(config) },
    { name: "layer.tar", data: layer },
    { name: "manifest.json", data: JSON.stringify(manifest) },
  ]);
}

/** Rootless podman of the test user with a storage of its own; returns what enroot needs to find it. */
async function podman({ box }: Scene): Promise<Record<string, string>> {
  const place = join(box.root, "podman");
  const storage = join(place, "storage.conf");
  await mkdir(join(place, "run"), { recursive: true, mode: 0o700 });
  const graph = `graphroot = "${place}/graph"\nrootless_storage_path = "${place}/graph"\n`;
  await writeFile(storage, `[storage]\ndriver = "vfs"\nrunroot = "${place}/runroot"\n${graph}`);
  const file = join(place, "image.tar");
  await writeFile(file, saved());
  await chmod(file, 0o644);
  await own(place);
  return { CONTAINERS_STORAGE_CONF: storage, XDG_RUNTIME_DIR: join(place, "run") };
}

test("podman:// and docker:// share one template", async () => {
  const registry = serveImage(scriptedImage([{ tar: layer }], { wholeConfig: config }));
  await using place = await scene({ env: { ...registry.env } });
  const { box } = place;
  const env = await podman(place);
  const engine = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await box.run(["podman", ...args], { env });
    if (status !== 0) throw new Error(`podman ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  try {
    await engine("load", "--quiet", "--input", join(box.root, "podman/image.tar"));
    const before = await engine("image", "ls", "--all", "--quiet", "--no-trunc");
    await box.ok(["import", "-o", "engine.sqsh", `podman://${name}`], { env });
    expect(await place.templates()).toEqual([key]);
    const [, ...pointer] = lines(await readFile(join(box.work, "engine.sqsh"), "utf8"));
    expect(pointer).toContain(`image-config-sha256=${key}`);
    expect(pointer.some((line) => line.startsWith("manifest-digest="))).toBe(false);

    const imported = await box.enroot(["import", "-o", "registry.sqsh", registry.uri]);
    expect(imported.status).toBe(0);
    expect(imported.stderr).not.toContain("Loading");
    expect(registry.asked.filter(({ kind }) => kind === "blob")).toHaveLength(1);
    expect(await place.templates()).toEqual([key]);

    for (const file of ["engine", "registry"]) {
      await box.ok(["create", `${file}.sqsh`]);
      expect(await box.ok(["start", file, "sh", "-c", "cat /greeting; echo $GREETING"])).toBe("hello\nyes\n");
      expect(await place.property("origin", file)).toContain(key);
    }
    // What is known by the engine's own words is not saved: there is nowhere to save it to.
    await box.ok(["load", "-n", "loaded", `podman://${name}`], {
      env: { ...env, ENROOT_TEMP_PATH: "/nowhere" },
    });
    expect(await place.property("origin", "loaded")).toContain(key);
    expect(await engine("image", "ls", "--all", "--quiet", "--no-trunc")).toBe(before);
    expect(await engine("container", "ls", "--all", "--quiet")).toBe("");
  } finally {
    await box.run(
      [
        "podman",
        "unshare",
        "rm",
        "-rf",
        ...["graph", "runroot"].map((part) => join(box.root, "podman", part)),
      ],
      { env },
    );
    await box.run(["podman", "system", "migrate"], { env });
    await registry[Symbol.asyncDispose]();
  }
});
