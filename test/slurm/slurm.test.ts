// SPDX-License-Identifier: Apache-2.0
// Jobs of a real Slurm that call enroot without any plug-in; none of them leaves anything behind.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { own } from "../conformance/container.ts";
import { ownRegistry } from "../fixtures/index.ts";
import { enrootBinary, has, host, type Registry, type Sandbox, sandbox, until } from "../harness/index.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { mpiContainer } from "./mpi-container.ts";
import { silentRegistry } from "./silent-registry.ts";

const able = has("Slurm", "munged", "slurmctld", "slurmd", "srun", "mpicc.mpich");
const jobTest = test.skipIf(!able);

let cluster: Cluster;
let registry: Registry;
let box: Sandbox;

beforeAll(async () => {
  if (!able) return;
  cluster = await startCluster();
  registry = await ownRegistry(["small"]);
  const path = `${dirname(enrootBinary())}:/usr/local/bin:/usr/bin:/bin`;
  box = await sandbox({ env: { ...registry.env, ...cluster.env, PATH: path } });
  await box.ok(["import", "-o", "small.sqsh", registry.uri("test/small")]);
  await box.ok(["create", "-n", "shared", "small.sqsh"]);
}, 600_000);

afterEach(async () => {
  if (!able) return;
  await cluster.idle();
  expect(await readdir(box.temp)).toEqual([]);
  expect(await readdir(box.runtime)).toEqual([]);
  expect(await running()).toEqual([]);
});

afterAll(async () => {
  await box?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
}, 60_000);

/** The containers of the sandbox that run. */
async function running(): Promise<string[]> {
  const rows = (await box.ok(["list", "-f"])).split("\n").slice(1);
  return rows.filter((row) => /^shared +\d/.test(row));
}

/** Runs a command of Slurm as the user, which has to succeed; returns what it prints. */
async function user(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await box.run(argv);
  if (status !== 0) throw new Error(`${argv.join(" ")}: ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** Submits shell lines and returns the number of the job. */
async function submit(script: string, ...options: string[]): Promise<string> {
  const output = await user("sbatch", "--parsable", "--output=job-%A-%a.log", ...options, "--wrap", script);
  return output.trim();
}

async function logs(): Promise<string> {
  const names = (await readdir(box.work)).filter((name) => name.endsWith(".log"));
  return (await Promise.all(names.map((name) => readFile(join(box.work, name), "utf8")))).join("");
}

jobTest("srun enroot start", async () => {
  expect(await user("srun", "enroot", "start", "shared", "sh", "-c", "echo $SMALL")).toBe("yes\n");
});

jobTest("the exit status of a container is the step's", async () => {
  expect(await box.run(["srun", "enroot", "start", "shared", "sh", "-c", "exit 7"])).toMatchObject({
    status: 7,
  });
});

jobTest("--ntasks starts many containers from one root file system", async () => {
  const script = "echo $SMALL $SLURM_PROCID";
  const args = ["--env", "SLURM_PROCID", "shared", "sh", "-c", script];
  const output = await user("srun", "--ntasks=16", "enroot", "start", ...args);
  const expected = Array.from({ length: 16 }, (_, rank) => `yes ${rank}`);
  expect(output.trim().split("\n").toSorted()).toEqual(expected.toSorted());
});

jobTest("a job script whose interpreter is enroot batch", async () => {
  const directives = "#SBATCH --output=batch.out\n#ENROOT_ROOTFS=shared\n";
  const environ = 'environ() {\n  echo "OF_JOB=job ${SLURM_JOB_NAME}"\n}\n';
  const script = join(box.work, "job.batch");
  await writeFile(script, `#!${enrootBinary()} batch\n${directives}${environ}`, { mode: 0o755 });
  await own(script);
  await user("sbatch", "--wait", "job.batch", "sh", "-c", 'echo "$OF_JOB" $SMALL');
  expect(await readFile(join(box.work, "batch.out"), "utf8")).toBe("job job.batch yes\n");
});

jobTest("an array of jobs that import the same image at once fetches it once", async () => {
  const fetched = (): number =>
    registry.log().match(/"GET \/v2\/[^ ]*\/blobs\/[^ ]* HTTP\/[.0-9]*" 200/g)?.length ?? 0;
  const once = fetched();
  await host(["rm", "-rf", join(box.cache, "blobs")]);
  const before = fetched();
  await submit(
    `enroot import -o array-$SLURM_ARRAY_TASK_ID.sqsh ${registry.uri("test/small")}`,
    "--array=1-5",
    "--wait",
  );
  const names = (await readdir(box.work)).filter((name) => name.startsWith("array-"));
  expect(names.toSorted()).toEqual([1, 2, 3, 4, 5].map((number) => `array-${number}.sqsh`));
  expect(fetched() - before).toBe(once);
});

jobTest("scancel in the middle of an import", async () => {
  await using silent = silentRegistry();
  const job = await submit(`exec enroot import -o never.sqsh docker://127.0.0.1:${silent.port}#test/small`);
  await until("a request", () => silent.asked());
  await user("scancel", job);
  await cluster.idle();
  expect(await readdir(box.work)).not.toContain("never.sqsh");
});

jobTest("scancel of a container", async () => {
  const job = await submit("srun --ntasks=2 enroot start shared sleep 1000", "--ntasks=2");
  await until("containers", async () => (await running()).length > 0);
  await user("scancel", job);
  await cluster.idle();
  expect(await running()).toEqual([]);
});

jobTest(
  "a job that reaches its time limit",
  async () => {
    const job = await submit("enroot start shared sleep 1000");
    await until("a container", async () => (await running()).length > 0);
    await cluster.run("scontrol", "update", `JobId=${job}`, "EndTime=now");
    await until("the end of the job", async () => !(await user("squeue", "--noheader")).includes(job), 100);
    expect(await logs()).toContain("DUE TO TIME LIMIT");
  },
  120_000,
);

jobTest("two tasks of an MPI program find each other by PMI2 and the opt-in hook", async () => {
  const enroot = await mpiContainer(box);
  // Each task has a user namespace of its own: neither may open the other's files through /proc.
  const command = [enroot, "start", "--env", "UCX_POSIX_USE_PROC_LINK=n", "mpi", "/hello"];
  const result = await box.run(["srun", "--mpi=pmi2", "--ntasks=2", ...command]);
  expect(result.stderr).toBe("");
  expect(result.stdout.trim().split("\n").toSorted()).toEqual(["rank 0 of 2 sum 3", "rank 1 of 2 sum 3"]);
});
