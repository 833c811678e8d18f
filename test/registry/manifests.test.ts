// SPDX-License-Identifier: Apache-2.0
// Manifests, indexes and configurations as they are found in the wild, and as nobody should make them.
import { describe, expect, test } from "bun:test";
import { archive } from "./archive.ts";
import { expectImport, expectRefusal, fileOf, plainImage, type Scene, scene } from "./fixture.ts";
import { digestOf, type ScriptedImage, scriptedImage } from "./scripted-image.ts";

const layer = { tar: archive([{ name: "greeting", data: "hello\n" }]) };
const machine = process.arch === "x64" ? "amd64" : "arm64";
const other = machine === "amd64" ? "arm64" : "amd64";

interface Platform {
  readonly architecture: string;
  readonly os?: string;
  readonly variant?: string;
}

/** An index over images. */
function index(entries: readonly (readonly [ScriptedImage, Platform])[], extra: object = {}): ScriptedImage {
  const blobs = new Map(
    entries.flatMap(([image]) => [...image.blobs, [digestOf(image.manifest), image.manifest] as const]),
  );
  const manifests = entries.map(([{ manifest, mediaType }, platform]) => ({
    mediaType,
    digest: digestOf(manifest),
    size: manifest.length,
    platform: { os: "linux", ...platform },
  }));
  const mediaType = "application/vnd.oci.image.index.v1+json";
  return {
    blobs,
    mediaType,
    manifest: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests, ...extra })),
  };
}

const wrong = plainImage("wrong\n");
const right = plainImage();
const attestation = scriptedImage([], { wholeConfig: { architecture: "unknown" } });

describe("an index", () => {
  const indexes: Record<string, ScriptedImage> = {
    "by architecture": index([
      [wrong, { architecture: other }],
      [right, { architecture: machine }],
    ]),
    "with an attestation": index([
      [attestation, { architecture: "unknown", os: "unknown" }],
      [right, { architecture: machine }],
    ]),
    "with Windows first": index([
      [wrong, { architecture: machine, os: "windows" }],
      [right, { architecture: machine }],
    ]),
    "with variants: the plain one": index([
      [wrong, { architecture: machine, variant: "v9" }],
      [right, { architecture: machine }],
    ]),
    "with variants: the baseline": index([
      [wrong, { architecture: machine, variant: "v9" }],
      [right, { architecture: machine, variant: machine === "amd64" ? "v1" : "v8" }],
    ]),
    "with one special variant": index([[right, { architecture: machine, variant: "v3" }]]),
    "whose only entry says nothing of a platform": index([[right, { architecture: "", os: "" }]]),
    "with an entry without a platform, and one with": index([
      [wrong, { architecture: "", os: "" }],
      [right, { architecture: machine }],
    ]),
    "within an index": index([[index([[right, { architecture: machine }]]), { architecture: machine }]]),
    "without a media type": index([[right, { architecture: machine }]], { mediaType: undefined }),
  };
  test.each(Object.entries(indexes))("%s", async (_, image) => {
    await using here = await scene(image);
    await expectImport(here);
  });

  test("without the architecture lists what there is", async () => {
    await using here = await scene(
      index([
        [wrong, { architecture: "s390x" }],
        [wrong, { architecture: "arm", variant: "v7" }],
      ]),
    );
    await expectRefusal(here, new RegExp(`No image for ${machine}.*linux/s390x, linux/arm/v7`));
  });

  test("another architecture when it is asked for", async () => {
    await using here = await scene(
      index([
        [wrong, { architecture: machine }],
        [right, { architecture: other }],
      ]),
    );
    expect(await here.box.ok(["digest", "-a", other, here.registry.uri])).toBe(
      `${digestOf(right.manifest)}\n`,
    );
    const name = other === "arm64" ? "aarch64" : "x86_64";
    expect(await here.box.ok(["digest", "--arch", name, here.registry.uri])).toBe(
      `${digestOf(right.manifest)}\n`,
    );
  });

  test("whose child is not what its digest says", async () => {
    await using here = await scene(index([[right, { architecture: machine }]]), ({ reference }) =>
      reference === digestOf(right.manifest)
        ? new Response(wrong.manifest as Uint8Array<ArrayBuffer>)
        : undefined,
    );
    await expectRefusal(here, /Digest mismatch: the manifest/);
  });
});

describe("a manifest", () => {
  const edited = (change: object): ScriptedImage =>
    scriptedImage([layer], { edit: (manifest) => ({ ...manifest, ...change }) });

  test("without a media type", async () => {
    await using here = await scene(edited({ mediaType: undefined }));
    await expectImport(here);
  });

  test("by digest is checked", async () => {
    await using here = await scene(right, () => new Response(wrong.manifest as Uint8Array<ArrayBuffer>));
    const result = await here.box.enroot(["digest", `${here.registry.uri}@${digestOf(right.manifest)}`]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain("Digest mismatch");
  });

  test("with a wrong Docker-Content-Digest: the bytes count", async () => {
    await using here = await scene(right, ({ kind }) =>
      kind === "manifest"
        ? new Response(right.manifest as Uint8Array<ArrayBuffer>, {
            headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` },
          })
        : undefined,
    );
    expect(await here.box.ok(["digest", here.registry.uri])).toBe(`${digestOf(right.manifest)}\n`);
  });

  const bad: Record<string, [ScriptedImage, RegExp]> = {
    "that could be an index too": [edited({ manifests: [] }), /Ambiguous manifest/],
    "that could be an index too, by its configuration": [
      edited({ manifests: [], layers: undefined }),
      /Ambiguous manifest/,
    ],
    "that says it is an index": [
      edited({ mediaType: "application/vnd.oci.image.index.v1+json" }),
      /Ambiguous manifest/,
    ],
    "that is an index and says it is an image": [
      index([[right, { architecture: machine }]], {
        mediaType: "application/vnd.docker.distribution.manifest.v2+json",
      }),
      /Ambiguous manifest/,
    ],
    "of an artifact": [
      edited({
        artifactType: "application/vnd.example",
        config: {
          mediaType: "application/vnd.oci.empty.v1+json",
          digest: `sha256:${"0".repeat(64)}`,
          size: 2,
        },
      }),
      /Not a container image but application\/vnd\.oci\.empty/,
    ],
    "of schema 1": [edited({ schemaVersion: 1 }), /schema 1 manifest/],
    "of a chart": [
      edited({
        config: {
          mediaType: "application/vnd.cncf.helm.config.v1+json",
          digest: `sha256:${"0".repeat(64)}`,
          size: 2,
        },
      }),
      /Not a container image/,
    ],
    "with a path for a digest": [
      edited({ layers: [{ mediaType: "", digest: "sha256:../../x", size: 1 }] }),
      /Invalid image manifest/,
    ],
    "with an upper-case digest": [
      edited({ layers: [{ mediaType: "", digest: `sha256:${"A".repeat(64)}`, size: 1 }] }),
      /Invalid image manifest/,
    ],
    "with a sha512 digest": [
      edited({ layers: [{ mediaType: "", digest: `sha512:${"0".repeat(128)}`, size: 1 }] }),
      /Invalid image manifest/,
    ],
    "with a negative size": [
      edited({ layers: [{ mediaType: "", digest: `sha256:${"0".repeat(64)}`, size: -1 }] }),
      /Invalid image manifest/,
    ],
    "with layers of an unknown kind": [
      edited({
        layers: [{ mediaType: "application/vnd.erofs", digest: `sha256:${"0".repeat(64)}`, size: 1 }],
      }),
      /unknown type/,
    ],
    "with other layers than its configuration": [edited({ layers: [] }), /0 layers but 1 layer digests/],
    "with a giant configuration": [
      edited({ config: { mediaType: "", digest: `sha256:${"0".repeat(64)}`, size: 2 ** 30 } }),
      /too large/,
    ],
    "that is no JSON": [{ ...right, manifest: Buffer.from("<html>") }, /Invalid manifest/],
    "of 5 MiB": [{ ...right, manifest: Buffer.alloc(5 << 20, 32) }, /more than 4194304 bytes/],
  };
  test.each(Object.entries(bad))("%s is refused", async (_, [image, pattern]) => {
    await using here = await scene(image);
    await expectRefusal(here, pattern);
  });
});

describe("a configuration", () => {
  async function rc(here: Scene): Promise<string> {
    return fileOf(here, "etc/rc");
  }
  const whole = (config: object): ScriptedImage =>
    scriptedImage([layer], {
      wholeConfig: { architecture: machine, rootfs: { diff_ids: [digestOf(layer.tar)] }, ...config },
    });

  const plain: Record<string, ScriptedImage> = {
    "that says nothing": whole({}),
    "with nulls": whole({
      config: { Env: null, Cmd: null, Entrypoint: null, Volumes: null, Labels: null, WorkingDir: "" },
    }),
    "without an architecture": whole({ architecture: undefined }),
    "with an empty history": whole({ history: [] }),
    "with a numeric user": whole({ config: { User: "1000" } }),
  };
  test.each(Object.entries(plain))("%s", async (_, image) => {
    await using here = await scene(image);
    await expectImport(here);
    expect(await rc(here)).toContain("exec '/bin/sh'");
  });

  test("of an image for another system is refused", async () => {
    await using here = await scene(whole({ os: "windows" }));
    await expectRefusal(here, /Image is for windows, not for Linux/);
  });

  test.each([
    ["that is no JSON", "nonsense"],
    ["of another form", JSON.stringify({ config: { Env: "A=1" } })],
  ])("%s is refused", async (_, text) => {
    const config = Buffer.from(text);
    const descriptor = {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: digestOf(config),
      size: config.length,
    };
    const image = scriptedImage([layer], { edit: (manifest) => ({ ...manifest, config: descriptor }) });
    await using here = await scene({
      ...image,
      blobs: new Map([...image.blobs, [digestOf(config), config]]),
    });
    await expectRefusal(here, /Invalid image configuration/);
  });

  test("that is not what its digest says is refused", async () => {
    await using here = await scene(right, ({ kind, reference }) => {
      const bytes = right.blobs.get(reference);
      const isConfig = kind === "blob" && bytes !== undefined && Buffer.from(bytes).includes("rootfs");
      return isConfig ? new Response(Buffer.alloc(bytes.length, 32)) : undefined;
    });
    await expectRefusal(here, /Digest mismatch/);
  });

  test("with strings for commands", async () => {
    await using here = await scene(whole({ config: { Entrypoint: "/a b", Cmd: "c" } }));
    await expectImport(here);
    expect(await rc(here)).toContain("exec '/a b' 'c'");
  });

  test("of another architecture is warned of", async () => {
    await using here = await scene(whole({ architecture: other }));
    expect((await expectImport(here)).stderr).toContain("[WARN] Image architecture doesn't match");
  });

  test("with variables that are none", async () => {
    await using here = await scene(
      whole({ config: { Env: ["A=1", "nothing", "B=x\ny", "=z", "1C=2", "D=a=b", "E="] } }),
    );
    await expectImport(here);
    expect(await fileOf(here, "etc/environment")).toBe("A=1\nD=a=b\nE=\n");
  });

  test("no value of it is ever evaluated", async () => {
    const evil = `$(touch /tmp/enroot-evil)\`id\`'; touch /tmp/enroot-evil; '\n"$PATH"\\`;
    const config = {
      Labels: { [`l${evil}`]: evil },
      WorkingDir: `/w${evil}`,
      Entrypoint: ["/bin/echo", evil],
      Cmd: [evil],
      Volumes: { [`/v ${evil}`]: {} },
    };
    await using here = await scene(whole({ config }));
    await expectImport(here);
    // exec itself cannot be replaced by a function.
    const script = (await rc(here)).replaceAll("exec ", "show ");
    const shell =
      'cd() { :; }; mkdir() { printf "%s\\n" "$2"; }; show() { printf "<%s>" "$@"; }; script=$1; set --; eval "$script"';
    const words = (await here.box.run(["sh", "-c", shell, "sh", script])).stdout;
    expect(words).toContain(`/w${evil}`);
    expect(words).toContain(`</bin/echo><${evil}><${evil}>`);
    expect((await fileOf(here, "etc/fstab")).trim().split("\n")).toHaveLength(1);
    expect((await here.box.run(["ls", "/tmp/enroot-evil"])).status).not.toBe(0);
  });
});
