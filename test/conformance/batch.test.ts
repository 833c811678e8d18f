// SPDX-License-Identifier: Apache-2.0
// batch: a configuration script that names its container.
// Also with containers that are datasets.
import { expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, type Sandbox, sandbox } from "../harness/index.ts";
import { container, own } from "./container.ts";
import { busybox, image } from "./image.ts";
import { refusal } from "./refusal.ts";

async function script(box: Sandbox, text: string, name = "job.batch"): Promise<string> {
  const path = join(box.work, name);
  await writeFile(path, text);
  await chmod(path, 0o755);
  await own(path);
  return path;
}

const environ = 'FIRST=$1\nenviron() {\n  echo "GREETING=hello ${FIRST}"\n}\n';

test("starts the container of the directive with the script as its configuration", async () => {
  await using box = await sandbox();
  await container(box);
  const path = await script(box, `#ENROOT_ROOTFS=box\n#ENROOT_ROOTFS_WRITABLE=y\n${environ}`);
  const out = await box.ok(["batch", path, "sh", "-c", 'echo "$GREETING"; : > /new && echo writable']);
  expect(out).toBe("hello sh\nwritable\n");
});

test("is an interpreter of scripts", async () => {
  await using box = await sandbox();
  await container(box);
  const path = await script(box, `#! ${enrootBinary()} batch\n#ENROOT_ROOTFS=box\n${environ}`);
  const result = await box.run([path, "sh", "-c", 'echo "$GREETING" "$@"; exit 4', "sh", "-x", ""]);
  expect(result).toMatchObject({ status: 4, stdout: "hello sh -x \n", stderr: "" });
});

test("the directive may name an image and use variables", async () => {
  await using box = await sandbox();
  const file = await image(box, busybox);
  const path = await script(box, `# ENROOT_ROOTFS=\${PLACE}/image.sqsh\n`);
  expect(file).toBe(join(box.work, "image.sqsh"));
  expect(await box.ok(["batch", path, "echo", "up"], { env: { PLACE: box.work } })).toBe("up\n");
});

test("a variable of the caller serves where there is no directive", async () => {
  await using box = await sandbox();
  await container(box);
  const path = await script(box, environ);
  expect(await box.ok(["batch", path, "echo", "up"], { env: { ENROOT_ROOTFS: "box" } })).toBe("up\n");
});

test("a script without the directive is refused", async () => {
  await using box = await sandbox();
  const path = await script(box, environ);
  expect(refusal(await box.enroot(["batch", path]))).toContain("ENROOT_ROOTFS");
});

test.each([
  ["a missing script", "missing.batch", undefined],
  ["a script with a syntax error", "job.batch", "#ENROOT_ROOTFS=box\nenviron() {\n"],
  ["a directive that names no container", "job.batch", "#ENROOT_ROOTFS=none\n"],
])("%s is refused", async (_, name, text) => {
  await using box = await sandbox();
  await container(box);
  if (text !== undefined) await script(box, text, name);
  const result = await box.enroot(["batch", name, "true"]);
  expect(result).toMatchObject({ status: 1, stdout: "" });
  expect(result.stderr).toContain("[ERROR] ");
});

test("without a script usage is printed", async () => {
  await using box = await sandbox();
  expect(await box.enroot(["batch"])).toMatchObject({
    status: 1,
    stdout: expect.stringContaining("Usage: enroot batch"),
  });
});
