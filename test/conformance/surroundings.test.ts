// SPDX-License-Identifier: Apache-2.0
// Starts in odd places and large numbers.
// Also with containers that are datasets.
import { expect, test } from "bun:test";
import { enrootBinary, sandbox } from "../harness/index.ts";
import { container } from "./container.ts";
import { busybox, image } from "./image.ts";
import { improvement } from "./improvement.ts";

test("50 starts of one container, ten at a time", async () => {
  await using box = await sandbox();
  await container(box);
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => box.enroot(["start", "box", "sh", "-c", `exit ${index}`])),
    );
    expect(results.map(({ status }) => status)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
}, 60_000);

improvement.among(
  [["with space.sqsh"], ["new\nline.sqsh"], ["-dash.sqsh"], ["$(id).sqsh"], ["ünï.sqsh"]],
  "bash enroot takes them for its own",
  [["'quotes\".sqsh"]],
)("an image file of the name %j starts, and its copy is created", async (name) => {
  await using box = await sandbox();
  const file = await image(box, busybox, name);
  expect(await box.ok(["start", file, "echo", "up"])).toBe("up\n");
  await box.ok(["create", "-n", "box", "--", file]);
  expect(await box.ok(["start", "box", "echo", "up"])).toBe("up\n");
});

test("HOME may be unset, or a place that is not there", async () => {
  await using box = await sandbox();
  await container(box);
  const command = [enrootBinary(), "start", "box", "echo", "up"];
  expect((await box.run(["env", "-u", "HOME", ...command])).stdout).toBe("up\n");
  expect((await box.run(["env", "HOME=/nonexistent", ...command])).stdout).toBe("up\n");
});

test("the working directory may be unreadable, or gone", async () => {
  await using box = await sandbox();
  await container(box);
  const enroot = enrootBinary();
  const script = `mkdir closed gone; cd closed; chmod 0 .; '${enroot}' start box echo closed; cd ../gone; rmdir ../gone; '${enroot}' start box echo gone`;
  expect((await box.run(["sh", "-c", script])).stdout).toBe("closed\ngone\n");
});

test("/run may be missing", async () => {
  await using box = await sandbox();
  await container(box);
  // A root directory that has all of the real one but /run.
  const prepare = `mkdir -p ${box.root}/machine; mount -t tmpfs none ${box.root}/machine; cd ${box.root}/machine
    for name in $(ls -A /); do
      if [ "$name" = run ]; then :
      elif [ -L "/$name" ]; then cp -P "/$name" .
      elif [ -d "/$name" ]; then mkdir "$name"; mount --rbind "/$name" "$name"; fi
    done
    mkdir old; /sbin/pivot_root . old; umount -l old; rmdir old; cd /`;
  expect((await box.run(["ls", "/run"], { prepare })).status).not.toBe(0);
  expect(await box.ok(["start", "box", "echo", "up"], { prepare })).toBe("up\n");
});

test("arguments and variables as long as the kernel takes them", async () => {
  await using box = await sandbox();
  await container(box);
  const long = "x".repeat(120_000);
  expect(
    await box.ok(["start", "box", "sh", "-c", 'echo "${#1},${#LONG}"', "sh", long], { env: { LONG: long } }),
  ).toBe("120000,0\n");
  expect(
    await box.ok(["start", "-e", "LONG", "box", "sh", "-c", 'echo "${#LONG}"'], { env: { LONG: long } }),
  ).toBe("120000\n");
  const many = Array.from({ length: 20_000 }, (_, index) => `word-${index}`);
  expect(await box.ok(["start", "box", "sh", "-c", 'echo "$#,$1,${20000}"', "sh", ...many])).toBe(
    "20000,word-0,word-19999\n",
  );
});
