// SPDX-License-Identifier: Apache-2.0
// What settings are when nobody sets them, and how they reach what they are for.
// Also with containers that are datasets.
import { expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Sandbox, sandbox } from "../harness/index.ts";
import { configured } from "./configured.ts";
import { container } from "./container.ts";
import { busybox, image } from "./image.ts";
import { improvement } from "./improvement.ts";

/** Takes the sandbox's own directories away. */
const none = {
  ENROOT_CONFIG_PATH: undefined,
  ENROOT_CACHE_PATH: undefined,
  ENROOT_DATA_PATH: undefined,
  ENROOT_RUNTIME_PATH: undefined,
  ENROOT_TEMP_PATH: undefined,
};

async function settings(
  box: Sandbox,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const { enroot } = await configured(box, {});
  const { stdout } = await enroot(["info"], { env });
  return Object.fromEntries([...stdout.matchAll(/^ {2}(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));
}

test("directories are below HOME", async () => {
  await using box = await sandbox();
  const found = await settings(box, { ...none, XDG_RUNTIME_DIR: box.runtime });
  expect(found).toMatchObject({
    ENROOT_CONFIG_PATH: `${box.home}/.config/enroot`,
    ENROOT_CACHE_PATH: `${box.home}/.cache/enroot`,
    ENROOT_DATA_PATH: `${box.home}/.local/share/enroot`,
    ENROOT_RUNTIME_PATH: `${box.runtime}/enroot`,
    ENROOT_TEMP_PATH: "/tmp",
  });
});

test("or where the XDG variables and TMPDIR say", async () => {
  await using box = await sandbox();
  const found = await settings(box, {
    ...none,
    XDG_CONFIG_HOME: `${box.home}/a`,
    XDG_CACHE_HOME: `${box.home}/b`,
    XDG_DATA_HOME: `${box.home}/c`,
    XDG_RUNTIME_DIR: `${box.home}/d`,
    TMPDIR: box.temp,
  });
  expect(found).toMatchObject({
    ENROOT_CONFIG_PATH: `${box.home}/a/enroot`,
    ENROOT_CACHE_PATH: `${box.home}/b/enroot`,
    ENROOT_DATA_PATH: `${box.home}/c/enroot`,
    ENROOT_RUNTIME_PATH: `${box.home}/d/enroot`,
    ENROOT_TEMP_PATH: box.temp,
  });
});

test("the rest has its defaults, and what is off is not set", async () => {
  await using box = await sandbox();
  const found = await settings(box, {});
  const processors = (await box.run(["nproc"])).stdout.trim();
  expect(found).toMatchObject({
    ENROOT_MAX_PROCESSORS: processors,
    ENROOT_MAX_CONNECTIONS: "10",
    ENROOT_CONNECT_TIMEOUT: "30",
    ENROOT_TRANSFER_TIMEOUT: "0",
    ENROOT_TRANSFER_RETRIES: "0",
    ENROOT_LOGIN_SHELL: expect.stringMatching(/^(yes|true)$/),
    ENROOT_NATIVE_OVERLAYFS: expect.stringMatching(/^(yes|true)$/),
  });
  const off =
    "ALLOW_SUPERUSER ALLOW_HTTP ROOTFS_WRITABLE REMAP_ROOT UNSHARE_NET UNSHARE_PID UNSHARE_IPC UNSHARE_UTS";
  const more = "BUNDLE_ALL BUNDLE_CHECKSUM FORCE_OVERRIDE MOUNT_HOME RESTRICT_DEV";
  for (const name of `${off} ${more}`.split(" ")) expect(found).not.toHaveProperty(`ENROOT_${name}`);
});

test("n, no, f and false in any usual letters are off", async () => {
  await using box = await sandbox();
  const values = ["n", "no", "N", "NO", "f", "F", "false", "False", "FALSE"];
  const files = Object.fromEntries(
    values.map((value, index) => [`ENROOT_SITE_${"ABCDEFGHI"[index]}`, value]),
  );
  const text = Object.entries(files).map(([name, value]) => `${name} ${value}\n`);
  const { enroot } = await configured(box, { "enroot.conf": `${text.join("")}ENROOT_SITE_Y nope\n` });
  const { stdout } = await enroot(["info"]);
  expect(stdout.match(/ENROOT_SITE_\w+=.*/g)).toEqual(["ENROOT_SITE_Y=nope"]);
});

test("nothing that a user sets is run or replaced", async () => {
  await using box = await sandbox();
  await container(box);
  const value = `$(touch ${box.work}/made) \`touch ${box.work}/made\` \${HOME}`;
  expect(await box.ok(["info"], { env: { ENROOT_SITE_VALUE: value } })).toContain(
    `ENROOT_SITE_VALUE=${value}\n`,
  );
  await mkdir(join(box.config, "environ.d"));
  await writeFile(join(box.config, "environ.d/1.env"), `VALUE=$(touch ${box.work}/made) \`id\`\n`);
  const shown = await box.ok(["start", "box", "sh", "-c", 'echo "$VALUE"']);
  expect(shown).toBe(`$(touch ${box.work}/made) \`id\`\n`);
  expect(await readdir(box.work)).toEqual([]);
});

test("hooks get the variables of drivers, certificates and proxies from the configuration, and no others", async () => {
  await using box = await sandbox();
  await container(box);
  const { enroot } = await configured(box, {
    "enroot.conf": `NVIDIA_SITE 1
MELLANOX_SITE=2
SSL_CERT_DIR /certificates
https_proxy http://proxy.example:1
no_proxy .example
OTHER 3
PATH /evil
`,
    "hooks.d/00-show.sh": "#!/bin/sh\nenv | sort >&2\n",
  });
  const { stderr } = await enroot(["start", "box", "true"]);
  const found = stderr
    .split("\n")
    .filter((line) => /^(NVIDIA|MELLANOX|SSL|http|no_|OTHER|PATH=.*evil)/.test(line));
  expect(found).toEqual([
    "MELLANOX_SITE=2",
    "NVIDIA_SITE=1",
    "SSL_CERT_DIR=/certificates",
    "https_proxy=http://proxy.example:1",
    "no_proxy=.example",
  ]);
});

improvement(
  "bash enroot hands the 0 to unsquashfs, which refuses it",
  "processors and connections may be unlimited",
  async () => {
    await using box = await sandbox({ env: { ENROOT_MAX_PROCESSORS: "0", ENROOT_MAX_CONNECTIONS: "0" } });
    await box.ok(["create", "-n", "box", await image(box, busybox)]);
    await box.ok(["export", "box"]);
    expect((await box.run(["ls", join(box.work, "box.sqsh")])).status).toBe(0);
  },
);
