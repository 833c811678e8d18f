// SPDX-License-Identifier: Apache-2.0
// The AppArmor profile: versions before 4 find nothing to load, version 4 finds what lets enroot make user namespaces.
// Whether a kernel would load it is not asked: that takes a machine with AppArmor.
import { expect, test } from "bun:test";
import { host } from "../harness/index.ts";
import { debianArchitecture, packages } from "./built.ts";
import { installOnHost } from "./host.ts";
import { type Base, baseSystem, current, system } from "./installation.ts";

/** Debian 13 with AppArmor 4. */
const later: Base = {
  architecture: debianArchitecture,
  suite: "trixie",
  include: ["apparmor", ...current.include],
};

const made = await packages();
await baseSystem(later);

const parser = ["apparmor_parser", "--skip-kernel-load", "--skip-cache"] as const;

test("AppArmor 3 finds no profile, and no fault", async () => {
  await using installation = await installOnHost("enroot");
  const { prepare } = installation;
  expect(await host(["apparmor_parser", "--version"], { prepare })).toContain("version 3.");
  await host([...parser, "/etc/apparmor.d/enroot"], { prepare });
  expect(await host([...parser, "--names", "/etc/apparmor.d/enroot"], { prepare })).toBe("");
});

test("AppArmor 4 finds the profile, and nothing of it once the package is removed", async () => {
  await using on = await system([made], later);
  const install = (name: string): Promise<string> => on.root(`apt-get -qq install ${name} > /dev/null`);
  const names = (): Promise<string> => on.root(`${parser.join(" ")} --names /etc/apparmor.d/enroot`);
  expect(await on.root("apparmor_parser --version")).toContain("version 4.");
  await install("enroot");
  await on.root(`${parser.join(" ")} /etc/apparmor.d/enroot`);
  expect(await names()).toBe("enroot\n");
  await install("enroot-hardened");
  expect(await names()).toBe("enroot\n");
  await on.root("apt-get -qq remove enroot-hardened > /dev/null");
  expect(await names()).toBe("");
  await on.root("apt-get -qq purge enroot enroot-hardened > /dev/null");
  expect(await on.root("find /etc/apparmor.d -name '*enroot*'")).toBe("");
});
