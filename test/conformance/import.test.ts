// SPDX-License-Identifier: Apache-2.0
// What import makes: names, options, the files of enroot's own, and the way from an image to a running command.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { imageRegistry, ownRegistry } from "../fixtures/index.ts";
import { host, type Registry, type Sandbox, sandbox } from "../harness/index.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";
import { files } from "./surroundings.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small", "odd", "multi"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

async function cat(file: string, path: string): Promise<string> {
  return host(["unsquashfs", "-cat", file, path]);
}

describe("the default name", () => {
  let everything: Registry;
  let digest: string;

  // A registry that stands in for any other as a proxy, with the same image under several names.
  beforeAll(async () => {
    everything = await ownRegistry(["small"]);
    const repositories = join(everything.storage, "docker/registry/v2/repositories");
    const tags = join(repositories, "test/small/_manifests/tags");
    for (const tag of ["24.04", "25.06-py3"]) await host(["cp", "-r", join(tags, "latest"), join(tags, tag)]);
    for (const name of ["library/ubuntu", "nvidia/pytorch", "a/b/c"]) {
      await mkdir(join(repositories, name, ".."), { recursive: true });
      await host(["cp", "-r", join(repositories, "test/small"), join(repositories, name)]);
    }
    await using box = await sandbox({ env: everything.env });
    digest = (await box.ok(["digest", everything.uri("test/small")])).trim();
  }, 60_000);

  afterAll(async () => {
    await everything?.[Symbol.asyncDispose]();
  });

  improvement.among(
    [
      ["docker://ubuntu:24.04", "ubuntu+24.04.sqsh"],
      ["docker://docker.io#library/ubuntu:24.04", "ubuntu+24.04.sqsh"],
      ["docker://nvcr.io#nvidia/pytorch:25.06-py3", "nvidia+pytorch+25.06-py3.sqsh"],
      ["docker://nvcr.io/nvidia/pytorch:25.06-py3", "nvidia+pytorch+25.06-py3.sqsh"],
      ["docker://registry.example:5000/a/b/c:latest", "a+b+c+latest.sqsh"],
      ["docker://ubuntu@DIGEST", "ubuntu+DIGEST.sqsh"],
      ["docker://ubuntu:24.04@DIGEST", "ubuntu+DIGEST.sqsh"],
    ],
    "bash enroot adds the tag that its documentation leaves out",
    [
      ["docker://ubuntu", "ubuntu.sqsh"],
      ["docker://library/ubuntu", "ubuntu.sqsh"],
      ["docker://index.docker.io/library/ubuntu", "ubuntu.sqsh"],
      ["docker://registry-1.docker.io/nvidia/pytorch", "nvidia+pytorch.sqsh"],
      ["docker://registry.example#library/ubuntu", "library+ubuntu.sqsh"],
    ],
  )("of %s is %s", async (uri, name) => {
    await using box = await sandbox({ env: { ...everything.env, http_proxy: everything.url } });
    expect(await box.ok(["import", uri.replace("DIGEST", digest)])).toBe("");
    expect(await files(box, box.work)).toBe(`${name.replace("DIGEST", digest)}\n`);
  });
});

describe("options", () => {
  test("--output, relative and absolute", async () => {
    await using box = await sandbox({ env: registry.env });
    await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
    await box.ok(["import", `--output=${box.temp}/b`, registry.uri("test/small")]);
    expect(await files(box, box.work)).toBe("a.sqsh\n");
    expect(await files(box, box.temp)).toBe("b\n");
    expect((await box.run(["stat", "-c", "%a", "a.sqsh"])).stdout).toBe("644\n");
  });

  test("--output in a directory that is not there, or not ours", async () => {
    await using box = await sandbox({ env: registry.env });
    for (const directory of [`${box.work}/nowhere`, "/usr"]) {
      const args = ["import", "-o", `${directory}/a.sqsh`, registry.uri("test/small")];
      expect(await box.enroot(args)).toMatchObject({ status: 1, stdout: "" });
    }
    expect(await files(box, box.work)).toBe("");
  });

  improvement("bash enroot shows what mksquashfs says", "such a directory is named", async () => {
    await using box = await sandbox({ env: registry.env });
    const args = ["import", "-o", "/usr/a.sqsh", registry.uri("test/small")];
    expect(refusal(await box.enroot(args))).toContain("/usr");
  });

  improvement.among(
    [
      ["docker", ["--arch=aarch64"]],
      ["docker", ["-a", "aarch64"]],
    ],
    "bash enroot 4.1.2 knows one name and indexes of Docker alone",
    [
      ["docker", ["-a", "arm64"]],
      ["latest", ["-a", "arm64"]],
      ["latest", ["--arch", "aarch64"]],
    ],
  )("--arch of test/multi:%s %j", async (tag, args) => {
    await using box = await sandbox({ env: registry.env });
    await box.ok(["import", ...args, "-o", "a.sqsh", registry.uri(`test/multi:${tag}`)]);
    expect(await cat(join(box.work, "a.sqsh"), "etc/architecture")).toBe("arm64\n");
  });

  improvement.among([["docker"]], "bash enroot 4.1.2 asks for indexes of Docker alone", [["latest"]])(
    "without --arch, this machine's of test/multi:%s",
    async (tag) => {
      await using box = await sandbox({ env: registry.env });
      await box.ok(["import", "-o", "a.sqsh", registry.uri(`test/multi:${tag}`)]);
      expect(await cat(join(box.work, "a.sqsh"), "etc/hostname")).toBe("small\n");
    },
  );

  improvement.among(
    [
      ["-comp gzip -noD -exit-on-error", "gzip"],
      ["-comp lzo -noD -exit-on-error", "lzo"],
    ],
    "bash enroot's default is lzo, which is larger and slower",
    [["", "zstd"]],
  )("ENROOT_SQUASH_OPTIONS=%p compresses with %s", async (options, compressor) => {
    const env = options === "" ? registry.env : { ...registry.env, ENROOT_SQUASH_OPTIONS: options };
    await using box = await sandbox({ env });
    await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
    expect(await host(["unsquashfs", "-stat", join(box.work, "a.sqsh")])).toContain(
      `Compression ${compressor}\n`,
    );
  });

  test("SOURCE_DATE_EPOCH is the time of everything", async () => {
    await using box = await sandbox({ env: { ...registry.env, SOURCE_DATE_EPOCH: "1234567890" } });
    await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
    const file = join(box.work, "a.sqsh");
    expect(await host(["unsquashfs", "-UTC", "-stat", file])).toContain("Fri Feb 13 23:31:30 2009");
    const listing = await host(["unsquashfs", "-UTC", "-lln", file]);
    const times = listing.split("\n").flatMap((line) => /\d{4}-\d\d-\d\d \d\d:\d\d/.exec(line)?.[0] ?? []);
    expect(times.length).toBeGreaterThan(100);
    expect(new Set(times)).toEqual(new Set(["2009-02-13 23:31"]));
  });
});

test("digest has the architecture's own, however it is called", async () => {
  await using box = await sandbox({ env: registry.env });
  const accept = { accept: "application/vnd.docker.distribution.manifest.list.v2+json" };
  const answer = await fetch(`${registry.url}/v2/test/multi/manifests/docker`, { headers: accept });
  const { manifests } = (await answer.json()) as {
    manifests: { digest: string; platform: { architecture: string } }[];
  };
  const uri = registry.uri("test/multi:docker");
  for (const [arch, name] of [
    ["amd64", "x86_64"],
    ["arm64", "aarch64"],
  ] as const) {
    const digest = manifests.find(({ platform }) => platform.architecture === arch)?.digest ?? "";
    expect(await box.ok(["digest", "-a", name, uri])).toBe(`${digest}\n`);
    await box.ok(["import", "-o", `${arch}.sqsh`, registry.uri(`test/multi@${digest}`)]);
    const file = arch === "arm64" ? "etc/architecture" : "etc/hostname";
    expect(await cat(join(box.work, `${arch}.sqsh`), file)).toBe(arch === "arm64" ? "arm64\n" : "small\n");
  }
});

describe("the image's configuration", () => {
  improvement(
    "bash enroot does not unpack hard links to lower layers",
    "becomes /etc/environment, /etc/fstab and /etc/rc",
    async () => {
      await using box = await sandbox({ env: registry.env });
      await box.ok(["import", "-o", "a.sqsh", registry.uri("test/odd:docker")]);
      const file = join(box.work, "a.sqsh");
      const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
      expect((await cat(file, "etc/environment")).split("\n")).toContain(`PATH=${path}`);
      const fstab = (await cat(file, "etc/fstab")).split("\n");
      for (const volume of ["/odd/volume", "/data"]) {
        expect(fstab).toContain(
          `\${ENROOT_ROOTFS}${volume} ${volume} none x-create=dir,bind,rw,nosuid,nodev`,
        );
      }
      const rc = await cat(file, "etc/rc");
      expect(rc).toMatch(/^# enroot-provenance: docker:\/\/127\.0\.0\.1:\d+#test\/odd/m);
      expect(rc).toMatch(/^# org\.example\.name odd$/m);
      expect(rc).toMatch(/^# org\.example\.text first line second line # third$/m);
      await host(["sh", "-nc", rc]);
      expect(await cat(file, "etc/rc.local")).toMatch(/^(#.*\n)*$/);
    },
  );

  improvement(
    "bash enroot does not unpack hard links to lower layers",
    "is what a container starts with",
    async () => {
      await using box = await sandbox({ env: registry.env });
      await box.ok(["import", "-o", "odd.sqsh", registry.uri("test/odd:docker")]);
      await box.ok(["create", "odd.sqsh"]);
      const preset = "tool in /odd/work dir:\n<an argument>\n<it's>\n<$HOME>\n";
      expect(await box.ok(["start", "odd"])).toBe(`${preset}<default>\n<a b>\n`);
      expect(await box.ok(["start", "odd", "own", "", "$(id)"])).toBe(`${preset}<own>\n<>\n<$(id)>\n`);
      await box.ok(["remove", "-f", "odd"]);
    },
  );
});

describe("a container from a registry's image", () => {
  async function lifeOf(box: Sandbox): Promise<void> {
    const name = "test+small+latest";
    await box.ok(["import", registry.uri("test/small:latest")]);
    await box.ok(["create", `${name}.sqsh`]);
    expect(await box.ok(["list"])).toBe(`${name}\n`);
    expect(await box.ok(["start", name, "cat", "/etc/hostname"])).not.toBe("");
    expect((await box.enroot(["start", name, "sh", "-c", "exit 9"])).status).toBe(9);
    await box.ok(["start", "--rw", name, "sh", "-c", "echo kept > /srv/file"]);
    expect(await box.ok(["start", name, "cat", "/srv/file", "/etc/replaced"])).toBe("kept\nreplaced\n");
    expect(await box.ok(["start", `${name}.sqsh`, "ls", "/srv"])).toBe("tool\n");
    await box.ok(["remove", "-f", name]);
    expect(await box.ok(["list"])).toBe("");
    expect(await files(box, box.data)).toBe("");
  }

  test("is imported, created, started, listed and removed", async () => {
    await using box = await sandbox({ env: registry.env });
    await lifeOf(box);
  });
});

describe("the cache", () => {
  test("makes a second import without fetching a blob", async () => {
    await using own = await ownRegistry(["small"]);
    await using box = await sandbox({ env: own.env });
    await box.ok(["import", "-o", "a.sqsh", own.uri("test/small")]);
    const before = (own.log().match(/GET \/v2\/test\/small\/blobs/g) ?? []).length;
    expect(before).toBeGreaterThan(0);
    await box.ok(["import", "-o", "b.sqsh", own.uri("test/small")]);
    expect((own.log().match(/GET \/v2\/test\/small\/blobs/g) ?? []).length).toBe(before);
  });

  improvement("bash enroot's have the time of their making", "two imports are the same bytes", async () => {
    await using box = await sandbox({ env: registry.env });
    await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
    await box.ok(["import", "-o", "b.sqsh", registry.uri("test/small")]);
    await host(["cmp", join(box.work, "a.sqsh"), join(box.work, "b.sqsh")]);
  });

  improvement("bash enroot's is", "is not trusted: a damaged blob is fetched again", async () => {
    await using box = await sandbox({ env: registry.env });
    await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
    const damage =
      'find "$1" -type f -exec sh -c \'printf x | dd of="$1" bs=1 seek=99 conv=notrunc\' sh {} \\;';
    await box.run(["sh", "-c", damage, "sh", box.cache]);
    await box.ok(["import", "-o", "b.sqsh", registry.uri("test/small")]);
    await host(["cmp", join(box.work, "a.sqsh"), join(box.work, "b.sqsh")]);
  });
});
