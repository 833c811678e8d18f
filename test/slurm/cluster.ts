// SPDX-License-Identifier: Apache-2.0
// A Slurm of one node: munged, slurmctld and slurmd from Debian's packages, on free ports, with their state below a
// temporary directory, stopped by their process ids.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host, type Running, start, until } from "../harness/index.ts";
import { freePort } from "../harness/port.ts";

/** A running Slurm. */
export interface Cluster extends AsyncDisposable {
  /** What its commands need in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command of an administrator. */
  run(...argv: string[]): Promise<string>;
  /** Waits until no job is left, not even one that is completing. */
  idle(): Promise<void>;
}

const daemonPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const configuration = (place: string): string => `ClusterName=lab
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=${freePort()}
SlurmdPort=${freePort()}
AuthType=auth/munge
AuthInfo=socket=${place}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmUser=root
SlurmdUser=root
KillWait=5
PrologFlags=Alloc
SlurmdParameters=config_overrides
SlurmctldPidFile=${place}/slurmctld.pid
SlurmdPidFile=${place}/slurmd.pid
SlurmdSpoolDir=${place}/spool
StateSaveLocation=${place}/state
SlurmctldLogFile=${place}/slurmctld.log
SlurmdLogFile=${place}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs=32 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
`;

/** Starts it, and waits until the node takes jobs. */
export async function startCluster(): Promise<Cluster> {
  await using undo = new AsyncDisposableStack();
  const place = await mkdtemp(join(tmpdir(), "enroot-slurm."));
  undo.defer(() => rm(place, { recursive: true, force: true }));
  await chmod(place, 0o755);
  for (const name of ["munge", "spool", "state"]) await mkdir(join(place, name), { mode: 0o755 });
  const file = join(place, "slurm.conf");
  await writeFile(file, configuration(place));
  await writeFile(join(place, "cgroup.conf"), "");
  const env = { SLURM_CONF: file };
  const daemon = (argv: readonly string[]): Running => {
    const environment = { ...env, PATH: daemonPath };
    const running = start(argv, environment, { user: "root", timeout: 3600 });
    undo.defer(() => stop(running));
    return running;
  };
  await authenticate(join(place, "munge"), daemon);
  daemon(["slurmctld", "-D", "-c", "-f", file]);
  daemon(["slurmd", "-D", "-N", "localhost", "-f", file]);
  const run = (...argv: string[]): Promise<string> => host(argv, { env });
  await until("an idle node", () => answers(run, ["sinfo", "--noheader", "--format=%T"], "idle"), 60).catch(
    async (cause) => {
      throw new Error(await readFile(join(place, "slurmctld.log"), "utf8").catch(() => "no log"), { cause });
    },
  );
  const stack = undo.move();
  return {
    env,
    run,
    idle: async () => {
      await until("an idle node", () => answers(run, ["squeue", "--noheader"], ""), 60);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function authenticate(place: string, daemon: (argv: readonly string[]) => Running): Promise<void> {
  const key = join(place, "key");
  await writeFile(key, crypto.getRandomValues(new Uint8Array(128)), { mode: 0o600 });
  const files = ["log", "pid", "seed"].map((name) => `--${name}-file=${place}/${name}`);
  const socket = `--socket=${place}/socket`;
  const running = daemon(["munged", "--foreground", "--force", `--key-file=${key}`, ...files, socket]);
  await until("munged", async () => {
    if (running.stderr().includes("Error")) throw new Error(running.stderr());
    return (await host(["test", "-S", `${place}/socket`]).catch(() => undefined)) !== undefined;
  });
}

async function answers(run: Cluster["run"], argv: readonly string[], wanted: string): Promise<boolean> {
  try {
    return (await run(...argv)).trim() === wanted;
  } catch {
    return false; // not up yet
  }
}

async function stop(running: Running): Promise<void> {
  running.kill("SIGTERM");
  await running.exited;
}
