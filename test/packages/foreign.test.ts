// SPDX-License-Identifier: Apache-2.0
// The packages of the other architecture: installed in a Debian of it, and used, as far as emulation goes.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { imageRegistry } from "../fixtures/index.ts";
import type { Registry } from "../harness/index.ts";
import { packages, version } from "./built.ts";
import { foreignArchitecture } from "./emulation.ts";
import { baseSystem, current, type System, system } from "./installation.ts";
import { armKernel, inMachine } from "./machine.ts";

const base = { ...current, architecture: foreignArchitecture };
const made = await packages(foreignArchitecture);
const directory = await baseSystem(base);
if (foreignArchitecture === "arm64") await armKernel();

let on: System;
let registry: Registry;

beforeAll(async () => {
  registry = await imageRegistry(["small"]);
  on = await system([made], base);
  await on.root("apt-get -qq install enroot+caps > /dev/null");
}, 300_000);

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

test("they are installed, with the capability", async () => {
  expect(await on.root("dpkg --print-architecture")).toBe(`${foreignArchitecture}\n`);
  expect(await on.user("enroot version")).toBe(`${version}\n`);
  expect(await on.root("getcap -r /usr")).toBe("/usr/bin/enroot-zfs-mount cap_sys_admin=ep\n");
}, 120_000);

test("an image is imported, and a container created from it", async () => {
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const script = `
    export ENROOT_ALLOW_HTTP=yes XDG_RUNTIME_DIR=$HOME
    enroot import -a ${architecture} -o small.sqsh ${registry.uri("test/small:latest")} 2> /dev/null
    enroot create -n small small.sqsh 2> /dev/null
    enroot list`;
  expect(await on.user(script)).toBe("small\n");
}, 240_000);

// The emulator has threads of its own, and a process that has any may make no user namespace: here is where it ends.
test("a container's start is planned, and what emulation withholds is named", async () => {
  const script = `
    export XDG_RUNTIME_DIR=$HOME
    mkdir -p .local/share/enroot/box/bin
    /usr/lib/enroot/enroot-engine start box /bin/sh | tr '\\0' '\\n' | grep -c .
    ! enroot start box /bin/sh 2>&1`;
  const [steps, refusal] = (await on.user(script)).split("\n");
  expect(Number(steps)).toBeGreaterThan(20);
  expect(refusal).toStartWith("[ERROR] Could not create a user namespace: Invalid argument");
}, 240_000);

// On 64-bit ARM itself, all other tests are of that.
if (foreignArchitecture === "arm64") {
  test("in an emulated machine, a container is created from an image, and starts", async () => {
    const script = `
      export XDG_RUNTIME_DIR=$HOME
      mkdir -p tree/bin tree/etc
      cp -L /bin/sh tree/bin
      for file in $(ldd /bin/sh | grep -o '/[^ ]*'); do install -D "$file" "tree$file"; done
      mksquashfs tree image.sqsh -quiet -no-progress > /dev/null
      enroot create -n machine image.sqsh > /dev/null 2>&1
      enroot start machine /bin/sh -c 'echo inside'
      enroot remove -f machine
      uname -m
    `;
    expect(await inMachine(on, directory, script)).toBe("inside\naarch64\n");
  }, 300_000);
}
