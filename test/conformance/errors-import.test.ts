// SPDX-License-Identifier: Apache-2.0
// Bad images, registries and surroundings of an import get one clear line, exit status 1, and nothing half-made.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imageRegistry, ownRegistry } from "../fixtures/index.ts";
import { type Registry, type Sandbox, sandbox } from "../harness/index.ts";
import { freePort } from "../harness/port.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";
import { files, hide, withLittleSpace } from "./surroundings.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small", "multi"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function expectNothingMade(box: Sandbox): Promise<void> {
  for (const directory of [box.work, box.data, box.temp]) expect(await files(box, directory)).toBe("");
}

describe("import and digest of what is not there", () => {
  const missing = async (words: readonly string[], named: string): Promise<void> => {
    await using box = await sandbox({ env: registry.env });
    const args = [...words.slice(0, -1), registry.uri(words.at(-1) ?? "")];
    for (const command of ["import", "digest"]) {
      expect(refusal(await box.enroot([command, ...args]))).toContain(named);
    }
    await expectNothingMade(box);
  };

  test.each([
    ["an unknown image", ["test/nothing"], "test/nothing"],
    ["an unknown tag", ["test/small:nothing"], "nothing"],
    ["an unknown digest", [`test/small@sha256:${"0".repeat(64)}`], `sha256:${"0".repeat(64)}`],
  ])("%s", (_, words, named) => missing(words, named));

  improvement.each("bash enroot takes another one then", [
    ["an architecture that the index lacks", ["-a", "ppc64le", "test/multi"], "ppc64"],
    ["an architecture of a Docker list", ["-a", "ppc64le", "test/multi:docker"], "ppc64"],
  ])("%s", (_, words, named) => missing(words, named));

  improvement(
    "bash enroot takes another one then",
    "a missing architecture: says which there are",
    async () => {
      await using box = await sandbox({ env: registry.env });
      const line = refusal(await box.enroot(["digest", "-a", "ppc64le", registry.uri("test/multi")]));
      expect(line).toContain("amd64");
      expect(line).toContain("arm64");
      expect(line).not.toContain("unknown");
    },
  );

  test("a word that is no architecture", async () => {
    await using box = await sandbox({ env: registry.env });
    expect(refusal(await box.enroot(["import", "-a", "abacus", registry.uri("test/multi")]))).toContain(
      "abacus",
    );
  });

  test("a registry that is down", async () => {
    await using box = await sandbox({ env: registry.env });
    const uri = `docker://127.0.0.1:${freePort()}#test/small`;
    for (const command of ["import", "digest"]) {
      const { status, stdout, stderr } = await box.enroot([command, uri]);
      expect({ failed: status !== 0, stdout }).toEqual({ failed: true, stdout: "" });
      expect(stderr).toContain("127.0.0.1");
    }
    await expectNothingMade(box);
  });

  improvement(
    "bash enroot shows what curl says, and has its status",
    "that is an error like any other",
    async () => {
      await using box = await sandbox({ env: registry.env });
      const port = freePort();
      const line = refusal(await box.enroot(["import", `docker://127.0.0.1:${port}#test/small`]));
      expect(line).toContain(`127.0.0.1:${port}`);
    },
  );

  improvement.among(
    [
      ["docker://"],
      ["docker://Upper/Case"],
      ["docker://image:"],
      ["docker://-x"],
      ["docker://registry.example#"],
      ["http://example.org/image"],
      ["image"],
      [""],
    ],
    "bash enroot asks the registry for them",
    [["docker://a b"], ["docker://image@sha256:123"]],
  )("an invalid reference: %p", async (uri) => {
    await using box = await sandbox({ env: registry.env });
    refusal(await box.enroot(["import", uri]));
    await expectNothingMade(box);
  });
});

describe("content that is not what its digest says", () => {
  test("a damaged layer leaves nothing", async () => {
    await using own = await ownRegistry(["small"]);
    await damage(own, (await blobs(own, "layer")).at(-1) ?? "");
    await using box = await sandbox({ env: own.env });
    const args = ["import", "-o", "a.sqsh", own.uri("test/small:latest")];
    expect(await box.enroot(args)).toMatchObject({ status: 1, stdout: "" });
    await expectNothingMade(box);
  });

  async function damage(own: Registry, hex: string): Promise<void> {
    const path = join(own.storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    const bytes = await Bun.file(path).bytes();
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }

  async function blobs(own: Registry, kind: string): Promise<string[]> {
    const answer = await fetch(`${own.url}/v2/test/small/manifests/oci`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    const text = await answer.text();
    if (kind === "manifest") return [new Bun.CryptoHasher("sha256").update(text).digest("hex")];
    const { config, layers } = JSON.parse(text) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    return (kind === "config" ? [config] : layers).map(({ digest }) => digest.slice("sha256:".length));
  }

  improvement.each("bash enroot does not look at manifests and configurations", [
    ["manifest"],
    ["config"],
    ["layer"],
  ])("a damaged %s", async (kind) => {
    await using own = await ownRegistry(["small"]);
    const hex = (await blobs(own, kind)).at(-1) ?? "";
    await damage(own, hex);
    await using box = await sandbox({ env: own.env });
    const digest = kind === "manifest" ? `test/small@sha256:${hex}` : "test/small:oci";
    const line = refusal(await box.enroot(["import", "-o", "a.sqsh", own.uri(digest)]));
    expect(line).toContain(hex);
    await expectNothingMade(box);
    // Not under its own name; a lock beside it may stay.
    expect(await files(box, box.cache)).not.toMatch(new RegExp(`${hex}$`, "m"));
  });
});

describe("output that is there already", () => {
  test("import", async () => {
    await using box = await sandbox({ env: registry.env });
    await box.run(["sh", "-c", "echo mine > test+small+oci.sqsh"]);
    const line = refusal(await box.enroot(["import", registry.uri("test/small:oci")]));
    expect(line).toContain("test+small+oci.sqsh");
    refusal(await box.enroot(["import", "-o", "test+small+oci.sqsh", registry.uri("test/small:oci")]));
    expect((await box.run(["cat", "test+small+oci.sqsh"])).stdout).toBe("mine\n");
    expect(await files(box, box.work)).toBe("test+small+oci.sqsh\n");
  });
});

describe("no space", () => {
  improvement(
    "bash enroot shows what zstd says",
    "for the cache: names the path and the variable",
    async () => {
      await using box = await sandbox({ env: registry.env });
      const args = ["import", "-o", "a.sqsh", registry.uri("test/small")];
      // What has been fetched stays there for the next attempt.
      const result = await withLittleSpace(box, box.cache, args);
      const line = refusal({ ...result, stdout: "" });
      expect(line).toContain(box.cache);
      expect(line).toContain("ENROOT_CACHE_PATH");
      await expectNothingMade(box);
    },
  );

  improvement("bash enroot leaves a part of it", "for the output: names the path", async () => {
    await using box = await sandbox({ env: registry.env });
    await mkdir(join(box.root, "full"));
    const file = join(box.root, "full/a.sqsh");
    const args = ["import", "-o", file, registry.uri("test/small")];
    const line = refusal(await withLittleSpace(box, join(box.root, "full"), args));
    expect(line).toContain(join(box.root, "full"));
    await expectNothingMade(box);
  });

  improvement(
    "bash enroot shows what tar says",
    "for temporary files: import does without, or names the path and the variable",
    async () => {
      await using box = await sandbox({ env: registry.env });
      const args = ["import", "-o", "a.sqsh", registry.uri("test/small")];
      const result = await withLittleSpace(box, box.temp, args);
      expect(result.stdout).toBe("");
      if (result.status === 0) return;
      const line = refusal(result);
      expect(line).toContain(box.temp);
      expect(line).toContain("ENROOT_TEMP_PATH");
      await expectNothingMade(box);
    },
  );
});

test("import without a program that writes squashfs", async () => {
  await using box = await sandbox({ env: registry.env });
  const prepare = hide(box, "mksquashfs", "sqfstar", "tar2sqfs");
  const args = ["import", "-o", "a.sqsh", registry.uri("test/small")];
  expect(refusal(await box.enroot(args, { prepare }))).toContain("squashfs");
  await expectNothingMade(box);
});
