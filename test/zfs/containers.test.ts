// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: containers are clones of templates, from their making to their end.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, start, until } from "../harness/index.ts";
import { lines, refusal, type Scene, scene } from "./scene.ts";

let place: Scene;
let file: string;

beforeAll(async () => {
  place = await scene();
  file = await image(place.box, `${busybox}; echo original > file; mkdir -m 555 closed; touch closed/file`);
});
afterAll(() => place[Symbol.asyncDispose]());

/** What a command in a container prints. */
function inside(name: string, script: string, options: readonly string[] = []): Promise<string> {
  return place.box.ok(["start", ...options, name, "sh", "-ec", script]);
}

describe("create", () => {
  test("makes a template of an image the first time, and clones it from then on", async () => {
    const { box } = place;
    const first = await box.enroot(["create", "-n", "first", file]);
    expect(first).toMatchObject({ status: 0, stdout: "" });
    expect(first.stderr).toContain("Extracting squashfs filesystem");
    const second = await box.enroot(["create", "-n", "second", file]);
    expect(second).toMatchObject({ status: 0, stdout: "", stderr: "" });
    const key = (await host(["sha256sum", file])).slice(0, 64);
    expect(await place.templates()).toEqual([key]);
    for (const name of ["first", "second"])
      expect(await place.property("origin", name)).toBe(`${place.store.dataset}/.templates/${key}@pristine`);
    expect(await inside("second", "cat /file")).toBe("original\n");
  });

  test("leaves the template read-only and unmounted", async () => {
    const [key = ""] = await place.templates();
    expect(await place.property("readonly", `.templates/${key}`)).toBe("on");
    expect(await place.property("mounted", `.templates/${key}`)).toBe("no");
    expect(await readdir(join(place.store.path, ".templates"))).toEqual([]);
  });

  test("gives each container files of its own", async () => {
    await inside("first", "echo changed > /file", ["--rw"]);
    expect(await inside("first", "cat /file")).toBe("changed\n");
    expect(await inside("second", "cat /file")).toBe("original\n");
  });

  test.each(["ubuntu+22.04", "a b", "ä", "-n", "100%"])("takes the name %p", async (name) => {
    const { box } = place;
    await box.ok(["create", "-n", name, file]);
    expect(lines(await box.ok(["list"]))).toContain(name);
    expect(existsSync(join(box.data, name, "file"))).toBe(true);
    expect(await place.box.ok(["start", "--", name, "cat", "/file"])).toBe("original\n");
    await box.ok(["remove", "-f", "--", name]);
    expect(lines(await box.ok(["list"]))).not.toContain(name);
    expect(existsSync(join(box.data, name))).toBe(false);
  });

  test("refuses a name that is taken, and changes nothing", async () => {
    const before = await place.datasets();
    expect(refusal(await place.box.enroot(["create", "-n", "first", file]))).toContain("File already exists");
    expect(await place.datasets()).toEqual(before);
    expect(await inside("first", "cat /file")).toBe("changed\n");
  });

  test("replaces a container with --force", async () => {
    await place.box.ok(["create", "-f", "-n", "first", file]);
    expect(await inside("first", "cat /file")).toBe("original\n");
    await place.settled();
  });

  test("that is forced keeps the old container when there is no image", async () => {
    expect(refusal(await place.box.enroot(["create", "-f", "-n", "first", "/nothing.sqsh"]))).toContain(
      "No such file",
    );
    expect(await inside("first", "cat /file")).toBe("original\n");
  });

  test("has one of many at once extract, and all of them succeed", async () => {
    const { box } = place;
    const other = await image(box, `${busybox}; echo other > file`, "other.sqsh");
    const names = Array.from({ length: 6 }, (_, index) => `many-${index}`);
    const results = await Promise.all(names.map((name) => box.enroot(["create", "-n", name, other])));
    expect(results.map(({ status }) => status)).toEqual(names.map(() => 0));
    expect(results.filter(({ stderr }) => stderr.includes("Extracting"))).toHaveLength(1);
    expect(await place.templates()).toHaveLength(2);
    for (const name of names) expect(await inside(name, "cat /file")).toBe("other\n");
    await box.ok(["remove", "-f", ...names]);
  });

  test("of many with one name lets one win", async () => {
    const { box } = place;
    const results = await Promise.all(
      Array.from({ length: 4 }, () => box.enroot(["create", "-n", "one", file])),
    );
    expect(results.map(({ status }) => status).sort()).toEqual([0, 1, 1, 1]);
    expect(await inside("one", "cat /file")).toBe("original\n");
    await box.ok(["remove", "-f", "one"]);
  });

  test("with a damaged image leaves nothing", async () => {
    const { box } = place;
    const before = await place.datasets();
    await box.run(["sh", "-c", `head -c 20000 "$0" > damaged.sqsh`, file]);
    expect((await box.enroot(["create", "damaged.sqsh"])).status).toBe(1);
    expect(await place.datasets()).toEqual(before);
    expect(lines(await box.ok(["list"]))).not.toContain("damaged");
  });
});

describe("an extraction", () => {
  // Large enough that it can be met in the middle.
  const large = `${busybox}; for n in 1 2 3 4 5 6 7 8; do head -c 20000000 /dev/urandom > big$n; done`;
  const begun = async (): Promise<boolean> => (await place.datasets()).some((name) => name.includes(".new."));

  test("that is interrupted leaves nothing", async () => {
    const { box } = place;
    const path = await image(box, large, "interrupted.sqsh", ["-noI", "-noD", "-noF"]);
    const before = await place.datasets();
    const running = box.start(["create", path]);
    await until("the extraction to begin", begun);
    running.kill("SIGTERM");
    expect(await running.exited).toMatchObject({ signal: "SIGTERM" });
    expect(await place.datasets()).toEqual(before);
    expect(await readdir(join(place.store.path, ".templates"))).toEqual([]);
  });

  test("that is killed is redone at once by the next, and its remains go", async () => {
    const { box } = place;
    const path = await image(box, large, "killed.sqsh", ["-noI", "-noD", "-noF"]);
    const running = box.start(["create", path]);
    await until("the extraction to begin", begun);
    running.kill("SIGKILL");
    await running.exited;
    await box.ok(["create", path]);
    expect(await inside("killed", "ls /big8")).toBe("/big8\n");
    await until("its remains to be swept", async () => {
      await box.ok(["create", "-f", "-n", "sweeper", file]);
      return !(await begun());
    });
    await box.ok(["remove", "-f", "killed", "sweeper"]);
  });
});

describe("a container that is not mounted", () => {
  /** What a reboot leaves: the store is there, its containers are not. */
  async function reboot(): Promise<void> {
    const { store } = place;
    for (const name of ["first", "second"]) await host(["umount", join(store.path, name)]);
  }

  test("is listed", async () => {
    await reboot();
    expect(lines(await place.box.ok(["list"]))).toEqual(["first", "second"]);
  });

  test("is mounted by a start", async () => {
    expect(await inside("first", "cat /file")).toBe("original\n");
  });

  test("is mounted by an export", async () => {
    await place.box.ok(["export", "-o", "second.sqsh", "second"]);
    expect(await host(["unsquashfs", "-cat", join(place.box.work, "second.sqsh"), "file"])).toBe(
      "original\n",
    );
  });

  test("can be removed", async () => {
    await place.box.ok(["create", "-n", "third", file]);
    await host(["umount", join(place.store.path, "third")]);
    await place.box.ok(["remove", "-f", "third"]);
    expect(await place.datasets()).not.toContain("third");
  });

  test("that does not exist is not found", async () => {
    for (const command of [
      ["start", "nobody", "true"],
      ["remove", "-f", "nobody"],
      ["export", "nobody"],
    ])
      expect(refusal(await place.box.enroot(command))).toContain("No such file or directory");
    expect(existsSync(join(place.store.path, "nobody"))).toBe(false);
  });
});

describe("remove", () => {
  test("leaves the template", async () => {
    await place.box.ok(["create", "-n", "gone", file]);
    const before = await place.templates();
    await place.box.ok(["remove", "-f", "gone"]);
    expect(await place.templates()).toEqual(before);
    expect(existsSync(join(place.store.path, "gone"))).toBe(false);
  });

  test("of a running container takes its name at once, and its files when it ends", async () => {
    const { box } = place;
    await box.ok(["create", "-n", "busy", file]);
    const running = box.start(["start", "busy", "sh", "-c", "echo up; read line; cat /file"], {
      stdin: "pipe",
    });
    await until("the container to run", () => running.stdout() === "up\n");
    const result = await box.enroot(["remove", "-f", "busy"]);
    expect(result.status).toBe(0);
    expect(result.stderr).toMatch(/In use by process \d+ \(\S+\): busy goes when that has ended/);
    expect(lines(await box.ok(["list"]))).not.toContain("busy");
    await box.ok(["create", "-n", "busy", file]);
    await running.write("go\n");
    expect(await running.exited).toMatchObject({ status: 0, stdout: "up\noriginal\n" });
    await until("what is left to go", async () => {
      await box.ok(["create", "-f", "-n", "busy", file]);
      return !(await place.datasets()).some((name) => name.includes(".old."));
    });
    await box.ok(["remove", "-f", "busy"]);
  });

  test("names the process that works in the container's directory", async () => {
    const { box } = place;
    await box.ok(["create", "-n", "held", file]);
    const holder = start(["sh", "-c", "echo up; read line"], box.env, {
      cwd: join(box.data, "held"),
      stdin: "pipe",
    });
    try {
      await until("the process to run", () => holder.stdout() === "up\n");
      expect(refusal(await box.enroot(["remove", "-f", "held"]))).toContain(
        `it is in use by process ${holder.pid} (sh)`,
      );
      expect(lines(await box.ok(["list"]))).toContain("held");
    } finally {
      await holder.end();
      await holder.exited;
    }
    await box.ok(["remove", "-f", "held"]);
  });

  test("destroys no snapshot that is not enroot's, and names it", async () => {
    const { box } = place;
    await box.ok(["create", "-n", "kept", file]);
    const snapshot = `${place.store.dataset}/kept@backup`;
    await host(["zfs", "snapshot", snapshot]);
    expect(refusal(await box.enroot(["remove", "-f", "kept"]))).toContain(
      "Could not remove kept: it has @backup",
    );
    await host(["zfs", "destroy", snapshot]);
    await box.ok(["remove", "-f", "kept"]);
  });
});

test("list -f tells which container a process is in", async () => {
  const { box } = place;
  const running = box.start(["start", "first", "sh", "-c", "echo up; read line"], { stdin: "pipe" });
  await until("the container to run", () => running.stdout() === "up\n");
  const row = lines(await box.ok(["list", "-f"])).find((line) => line.startsWith("first"));
  expect(row).toContain(` ${running.pid} `);
  await running.end();
  await running.exited;
});

test("a directory that is no dataset's mount point is refused", async () => {
  const result = await place.box.enroot(["list"], { env: { ENROOT_DATA_PATH: place.box.work } });
  expect(refusal(result)).toContain("ENROOT_DATA_PATH is not the mount point of a ZFS dataset");
});
