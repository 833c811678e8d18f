// SPDX-License-Identifier: Apache-2.0
// Usage: bun test/packages/installed.ts COMMAND [ARG…]
// Runs a command, as root, where dpkg has installed the package enroot, which ENROOT then names. The machine stays as it is.
import { packages } from "./built.ts";
import { installOnHost } from "./host.ts";

await packages();
await using installation = await installOnHost("enroot");
const script = `${installation.prepare}\nexec "$@"`;
const argv = [
  "unshare",
  "--mount",
  "--propagation=private",
  "sh",
  "-ec",
  script,
  "sh",
  ...process.argv.slice(2),
];
const child = Bun.spawn(argv, {
  stdio: ["inherit", "inherit", "inherit"],
  env: { ...process.env, ENROOT: "/usr/bin/enroot" },
});
process.exitCode = await child.exited;
