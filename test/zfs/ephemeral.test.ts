// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: a start of an image is a clone that is gone when the container is.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { busybox, image } from "../conformance/image.ts";
import { until } from "../harness/index.ts";
import { type Scene, scene } from "./scene.ts";

let place: Scene;
let file: string;

beforeAll(async () => {
  place = await scene();
  file = await image(place.box, `${busybox}; echo original > file`);
});
afterEach(() => place.settled());
afterAll(() => place[Symbol.asyncDispose]());

const clones = async (): Promise<string[]> =>
  (await place.datasets()).filter((name) => name.startsWith(".ephemeral/"));

test("runs the command, which may write, and leaves nothing but the template", async () => {
  const script = "echo changed > /file; cat /file";
  expect(await place.box.ok(["start", "--rw", file, "sh", "-ec", script])).toBe("changed\n");
  await place.settled();
  expect(await place.box.ok(["start", file, "cat", "/file"])).toBe("original\n");
  expect(await place.templates()).toHaveLength(1);
  expect(await place.box.ok(["list"])).toBe("");
});

test("hands the command's status and signal on", async () => {
  expect(await place.box.enroot(["start", file, "sh", "-c", "exit 7"])).toMatchObject({ status: 7 });
  expect(await place.box.enroot(["start", file, "sh", "-c", "kill -TERM $$"])).toMatchObject({
    signal: "SIGTERM",
  });
});

test("is the process that the caller started, which exec finds", async () => {
  const { box } = place;
  const running = box.start(["start", file, "sh", "-c", "echo $$; read line; echo $line"], { stdin: "pipe" });
  await until("the container to run", () => running.stdout() !== "");
  expect(running.stdout()).toBe(`${running.pid}\n`);
  expect(await box.ok(["exec", String(running.pid), "cat", "/file"])).toBe("original\n");
  expect(await clones()).toHaveLength(1);
  await running.write("end\n");
  expect(await running.exited).toMatchObject({ status: 0, stdout: `${running.pid}\nend\n` });
});

test("is gone after kill -9", async () => {
  const running = place.box.start(["start", file, "sh", "-c", "echo up; read line"], { stdin: "pipe" });
  await until("the container to run", () => running.stdout() === "up\n");
  running.kill("SIGKILL");
  await running.exited;
});

test("waits for processes that its command has left in the container", async () => {
  const { box } = place;
  const script = "sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!";
  const pid = (await box.ok(["start", file, "sh", "-c", script])).trim();
  expect(await clones()).toHaveLength(1);
  expect(await box.ok(["exec", pid, "cat", "/file"])).toBe("original\n");
  await box.run(["kill", "-KILL", pid]);
});

test("keeps nothing of the caller's open", async () => {
  // `ok` reads the output to its end, which is only when nobody can write to it any more.
  await place.box.ok(["start", file, "true"], { timeout: 60 });
});

test("remains of a crash go with the next create", async () => {
  const { box } = place;
  const running = box.start(["start", file, "sh", "-c", "echo up; read line"], { stdin: "pipe" });
  await until("the container to run", () => running.stdout() === "up\n");
  // The watcher as well: nothing but the next command is left to clean up.
  await box.run(["pkill", "-KILL", "-x", "-P", "1", "enroot"]);
  running.kill("SIGKILL");
  await running.exited;
  expect(await clones()).toHaveLength(1);
  await until("the clone to be swept", async () => {
    await box.ok(["create", "-f", "-n", "sweeper", file]);
    return (await clones()).length === 0;
  });
});

test("of many at once each has its own", async () => {
  const { box } = place;
  const scripts = Array.from({ length: 5 }, (_, index) => `echo ${index} > /file; cat /file`);
  const results = await Promise.all(
    scripts.map((script) => box.ok(["start", "--rw", file, "sh", "-ec", script])),
  );
  expect(results).toEqual(scripts.map((_, index) => `${index}\n`));
});

test("of a damaged image leaves nothing", async () => {
  const { box } = place;
  const before = await place.datasets();
  await box.run(["sh", "-c", `head -c 20000 "$0" > damaged.sqsh`, file]);
  expect((await box.enroot(["start", "./damaged.sqsh", "true"])).status).toBe(1);
  expect(await place.datasets()).toEqual(before);
});
