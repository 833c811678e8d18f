// SPDX-License-Identifier: Apache-2.0
// create that is interrupted, and several at once.
// Also with containers that are datasets, in every run.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  enrootBinary,
  inStore,
  isUnpacking,
  processesOf,
  type Sandbox,
  sandbox,
  start,
  testUser,
  until,
} from "../harness/index.ts";
import { image } from "./image.ts";
import { improvement } from "./improvement.ts";

const { uid } = testUser();
const plain = "mkdir etc; echo text > etc/file";

const slow = `yes | head -c 300M > big
  for i in $(seq 40); do mkdir $i; for j in $(seq 40); do : > $i/$j; done; done`;

let elsewhere: Sandbox;
/** An image that takes a while to unpack. */
let large: string;

beforeAll(async () => {
  // There is one store of datasets at a time.
  elsewhere = await sandbox({ chosenStore: false });
  large = await image(elsewhere, slow);
});
afterAll(() => elsewhere[Symbol.asyncDispose]());

describe("interrupted", () => {
  improvement.each("bash enroot leaves half a container", [["SIGTERM"], ["SIGINT"], ["SIGHUP"]] as const)(
    "by %s: it ends by it, with nothing left",
    async (signal) => {
      await using box = await sandbox();
      const child = box.start(["create", large]);
      await until("the unpacking", () => isUnpacking(box));
      child.kill(signal);
      const result = await child.exited;
      expect(result.signal).toBe(signal);
      expect(result.stderr).not.toContain("[ERROR]");
      expect(await inStore(box)).toEqual([]);
    },
  );

  improvement(
    "bash enroot leaves half a container",
    "by SIGKILL: no container, and the next create sweeps",
    async () => {
      await using box = await sandbox();
      const child = box.start(["create", large]);
      await until("the unpacking", () => isUnpacking(box));
      child.kill("SIGKILL");
      await child.exited;
      expect(await box.ok(["list"])).toBe("");
      await until("the end of its programs", async () => (await processesOf(uid, box.root)).length === 0);
      await box.ok(["create", "-n", "box", await image(box, plain, "small.sqsh")]);
      expect(await inStore(box)).toEqual(["box"]);
    },
  );

  test("with signals ignored by the caller it is not", async () => {
    await using box = await sandbox();
    const ignoring = ["env", "--ignore-signal=HUP", enrootBinary(), "create", large];
    const child = start(ignoring, box.env, { cwd: box.work });
    await until("the unpacking", () => isUnpacking(box));
    child.kill("SIGHUP");
    expect(await child.exited).toMatchObject({ status: 0 });
    expect(await inStore(box)).toEqual(["image"]);
  });
});

describe("at once", () => {
  test("for one name: one container, complete, and clear errors", async () => {
    await using box = await sandbox();
    const file = await image(box, plain);
    const results = await Promise.all([1, 2, 3].map(() => box.enroot(["create", "-n", "box", file])));
    const good = results.filter(({ status }) => status === 0);
    expect(good.length).toBe(1);
    for (const { status, stderr } of results) if (status !== 0) expect(stderr).toContain("exists");
    expect(await inStore(box)).toEqual(["box"]);
  });

  test("for different names", async () => {
    await using box = await sandbox();
    const file = await image(box, plain);
    await Promise.all(["a", "b", "c", "d"].map((name) => box.ok(["create", "-n", name, file])));
    expect(await box.ok(["list"])).toBe("a\nb\nc\nd\n");
  });
});
