// SPDX-License-Identifier: Apache-2.0
// The conformance suite with the enroot that dpkg has installed in /usr/bin, as an unprivileged user.
import { expect, test } from "bun:test";
import { host, projectDirectory } from "../harness/index.ts";
import { packages } from "./built.ts";
import { installOnHost } from "./host.ts";

await packages();

test("the installed enroot passes the conformance suite", async () => {
  await using installation = await installOnHost("enroot");
  const suite = [process.execPath, "test", "--timeout", "60000", "./test/conformance/"];
  // Fails with what the suite says.
  const printed = await host(suite, {
    cwd: projectDirectory,
    prepare: installation.prepare,
    env: { ENROOT: "/usr/bin/enroot" },
  });
  expect(printed).toStartWith("bun test");
}, 1_200_000);
