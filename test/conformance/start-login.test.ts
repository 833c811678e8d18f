// SPDX-License-Identifier: Apache-2.0
// Logging in to a container as its login.defs wants it, and what a first word that is a file means.
// Also with containers that are datasets.
import { expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sandbox } from "../harness/index.ts";
import { container } from "./container.ts";

test("the message of the day greets a shell, not a command, and may be hushed", async () => {
  await using box = await sandbox();
  await container(box, {
    "etc/login.defs": "MOTD_FILE /etc/motd:/etc/motd.d/more:/not/there\nHUSHLOGIN_FILE .hush\n",
    "etc/motd": "welcome\n",
    "etc/motd.d/more": "to this\n",
  });
  const shell = () => box.ok(["start", "--rw", "box"], { stdin: "echo in; touch ~/.hush\n" });
  expect(await box.ok(["start", "box", "echo", "command"])).toBe("command\n");
  expect(await shell()).toBe("welcome\nto this\nin\n");
  expect(await shell()).toBe("in\n");
});

test("nobody but root gets in while there is a file nologin, which is shown", async () => {
  await using box = await sandbox();
  await container(box, { "etc/nologin": "closed\n" });
  expect(await box.enroot(["start", "box", "echo", "in"])).toMatchObject({ status: 0, stdout: "closed\n" });
  expect(await box.ok(["start", "--root", "box", "echo", "in"])).toBe("in\n");
});

test("time zone and umask are those of login.defs", async () => {
  await using box = await sandbox();
  const { inside, rootfs } = await container(box, { "etc/login.defs": "ENV_TZ TZ=XYZ-3\nUMASK 027\n" });
  expect(await inside("date +%Z; umask")).toBe("XYZ\n0027\n");
  await writeFile(join(rootfs, "etc/login.defs"), "UMASK 027\nUSERGROUPS_ENAB yes\n");
  expect(await inside("umask", ["--root"])).toBe("0027\n");
});

test("another shell than the user's may be named", async () => {
  await using box = await sandbox();
  const { rootfs } = await container(box, { "etc/login.defs": "FAKE_SHELL /bin/fake\n" });
  await writeFile(join(rootfs, "bin/fake"), '#!/bin/sh\necho "fake $0: $*"\n');
  await chmod(join(rootfs, "bin/fake"), 0o755);
  expect(await box.ok(["start", "box", "echo", "in"])).toBe('fake /bin/fake: -c exec "$@" fake echo in\n');
});

test("a first word that is a file to read is a script for the shell", async () => {
  await using box = await sandbox();
  await container(box, { "srv/script": 'echo "script $*"\n' });
  expect(await box.ok(["start", "box", "/srv/script", "a", "b c"])).toBe("script a b c\n");
});

test("the lock cannot be written to in a container", async () => {
  await using box = await sandbox();
  const { inside } = await container(box);
  expect(await inside("true 2> /dev/null > /.lock || echo refused", ["--rw"])).toBe("refused\n");
});

test("a second start waits until the hooks of the first are done", async () => {
  await using box = await sandbox();
  await container(box);
  const hook = 'NAME=$2\nhooks() { echo "begin $NAME" >> order; sleep 0.3; echo "end $NAME" >> order; }\n';
  await writeFile(join(box.work, "conf"), hook);
  await Promise.all(["a", "b"].map((name) => box.ok(["start", "-c", "conf", "box", "true", name])));
  const order = (await box.run(["cat", "order"])).stdout;
  expect(order).toMatch(/^(begin (a|b)\nend \2\n){2}$/);
});
