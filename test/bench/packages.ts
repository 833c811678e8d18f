// SPDX-License-Identifier: Apache-2.0
// Usage: bun test/bench/packages.ts DIRECTORY: prints how large the packages in a directory are, packed and installed, and
// how long the programs of each take to start, installed on this machine for that moment.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { container } from "../conformance/container.ts";
import { host, sandbox } from "../harness/index.ts";
import { debianArchitecture, packages } from "../packages/built.ts";
import { installOnHost } from "../packages/host.ts";
import { measure } from "./measure.ts";
import { heading, report } from "./report.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("Usage: bun test/bench/packages.ts DIRECTORY");
const often = 20;

function columns(name: string, bytes: string, installed: string): void {
  console.log(`${name.padEnd(44)}${bytes.padStart(12)}${installed.padStart(14)}`);
}

console.log("Packages\n");
columns("", "bytes", "installed KB");
for (const name of (await readdir(directory)).toSorted()) {
  const file = join(directory, name);
  if (!/\.(deb|xz)$/.test(name)) continue;
  const installed = name.endsWith(".deb") ? await host(["dpkg-deb", "-f", file, "Installed-Size"]) : "";
  columns(name, `${(await stat(file)).size}`, installed.trim());
}

// The same programs, whatever the packages are compressed by.
await packages();
for (const flavour of ["enroot", "enroot-hardened"] as const) {
  await using installation = await installOnHost(flavour);
  await using box = await sandbox();
  await container(box);
  heading(`${flavour}, installed (${debianArchitecture})`);
  const options = { times: often, prepare: installation.prepare };
  report("/bin/true", await measure(box, ["/bin/true"], options));
  report("enroot version", await measure(box, ["/usr/bin/enroot", "version"], options));
  report("enroot start box true", await measure(box, ["/usr/bin/enroot", "start", "box", "true"], options));
}
