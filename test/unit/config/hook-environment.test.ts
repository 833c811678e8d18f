// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { hookEnvironment } from "../../../src/config/hook-environment.ts";
import { loadSettings, overrideSettings } from "../../../src/config/settings.ts";

const places = { library: "/usr/lib/enroot", sysconf: "/nowhere", helpers: "/opt/enroot" };

async function changes(caller: Record<string, string>, options: Record<string, string> = {}) {
  const settings = await loadSettings(caller, places);
  const changes = new Map(Object.entries(options));
  return new Map(
    hookEnvironment(changes.size === 0 ? settings : overrideSettings(settings, changes), caller),
  );
}

const plain = { HOME: "/home/u", PATH: "/usr/bin:/bin", PWD: process.cwd() };

test("what is in force is set, what is switched off is taken away", async () => {
  const found = await changes(
    { ...plain, ENROOT_ALLOW_HTTP: "no", ENROOT_SITE_THING: "n", ENROOT_SITE_OTHER: "y", OTHER: "no" },
    { ENROOT_REMAP_ROOT: "y" },
  );
  expect(found.get("ENROOT_REMAP_ROOT")).toBe("y");
  expect(found.get("ENROOT_LOGIN_SHELL")).toBe("yes");
  expect(found.get("ENROOT_CONFIG_PATH")).toBe("/home/u/.config/enroot");
  expect(found.get("ENROOT_VERSION")).toMatch(/^\d+\.\d+\.\d+$/);
  for (const name of ["ENROOT_ALLOW_HTTP", "ENROOT_SITE_THING"]) {
    expect(found.has(name)).toBe(true);
    expect(found.get(name)).toBeUndefined();
  }
  for (const name of ["ENROOT_SITE_OTHER", "OTHER", "HOME", "PWD", "ENROOT_ALLOW_SUPERUSER"])
    expect(found.has(name)).toBe(false);
});

test("the launcher's own variable stays where it is", async () => {
  expect((await changes({ ...plain, ENROOT_PLAN_FD: "3" })).has("ENROOT_PLAN_FD")).toBe(false);
});

test("our helpers are found by name", async () => {
  expect((await changes(plain)).get("PATH")).toBe("/opt/enroot:/usr/bin:/bin");
  expect((await changes({ ...plain, PATH: "/bin:/opt/enroot" })).has("PATH")).toBe(false);
  expect((await changes({ ...plain, PATH: "" })).get("PATH")).toMatch(/^\/opt\/enroot:.*:\/bin$/);
});

test("PWD is the working directory by a name that leads there", async () => {
  expect((await changes({ ...plain, PWD: "/" })).get("PWD")).toBe(process.cwd());
  expect((await changes({ ...plain, PWD: "." })).get("PWD")).toBe(process.cwd());
  const otherName = `/proc/self/cwd`;
  expect((await changes({ ...plain, PWD: otherName })).has("PWD")).toBe(false);
});
