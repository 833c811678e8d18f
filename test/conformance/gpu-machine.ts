// SPDX-License-Identifier: Apache-2.0
// A machine with a stand-in for nvidia-container-cli that records how it is called: no driver can run here.
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunOptions, Sandbox } from "../harness/index.ts";
import { container, lines } from "./container.ts";

/** A sandbox with a container, and what its GPU programs are told. */
export interface Machine {
  readonly box: Sandbox;
  readonly env: Record<string, string>;
  /** How nvidia-container-cli was called; undefined: not at all. */
  calls(): Promise<string[] | undefined>;
}

/** A sandbox with a container, the stand-in on PATH, and no CDI specifications but a test's own. */
export async function machine(box: Sandbox, environment = ""): Promise<Machine> {
  await container(box, { "etc/environment": `PATH=/bin\n${environment}` });
  const bin = join(box.root, "bin");
  const record = join(box.work, "calls");
  await mkdir(bin);
  const script = `#!/bin/bash\n{ printf '%s\\n' "$@"; env | grep ^NVIDIA_ || :; } > '${record}'\n`;
  await writeFile(join(bin, "nvidia-container-cli"), script);
  await chmod(join(bin, "nvidia-container-cli"), 0o755);
  const cdi = join(box.root, "cdi");
  await mkdir(cdi);
  return {
    box,
    env: { PATH: `${bin}:${box.env["PATH"]}`, ENROOT_CDI_PATH: cdi },
    calls: async () => lines(await readFile(record, "utf8").catch(() => "-")),
  };
}

/** Starts the container with options and variables. */
export async function started({ box, env }: Machine, options: readonly string[] = [], run: RunOptions = {}) {
  return box.enroot(["start", ...options, "box", "sh", "-c", "echo started"], {
    ...run,
    env: { ...env, ...run.env },
  });
}
