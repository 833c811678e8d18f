// SPDX-License-Identifier: Apache-2.0
// dockerd:// and podman:// against the engines themselves: names, configuration, and that nothing is left there.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Engine, foreignArchitecture, images, startDocker, startPodman } from "../engines/engine.ts";
import { has, host, type Sandbox, sandbox } from "../harness/index.ts";
import { improvement } from "./improvement.ts";

const engines = [
  ["dockerd", startDocker],
  ["podman", startPodman],
] as const;

/** Those that this machine has. */
const here = {
  dockerd: has("dockerd://", "dockerd", "docker"),
  podman: has("podman://", "podman", "newuidmap"),
} as const;

describe.each(engines.filter(([scheme]) => here[scheme]))("%s", (scheme, launch) => {
  let engine: Engine;
  let before: string;

  beforeAll(async () => {
    engine = await launch();
    before = await engine.content();
  }, 600_000);

  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 120_000);

  const why = "bash enroot cannot delete its container, and fails";
  const check = (name: string, body: () => Promise<void>): void =>
    scheme === "podman" ? improvement(why, name, body) : test(name, body);

  const place = (): Promise<Sandbox> => sandbox({ env: engine.env });

  for (const [image, name] of [
    ["test/small", "test+small.sqsh"],
    [images.small, "test+small+latest.sqsh"],
    ["docker.io/test/small:latest", "docker.io+test+small+latest.sqsh"],
  ] as const)
    check(`the default name of ${image} is ${name}, and the engine is as it was`, async () => {
      await using box = await place();
      await box.ok(["import", `${scheme}://${image}`]);
      expect(await readdir(box.work)).toEqual([name]);
      expect(await engine.content()).toBe(before);
      expect(await readdir(box.temp)).toEqual([]);
    });

  check("what a container of it runs with is what the image says", async () => {
    await using box = await place();
    await box.ok(["import", "-o", "a.sqsh", `${scheme}://${images.configured}`]);
    const cat = (path: string) => host(["unsquashfs", "-cat", join(box.work, "a.sqsh"), path]);
    expect(await cat("etc/environment")).toContain("SPACES=a b  c\n");
    await box.ok(["create", "-n", "a", "a.sqsh"]);
    expect(await box.ok(["start", "a"])).toBe("default a b\n");
    expect(await box.ok(["start", "a", "other"])).toBe("other\n");
    expect(await cat("etc/rc")).toContain("/srv/work");
  });

  check("an image by its id", async () => {
    await using box = await place();
    const id = (await engine.run("image", "inspect", "--format", "{{.Id}}", images.small)).trim();
    await box.ok(["import", "-o", "a.sqsh", `${scheme}://${id.replace("sha256:", "")}`]);
    expect(await readdir(box.work)).toEqual(["a.sqsh"]);
  });

  check("the files are those of the same image from a registry", async () => {
    await using box = await place();
    await box.ok(["import", "-o", "a.sqsh", `${scheme}://${images.small}`]);
    await box.ok(["create", "-n", "a", "a.sqsh"]);
    expect(await box.ok(["start", "a", "sh", "-c", "echo $SMALL"])).toBe("yes\n");
  });

  improvement("bash enroot loads from registries alone", "load makes a container", async () => {
    await using box = await place();
    await box.ok(["load", "-n", "a", `${scheme}://${images.small}`]);
    expect(await box.ok(["start", "a", "sh", "-c", "echo $SMALL"])).toBe("yes\n");
    expect(await engine.content()).toBe(before);
  });

  improvement(
    "bash enroot does not compare them",
    "an image of another architecture is taken silently when that is asked for",
    async () => {
      await using box = await place();
      const args = ["-o", "a.sqsh", `${scheme}://${images.foreign}`];
      const asked = await box.enroot(["import", "-a", foreignArchitecture, ...args]);
      expect(asked).toMatchObject({ status: 0 });
      expect(asked.stderr).not.toContain("architecture");
      await box.run(["rm", "a.sqsh"]);
      expect((await box.enroot(["import", ...args])).stderr).toContain("architecture");
    },
  );

  check("an image that is nowhere is refused, and nothing is left", async () => {
    await using box = await place();
    const result = await box.enroot(["import", `${scheme}://127.0.0.1:1/test/none`]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("127.0.0.1:1/test/none");
    expect(await readdir(box.work)).toEqual([]);
    expect(await readdir(box.temp)).toEqual([]);
    expect(await engine.content()).toBe(before);
  });

  check("an import that is interrupted leaves neither a file nor anything in the engine", async () => {
    await using box = await place();
    const running = box.start(["import", "-o", "a.sqsh", `${scheme}://${images.configured}`]);
    while (!running.stderr().includes("Fetching")) await Bun.sleep(5);
    running.kill("SIGTERM");
    const { signal, status } = await running.exited;
    expect(signal ?? status).toBeOneOf(["SIGTERM", 143, 0]);
    expect((await readdir(box.work)).filter((name) => name !== "a.sqsh")).toEqual([]);
    expect(await readdir(box.temp)).toEqual([]);
    expect(await engine.content()).toBe(before);
  });

  check("four imports at once", async () => {
    await using box = await place();
    const names = ["a", "b", "c", "d"];
    await Promise.all(names.map((name) => box.ok(["import", "-o", name, `${scheme}://${images.small}`])));
    expect((await readdir(box.work)).toSorted()).toEqual(names);
    expect(await engine.content()).toBe(before);
  });
});

describe("an engine that does not answer", () => {
  test.skipIf(!here.dockerd)("dockerd:// says that the daemon is not there", async () => {
    await using box = await sandbox({ env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } });
    const { status, stderr } = await box.enroot(["import", "dockerd://test/small"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/daemon/i);
    expect(stderr).not.toContain("    at ");
  });
});
