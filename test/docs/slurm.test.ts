// SPDX-License-Identifier: Apache-2.0
// The prolog and the epilog of slurm.md, as they stand but for their directories, in a real Slurm.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFile, chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { imageRegistry } from "../fixtures/index.ts";
import {
  enrootBinary,
  has,
  projectDirectory,
  type Registry,
  type Sandbox,
  sandbox,
  testUser,
  until,
} from "../harness/index.ts";
import { type Cluster, startCluster } from "../slurm/cluster.ts";

const able = has("Slurm", "munged", "slurmctld", "slurmd", "srun");
const jobTest = test.skipIf(!able);
const undo = new AsyncDisposableStack();
const user = String(testUser().uid);

let place = "";
let cluster: Cluster;
let box: Sandbox;
let registry: Registry;

/** A script of the page that says what marks it, for directories and an enroot that are not installed. */
async function scriptOf(mark: string, exports: string): Promise<string> {
  const page = await Bun.file(join(projectDirectory, "docs/slurm.md")).text();
  const blocks = [...page.matchAll(/^```\n#!\/bin\/sh\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  const [found = "", ...others] = blocks.filter((text) => text.includes(mark));
  expect({ mark, found: found !== "", others }).toEqual({ mark, found: true, others: [] });
  // To squeue localhost is another name of the host, which no node has here.
  const alone = found.replace(' --nodelist="$SLURMD_NODENAME"', "");
  const moved = alone.replaceAll("/var/lib/enroot", `${place}/lib`).replaceAll("/run/enroot", `${place}/run`);
  return `#!/bin/sh\nexport ${exports}\n${moved}`;
}

beforeAll(async () => {
  if (!able) return;
  place = await mkdtemp(join(tmpdir(), "enroot-sites."));
  undo.defer(() => rm(place, { recursive: true }));
  await chmod(place, 0o755);
  await mkdir(join(place, "lib"));
  cluster = undo.use(await startCluster());
  registry = undo.use(await imageRegistry(["small"]));
  const paths = {
    ENROOT_RUNTIME_PATH: `${place}/run/user-${user}`,
    ENROOT_DATA_PATH: `${place}/lib/data/user-${user}`,
    ENROOT_CACHE_PATH: `${place}/lib/cache/user-${user}`,
    ENROOT_TEMP_PATH: `${place}/lib/tmp`,
    PATH: `${dirname(enrootBinary())}:/usr/local/bin:/usr/bin:/bin`,
  };
  const exports = Object.entries(paths)
    .map(([name, value]) => `${name}='${value}'`)
    .join(" ");
  for (const [name, mark] of [
    ["Prolog", "install -d"],
    ["Epilog", "enroot remove"],
  ] as const) {
    await writeFile(join(place, name), await scriptOf(mark, exports), { mode: 0o755 });
    await appendFile(cluster.env["SLURM_CONF"] ?? "", `${name}=${place}/${name}\n`);
  }
  await cluster.run("scontrol", "reconfigure");
  box = undo.use(await sandbox({ env: { ...registry.env, ...cluster.env, ...paths } }));
}, 120_000);

afterAll(() => undo.disposeAsync(), 60_000);

async function srun(...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await box.run(["srun", ...words]);
  expect({ status, stderr }).toEqual({ status: 0, stderr });
  return stdout;
}

jobTest(
  "the prolog makes what a user cannot, and the epilog of the last job takes the containers",
  async () => {
    const other = box.run(["srun", "sleep", "600"]);
    const states = (): Promise<string> => cluster.run("squeue", "--noheader", "--format=%T");
    await until("the other job", async () => (await states()).trim() === "RUNNING");
    const uri = registry.uri("test/small");
    await srun("sh", "-c", `enroot load -n one ${uri} && enroot load -n 'an odd name' ${uri}`);
    expect(await srun("enroot", "start", "one", "sh", "-c", "echo $SMALL")).toBe("yes\n");
    const { mode, uid } = await stat(join(place, "run", `user-${user}`));
    expect({ mode: mode & 0o7777, uid: String(uid) }).toEqual({ mode: 0o700, uid: user });

    const containers = (): Promise<string[]> => readdir(join(place, "lib/data", `user-${user}`));
    expect((await containers()).toSorted()).toEqual(["an odd name", "one"]);
    await cluster.run("scancel", `--user=${user}`);
    await cluster.idle();
    await other;
    expect(await containers()).toEqual([]);
    expect((await cluster.run("sinfo", "--noheader", "--format=%T")).trim()).toBe("idle");
  },
  120_000,
);
