// SPDX-License-Identifier: Apache-2.0
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { chmod, stat } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, sandbox, testUser } from "../harness/index.ts";
import { configured } from "./configured.ts";
import { expectedVersion, improvement } from "./improvement.ts";
import { installation } from "./installation.ts";
import { refusal } from "./refusal.ts";

/** The settings that `enroot info` shows. */
function settings(info: string): Record<string, string> {
  const lines = info.matchAll(/^ +(ENROOT_\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}

/** Paths of the data that are no dataset's. */
const plain = { chosenStore: false };
const none = { ENROOT_DATA_PATH: undefined, ENROOT_CACHE_PATH: undefined, ENROOT_RUNTIME_PATH: undefined };

test("info shows the version, the file and what is in force, sorted", async () => {
  await using box = await sandbox();
  const own = await configured(box, { "enroot.conf": "ENROOT_MAX_CONNECTIONS 5\n" });
  const { stdout } = await own.enroot(["info"], { env: { ENROOT_ALLOW_HTTP: "no", ENROOT_REMAP_ROOT: "y" } });
  expect(stdout).toStartWith(
    `Enroot version: ${expectedVersion}\nConfig file: ${own.sysconf}/enroot.conf\n\n`,
  );
  const shown = settings(stdout);
  expect(shown).toMatchObject({
    ENROOT_DATA_PATH: box.data,
    ENROOT_MAX_CONNECTIONS: "5",
    ENROOT_REMAP_ROOT: "y",
    ENROOT_SYSCONF_PATH: own.sysconf,
  });
  expect(shown).not.toHaveProperty("ENROOT_ALLOW_HTTP");
  expect(Object.keys(shown)).toEqual(Object.keys(shown).sort());
});

test("files in every accepted form", async () => {
  await using box = await sandbox();
  const own = await configured(box, {
    "enroot.conf": `# A comment
ENROOT_DATA_PATH	${box.root}/data-$(id -u)
ENROOT_CACHE_PATH=\${ENROOT_DATA_PATH}/../cache   # where blobs are
  ENROOT_TEMP_PATH = "${box.root}/a  b"
ENROOT_SQUASH_OPTIONS -comp zstd   -Xcompression-level 3
ENROOT_ZSTD_OPTIONS '-T0 $HOME'
ENROOT_GZIP_PROGRAM $(printf '%s' pigz)
ENROOT_MAX_PROCESSORS \${NOT_SET:-3}
ENROOT_CONFIG_PATH ~/conf
UNKNOWN_KEY $(touch ${box.root}/evaluated)
`,
    "enroot.conf.d/10.conf": "ENROOT_TRANSFER_RETRIES 4\n",
    "enroot.conf.d/20.conf": "ENROOT_TRANSFER_TIMEOUT 9\n",
    "enroot.conf.d/README": "ENROOT_CONNECT_TIMEOUT 1\n",
  });
  const env = {
    ...none,
    ENROOT_TEMP_PATH: undefined,
    ENROOT_CONFIG_PATH: undefined,
    ENROOT_RUNTIME_PATH: box.runtime,
  };
  const result = await own.enroot(["info"], { env });
  expect(result.stderr).toBe("");
  expect(settings(result.stdout)).toMatchObject({
    ENROOT_DATA_PATH: `${box.root}/data-${testUser().uid}`,
    ENROOT_CACHE_PATH: `${box.root}/data-${testUser().uid}/../cache`,
    ENROOT_TEMP_PATH: `${box.root}/a  b`,
    ENROOT_SQUASH_OPTIONS: "-comp zstd -Xcompression-level 3",
    ENROOT_ZSTD_OPTIONS: "-T0 $HOME",
    ENROOT_GZIP_PROGRAM: "pigz",
    ENROOT_MAX_PROCESSORS: "3",
    ENROOT_CONFIG_PATH: `${box.home}/conf`,
    ENROOT_TRANSFER_RETRIES: "4",
    ENROOT_TRANSFER_TIMEOUT: "9",
    ENROOT_CONNECT_TIMEOUT: "30",
  });
  expect(await Bun.file(join(box.root, "evaluated")).exists()).toBe(false);
});

test("the environment beats the files, n included", async () => {
  await using box = await sandbox();
  const own = await configured(box, { "enroot.conf": "ENROOT_REMAP_ROOT yes\nENROOT_MOUNT_HOME yes\n" });
  const shown = settings((await own.enroot(["info"], { env: { ENROOT_REMAP_ROOT: "n" } })).stdout);
  expect(shown).not.toHaveProperty("ENROOT_REMAP_ROOT");
  expect(shown).toMatchObject({ ENROOT_MOUNT_HOME: "yes", ENROOT_DATA_PATH: box.data });
});

describe("the environment of a Slurm epilog", () => {
  test("has a PATH and nothing else", async () => {
    await using box = await sandbox(plain);
    const own = await configured(box, {
      "enroot.conf": `ENROOT_DATA_PATH ${box.root}/$(id -u)/data\nENROOT_CACHE_PATH ${box.root}/$(id -un)/cache\n`,
    });
    const bare = Object.fromEntries(Object.keys(box.env).map((name) => [name, undefined]));
    const result = await own.enroot(["list", "-f"], {
      env: { ...bare, PATH: "/usr/local/bin:/usr/bin:/bin" },
    });
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout).toStartWith("NAME");
    const data = await stat(join(box.root, String(testUser().uid), "data"));
    expect(data.mode & 0o777).toBe(0o700);
  });
});

improvement("bash enroot has its paths built in", "an installation can be copied", async () => {
  await using box = await sandbox();
  const own = await installation(box, { "enroot.conf": "ENROOT_MAX_CONNECTIONS 5\n" });
  const { stdout } = await own.enroot(["info"]);
  expect(stdout).toContain(`Config file: ${own.sysconf}/enroot.conf\n`);
  expect(settings(stdout)).toMatchObject({ ENROOT_MAX_CONNECTIONS: "5", ENROOT_SYSCONF_PATH: own.sysconf });
});

describe("directories", () => {
  test("are made for the caller alone, whatever the umask", async () => {
    await using box = await sandbox(plain);
    const env = { ...none, XDG_RUNTIME_DIR: `${box.home}/run`, XDG_CACHE_HOME: "" };
    const result = await box.run(["sh", "-c", 'umask 0; exec "$@"', "-", enrootBinary(), "list"], {
      env,
    });
    expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
    for (const name of ["run/enroot", ".cache/enroot", ".local/share/enroot", ".local", ".cache"]) {
      expect([name, (await stat(join(box.home, name))).mode & 0o777]).toEqual([name, 0o700]);
    }
  });

  test("that cannot be made are named", async () => {
    await using box = await sandbox(plain);
    const result = await box.enroot(["list"], { env: { ENROOT_DATA_PATH: "/proc/none/data" } });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^[^\n]*\/proc\/none[^\n]*\n$/);
  });

  test("that cannot be read are named", async () => {
    await using box = await sandbox(plain);
    await chmod(box.data, 0);
    const result = await box.enroot(["list"]);
    await chmod(box.data, 0o700);
    expect(refusal(result)).toContain(box.data);
  });

  improvement("bash enroot does not name the setting", "are named together with their setting", async () => {
    await using box = await sandbox(plain);
    const result = await box.enroot(["list"], { env: { ENROOT_DATA_PATH: "/proc/none/data" } });
    expect(result.stderr).toMatch(/^\[ERROR\] [^\n]*\/proc\/none\/data[^\n]*ENROOT_DATA_PATH[^\n]*\n$/);
    await chmod(box.data, 0);
    const unreadable = await box.enroot(["list"]);
    await chmod(box.data, 0o700);
    expect(unreadable.stderr).toBe(
      `[ERROR] Could not read ${box.data}: permission denied (ENROOT_DATA_PATH must be a directory of yours)\n`,
    );
  });

  improvement(
    "bash enroot makes all before any command",
    "that a command does not need do not stop it",
    async () => {
      await using box = await sandbox(plain);
      const env = { ENROOT_RUNTIME_PATH: "/proc/none/run", ENROOT_CACHE_PATH: "/proc/none/cache" };
      expect(await box.enroot(["list"], { env })).toMatchObject({ status: 0, stderr: "" });
    },
  );
});

describe("what is wrong is one clear line", () => {
  improvement.each("bash enroot says on stdout that a file is wrong, and checks no values", [
    ['ENROOT_DATA_PATH "/x\n', "enroot.conf:1"],
    ["\n\nENROOT_MAX_CONNECTIONS ten\n", "ENROOT_MAX_CONNECTIONS"],
    ["ENROOT_STORAGE_BACKEND ext4\n", "ENROOT_STORAGE_BACKEND"],
    ["ENROOT_STORAGE_BACKEND zfs\n", "zfs"],
  ])("%j", async (text, words) => {
    await using box = await sandbox(plain);
    const own = await configured(box, { "enroot.conf": text });
    const result = await own.enroot(["list"], { env: none });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toMatch(/^\[ERROR\] [^\n]+\n$/);
    expect(result.stderr).toContain(words);
  });
});
