// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { findConfigurationFiles } from "../../../src/runtime/configuration-files.ts";
import { temporary } from "../temporary.ts";

let place: ReturnType<typeof temporary>;
beforeEach(() => {
  place = temporary();
});
afterEach(() => place[Symbol.dispose]());

test("system files first, each directory in name order, other names left out", () => {
  const [system, user] = [`${place.path}/system`, `${place.path}/user`];
  for (const directory of [`${system}/hooks.d`, `${system}/mounts.d`, `${user}/hooks.d`, `${user}/environ.d`])
    mkdirSync(directory, { recursive: true });
  const names = ["hooks.d/20-b.sh", "hooks.d/10-a.sh", "hooks.d/B.sh", "hooks.d/.x.sh", "hooks.d/x.sh~"];
  for (const name of [...names, "mounts.d/1.fstab", "mounts.d/1.fstab.dpkg-old"])
    writeFileSync(`${system}/${name}`, "");
  for (const name of ["hooks.d/05-first.sh", "environ.d/1.env"]) writeFileSync(`${user}/${name}`, "");
  expect(findConfigurationFiles([system, user])).toEqual({
    environ: [`${user}/environ.d/1.env`],
    mounts: [`${system}/mounts.d/1.fstab`],
    hooks: [
      `${system}/hooks.d/10-a.sh`,
      `${system}/hooks.d/20-b.sh`,
      `${system}/hooks.d/B.sh`,
      `${user}/hooks.d/05-first.sh`,
    ],
  });
});

test("directories that are not there hold nothing", () => {
  expect(findConfigurationFiles(["/nowhere", "/dev/null"])).toEqual({ environ: [], mounts: [], hooks: [] });
});
