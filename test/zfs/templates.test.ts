// SPDX-License-Identifier: Apache-2.0
// How long templates stay: live, warm and cold; the quota of the templates; a full store.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { busybox, image } from "../conformance/image.ts";
import { host } from "../harness/index.ts";
import { refusal, type Scene, scene } from "./scene.ts";

let place: Scene;
let files: string[];
let keys: string[];

beforeAll(async () => {
  place = await scene();
  files = [];
  // Of 4 MB each, which do not compress.
  for (const name of ["a", "b", "c"])
    files.push(await image(place.box, `${busybox}; head -c 4000000 /dev/urandom > ${name}`, `${name}.sqsh`));
  keys = await Promise.all(files.map(async (file) => (await host(["sha256sum", file])).slice(0, 64)));
});
afterAll(() => place[Symbol.asyncDispose]());

/** Makes a container of an image and removes it again. */
async function use(index: number, env: Record<string, string> = {}): Promise<void> {
  await place.box.ok(["create", "-n", "one", files[index] ?? ""], { env });
  await place.box.ok(["remove", "-f", "one"], { env });
}

/** Says of a template that it was last used so many seconds ago. */
async function age(index: number, seconds: number): Promise<void> {
  const time = Math.floor(Date.now() / 1000) - seconds;
  await host(["zfs", "set", `enroot:last_used=${time}`, `${place.store.dataset}/.templates/${keys[index]}`]);
}

const kept = async (): Promise<string[]> => {
  const templates = await place.templates();
  return ["a", "b", "c"].filter((_, index) => templates.includes(keys[index] ?? ""));
};

beforeEach(async () => {
  for (const key of await place.templates())
    await host(["zfs", "destroy", "-r", `${place.store.dataset}/.templates/${key}`]);
});

describe("properties", () => {
  test("say when a template was made and last used", async () => {
    await use(0);
    const name = `.templates/${keys[0]}`;
    expect(await place.property("enroot:imported", name)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await place.property("com.sun:auto-snapshot", name)).toBe("false");
    await age(0, 1000);
    const before = Number(await place.property("enroot:last_used", name));
    await use(0);
    expect(Number(await place.property("enroot:last_used", name))).toBeGreaterThan(before);
  });

  test("are shown by the documented command", async () => {
    await use(0);
    const columns = "name,enroot:uri,enroot:imported,enroot:last_used,used";
    const table = await host([
      "zfs",
      "list",
      "-o",
      columns,
      "-r",
      "-d",
      "1",
      `${place.store.dataset}/.templates`,
    ]);
    expect(table).toContain(keys[0] ?? "");
  });
});

describe("ENROOT_TEMPLATE_WARM_SECONDS", () => {
  test("keeps a template for a week by default", async () => {
    await use(0);
    await use(1);
    await age(0, 6 * 86400);
    await age(1, 8 * 86400);
    await use(2);
    expect(await kept()).toEqual(["a", "c"]);
  });

  test("of 0 has the next create take an unused template away", async () => {
    const env = { ENROOT_TEMPLATE_WARM_SECONDS: "0" };
    await use(0);
    await use(1, env);
    expect(await kept()).toEqual(["b"]);
  });

  test("of inf keeps it for ever", async () => {
    await use(0);
    await age(0, 1_000_000_000);
    await use(1, { ENROOT_TEMPLATE_WARM_SECONDS: "inf" });
    expect(await kept()).toEqual(["a", "b"]);
  });

  test("never takes a template that has clones", async () => {
    const env = { ENROOT_TEMPLATE_WARM_SECONDS: "0" };
    await place.box.ok(["create", "-n", "live", files[0] ?? ""]);
    await age(0, 1_000_000_000);
    await use(1, env);
    expect(await kept()).toContain("a");
    await place.box.ok(["remove", "-f", "live"]);
    await use(1, env);
    expect(await kept()).not.toContain("a");
  });

  test("that is no number is refused", async () => {
    const env = { ENROOT_TEMPLATE_WARM_SECONDS: "soon" };
    expect(refusal(await place.box.enroot(["create", files[0] ?? ""], { env }))).toContain(
      "Invalid number for ENROOT_TEMPLATE_WARM_SECONDS",
    );
  });
});

describe("the quota of the templates", () => {
  const parent = (): string => `${place.store.dataset}/.templates`;

  test("is kept below ENROOT_TEMPLATE_PRESSURE_THRESHOLD by taking the least recently used", async () => {
    await use(0);
    await use(1);
    await age(0, 100);
    await age(1, 200);
    await host(["zfs", "set", "quota=20M", parent()]);
    await use(2, { ENROOT_TEMPLATE_PRESSURE_THRESHOLD: "60" });
    expect(await kept()).toEqual(["a", "c"]);
    await host(["zfs", "set", "quota=none", parent()]);
  });

  test("without pressure takes none", async () => {
    await use(0);
    await host(["zfs", "set", "quota=100M", parent()]);
    await use(1);
    expect(await kept()).toEqual(["a", "b"]);
    await host(["zfs", "set", "quota=none", parent()]);
  });

  test("that is full has all unused templates go, and the extraction tried again", async () => {
    await use(0);
    await host(["zfs", "set", "quota=8M", parent()]);
    await use(1);
    expect(await kept()).toEqual(["b"]);
    await host(["zfs", "set", "quota=none", parent()]);
  });

  test("that nothing helps against is said in one line, with nothing left behind", async () => {
    await place.box.ok(["create", "-n", "live", files[0] ?? ""]);
    await host(["zfs", "set", "quota=8M", parent()]);
    expect(refusal(await place.box.enroot(["create", "-n", "two", files[1] ?? ""]))).toMatch(/quota|space/);
    await host(["zfs", "set", "quota=none", parent()]);
    await place.settled();
    expect(await place.box.ok(["list"])).toBe("live\n");
    await place.box.ok(["remove", "-f", "live"]);
  });
});
