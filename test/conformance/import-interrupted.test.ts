// SPDX-License-Identifier: Apache-2.0
// Imports that are interrupted, run at once, or run elsewhere: the final name means a complete image, always the same.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { imageRegistry } from "../fixtures/index.ts";
import { host, type Registry, type Running, type Sandbox, sandbox, until } from "../harness/index.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";
import { files } from "./surroundings.ts";

let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small", "odd", "medium"]);
}, 600_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
});

const image = "test/medium:mixed";

// The moments: the first bytes of the first blob are in the cache, and the output is being written.
const moments: Readonly<Record<string, (box: Sandbox) => Promise<boolean>>> = {
  "while it downloads": async (box) => (await readdir(box.cache, { recursive: true })).length > 0,
  "while it writes": async (box) => (await readdir(box.work)).length > 0,
};

async function importUntil(box: Sandbox, moment: string): Promise<Running> {
  const child = box.start(["import", "-o", "a.sqsh", registry.uri(image)]);
  const reached = moments[moment];
  await until(moment, () => reached?.(box));
  return child;
}

describe.each(Object.keys(moments))("%s", (moment) => {
  improvement.each("bash enroot leaves files, or goes on", [["SIGTERM"], ["SIGINT"], ["SIGHUP"]] as const)(
    "%s ends it without a trace",
    async (signal) => {
      await using box = await sandbox({ env: registry.env });
      const child = await importUntil(box, moment);
      child.kill(signal);
      expect(await child.exited).toMatchObject({ status: null, signal });
      expect(await files(box, box.work)).toBe("");
      expect(await files(box, box.temp)).toBe("");
    },
    60_000,
  );

  improvement(
    "bash enroot leaves files",
    "SIGKILL leaves nothing under the name, and the next import cleans up",
    async () => {
      await using box = await sandbox({ env: registry.env });
      const child = await importUntil(box, moment);
      child.kill("SIGKILL");
      expect((await child.exited).signal).toBe("SIGKILL");
      expect((await files(box, box.work)).split("\n")).not.toContain("a.sqsh");
      await box.ok(["import", "-o", "a.sqsh", registry.uri("test/small")]);
      expect(await files(box, box.work)).toBe("a.sqsh\n");
      expect(await files(box, box.temp)).toBe("");
      await host(["unsquashfs", "-quiet", "-lls", join(box.work, "a.sqsh")]);
    },
    60_000,
  );
});

describe("two at once", () => {
  test("of the same image to two files both end right", async () => {
    await using box = await sandbox({ env: registry.env });
    const names = ["a.sqsh", "b.sqsh"];
    await Promise.all(names.map((name) => box.ok(["import", "-o", name, registry.uri("test/small")])));
    for (const name of names) {
      await box.ok(["create", name]);
      expect(await box.ok(["start", name.replace(".sqsh", ""), "cat", "/etc/replaced"])).toBe("replaced\n");
    }
    expect((await files(box, box.work)).split("\n").toSorted().join(" ").trim()).toBe(names.join(" "));
    expect(await files(box, box.temp)).toBe("");
  }, 60_000);

  improvement(
    "bash enroot writes both into it",
    "to the same file: it is one of them, whole",
    async () => {
      await using box = await sandbox({ env: registry.env });
      const args = ["import", "-o", "a.sqsh", registry.uri("test/odd")];
      const results = await Promise.all([box.enroot(args), box.enroot(args)]);
      const failures = results.filter(({ status }) => status !== 0);
      expect(failures.length).toBeLessThan(2);
      for (const failure of failures) expect(refusal(failure)).toContain("a.sqsh");
      expect(await files(box, box.work)).toBe("a.sqsh\n");
      await box.ok(["import", "-o", "b.sqsh", registry.uri("test/odd")]);
      await host(["cmp", join(box.work, "a.sqsh"), join(box.work, "b.sqsh")]);
    },
    60_000,
  );
});

improvement(
  "bash enroot's have the time of their making",
  "one digest gives the same bytes with any cache, processors, connections and time zone",
  async () => {
    await using box = await sandbox({ env: registry.env });
    await using other = await sandbox({ env: registry.env });
    const one = { ENROOT_MAX_PROCESSORS: "1", ENROOT_MAX_CONNECTIONS: "1", TZ: "Asia/Tokyo", LANG: "C" };
    await box.ok(["import", "-o", "a.sqsh", registry.uri(image)]);
    await other.ok(["import", "-o", "a.sqsh", registry.uri(image)], { env: one });
    await host(["cmp", join(box.work, "a.sqsh"), join(other.work, "a.sqsh")]);
  },
  300_000,
);
