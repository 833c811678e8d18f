// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isOff } from "../../../src/config/keys.ts";
import {
  directSettings,
  loadSettings,
  overrideSettings,
  type Settings,
} from "../../../src/config/settings.ts";
import { temporary } from "../temporary.ts";

let place: ReturnType<typeof temporary>;
beforeEach(() => {
  place = temporary();
});
afterEach(() => place[Symbol.dispose]());

async function load(conf: string, environment: Record<string, string> = {}): Promise<Settings> {
  writeFileSync(join(place.path, "enroot.conf"), conf);
  const places = { library: "/lib", sysconf: place.path, helpers: "/bin" };
  return loadSettings({ HOME: "/home/u", ...environment }, places);
}

describe("defaults", () => {
  test("are the contract's", async () => {
    const settings = await load("");
    const { environment, exported, ...rest } = settings;
    expect(rest).toEqual({
      libraryPath: "/lib",
      sysconfPath: place.path,
      runtimePath: "/run/enroot",
      configPath: "/home/u/.config/enroot",
      cachePath: "/home/u/.cache/enroot",
      dataPath: "/home/u/.local/share/enroot",
      tempPath: "/tmp",
      helperPath: "/bin",
      squashOptions: undefined,
      gzipProgram: undefined,
      zstdOptions: "-1",
      maxProcessors: navigator.hardwareConcurrency,
      maxConnections: 10,
      connectTimeout: 30,
      transferTimeout: 0,
      transferRetries: 0,
      loginShell: true,
      allowSuperuser: false,
      allowHttp: false,
      rootfsWritable: false,
      remapRoot: false,
      unshareNet: false,
      unsharePid: false,
      unshareIpc: false,
      unshareUts: false,
      nativeOverlayfs: true,
      bundleAll: false,
      bundleChecksum: false,
      forceOverride: false,
      mountHome: false,
      restrictDev: false,
      storageBackend: "dir",
      templateWarmSeconds: 604800,
      templatePressureThreshold: 80,
      importFormat: "squashfs",
      zfsLayerChain: false,
      configFile: join(place.path, "enroot.conf"),
    });
    expect(environment.get("XDG_DATA_HOME")).toBe("/home/u/.local/share");
    expect([...exported.keys()]).toEqual([...exported.keys()].sort());
    expect(exported.has("ENROOT_ALLOW_HTTP")).toBe(false);
  });

  test("follow the XDG directories and TMPDIR", async () => {
    const settings = await load("", {
      XDG_DATA_HOME: "/d",
      XDG_CONFIG_HOME: "/c",
      XDG_CACHE_HOME: "/k",
      XDG_RUNTIME_DIR: "/r",
      TMPDIR: "/t",
    });
    const { dataPath, configPath, cachePath, runtimePath, tempPath } = settings;
    expect([dataPath, configPath, cachePath, runtimePath, tempPath]).toEqual([
      "/d/enroot",
      "/c/enroot",
      "/k/enroot",
      "/r/enroot",
      "/t",
    ]);
  });

  test("take the home directory from the password database where HOME is not set", async () => {
    const home = (await Bun.$`getent passwd ${process.geteuid?.() ?? 0}`.text()).split(":")[5];
    expect((await load("", { HOME: "" })).dataPath).toBe(`${home}/.local/share/enroot`);
  });
});

describe("precedence", () => {
  test("the environment beats the file, if it is not empty", async () => {
    const conf = "ENROOT_DATA_PATH /file\nENROOT_CACHE_PATH /file\n";
    const settings = await load(conf, { ENROOT_DATA_PATH: "/env", ENROOT_CACHE_PATH: "" });
    expect([settings.dataPath, settings.cachePath]).toEqual(["/env", "/file"]);
  });
  test("the first file that sets something has it", async () => {
    mkdirSync(join(place.path, "enroot.conf.d"));
    writeFileSync(join(place.path, "enroot.conf.d/10.conf"), "ENROOT_DATA_PATH /a\nENROOT_CACHE_PATH /a\n");
    writeFileSync(join(place.path, "enroot.conf.d/20.conf"), "ENROOT_TEMP_PATH /b\nENROOT_CACHE_PATH /b\n");
    const { dataPath, cachePath, tempPath } = await load("ENROOT_DATA_PATH /main\n");
    expect([dataPath, cachePath, tempPath]).toEqual(["/main", "/a", "/b"]);
  });
  test("n in the environment switches off what the file switches on", async () => {
    const conf = "ENROOT_REMAP_ROOT yes\nENROOT_MOUNT_HOME y\n";
    const settings = await load(conf, { ENROOT_REMAP_ROOT: "n" });
    expect([settings.remapRoot, settings.mountHome]).toEqual([false, true]);
    expect(settings.environment.has("ENROOT_REMAP_ROOT")).toBe(false);
  });
});

describe("values of files", () => {
  test("refer to variables and commands", async () => {
    const conf = `ENROOT_DATA_PATH /data/$(id -u)/$USER
ENROOT_CACHE_PATH \${XDG_CACHE_HOME}/e
ENROOT_RUNTIME_PATH \${XDG_RUNTIME_DIR:-/var/run}/e
ENROOT_TEMP_PATH $(printf '/%s' tmp)
ENROOT_CONFIG_PATH /etc/$(false)x
`;
    const settings = await load(conf, { USER: "me" });
    const { dataPath, cachePath, runtimePath, tempPath, configPath } = settings;
    expect([dataPath, cachePath, runtimePath, tempPath, configPath]).toEqual([
      `/data/${process.geteuid?.()}/me`,
      "/home/u/.cache/e",
      "/var/run/e",
      "/tmp",
      "/etc/x",
    ]);
  });
  test("know the user's name without USER", async () => {
    const name = (await Bun.$`id -un`.text()).trim();
    const settings = await load("ENROOT_DATA_PATH /d/$USER\nENROOT_CACHE_PATH /c/$(id -un)\n");
    expect([settings.dataPath, settings.cachePath]).toEqual([`/d/${name}`, `/c/${name}`]);
  });
  test("keep the default when they name a variable that is not set", async () => {
    expect((await load("ENROOT_DATA_PATH /x/$NOT_SET\n")).dataPath).toBe("/home/u/.local/share/enroot");
    expect((await load("ENROOT_DATA_PATH /x/${NOT_SET%y}\n")).dataPath).toBe("/home/u/.local/share/enroot");
  });
  test("of other programs reach the environment", async () => {
    const { environment } = await load("NVIDIA_VISIBLE_DEVICES void\nhttps_proxy http://p\nPATH /no\n");
    expect(environment.get("NVIDIA_VISIBLE_DEVICES")).toBe("void");
    expect(environment.get("https_proxy")).toBe("http://p");
    expect(environment.has("PATH")).toBe(false);
  });
  test("run no code of the caller's", async () => {
    const script = join(place.path, "hostile");
    writeFileSync(script, `touch ${place.path}/ran\n`);
    const settings = await load("ENROOT_DATA_PATH $(echo /d)\n", { BASH_ENV: script, ENV: script });
    expect(settings.dataPath).toBe("/d");
    expect(await Bun.file(join(place.path, "ran")).exists()).toBe(false);
  });
});

describe("errors name the setting and the place", () => {
  test.each([
    ["ENROOT_MAX_CONNECTIONS many\n", "Invalid number for ENROOT_MAX_CONNECTIONS: many (from"],
    ["ENROOT_TRANSFER_RETRIES -1\n", "enroot.conf:1"],
    ['\nENROOT_DATA_PATH "/x\n', 'enroot.conf:2: missing "'],
    ["ENROOT_DATA_PATH $(echo `\n", "enroot.conf:1: "],
    ["ENROOT_STORAGE_BACKEND btrfs\n", "ENROOT_STORAGE_BACKEND: btrfs"],
  ])("%j", async (conf, message) => {
    await expect(load(conf)).rejects.toThrow(message);
  });
  test("of the environment", async () => {
    await expect(load("", { ENROOT_MAX_PROCESSORS: "1.5" })).rejects.toThrow("(from the environment)");
  });
});

test("numbers: 0 processors are all, times may have a fraction", async () => {
  const settings = await load("ENROOT_MAX_PROCESSORS 0\nENROOT_CONNECT_TIMEOUT 1.5\n");
  expect(settings.maxProcessors).toBe(navigator.hardwareConcurrency);
  expect(settings.connectTimeout).toBe(1.5);
});

test("what switches off, and what does not", () => {
  const off = ["n", "no", "N", "NO", "No", "f", "F", "false", "False", "FALSE"];
  const on = ["", "y", "yes", "true", "0", "off", "nO", "fALSE", "none"];
  expect(off.filter((value) => !isOff(value))).toEqual([]);
  expect(on.filter(isOff)).toEqual([]);
});

test("options and directives are put over the settings", async () => {
  const settings = await load("ENROOT_REMAP_ROOT yes\n", { ENROOT_DATA_PATH: "/env" });
  expect(overrideSettings(settings, new Map([["ENROOT_UNSHARE_NET", "y"]])).unshareNet).toBe(true);
  const script = `#!/usr/bin/enroot batch
#ENROOT_ROOTFS=image name
# ENROOT_REMAP_ROOT=n
#ENROOT_DATA_PATH=\${HOME}/other
ENROOT_ALLOW_HTTP=y
#PATH=/no
#ENROOT_MAX_CONNECTIONS=3
environ() { echo "#ENROOT_LOGIN_SHELL=n"; }
`;
  const directed = directSettings(settings, script, "script");
  expect(directed.environment.get("ENROOT_ROOTFS")).toBe("image name");
  expect(directed.dataPath).toBe("/home/u/other");
  expect([directed.remapRoot, directed.allowHttp, directed.loginShell]).toEqual([false, false, true]);
  expect(directed.maxConnections).toBe(3);
  expect(() => directSettings(settings, "\n#ENROOT_MAX_CONNECTIONS=x", "script")).toThrow("script:2");
});
