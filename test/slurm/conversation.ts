// SPDX-License-Identifier: Apache-2.0
// The plug-in's conversations with enroot, in its words: the environment it makes, its configuration file, its calls.
// The processes are those of pyxis.py, one for each step.
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { container, own } from "../conformance/container.ts";
import { installation } from "../conformance/installation.ts";
import {
  host,
  type Running,
  type Sandbox,
  sandbox,
  start as startProgram,
  testUser,
  until,
  zfsStore,
} from "../harness/index.ts";

/** How a call ended, or stopped; `log` is what the plug-in prints when it failed. */
export interface Ending {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stopped: string | null;
  readonly log: string;
}

/** What can be seen of a started process from outside. */
export interface Look {
  readonly cwd: string;
  readonly environ: Readonly<Record<string, string>>;
  readonly owner: number;
  readonly parent: number;
  readonly uidMap: readonly string[];
  /** Namespaces that are not the caller's. */
  readonly separate: readonly string[];
  readonly sockets: readonly string[];
}

/** A task in the container. */
export interface Task {
  readonly pid: number;
  readonly joined: readonly string[];
}

/** How a call is made. */
export interface CallOptions {
  /** Variables that the job has, changed. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** By slurmstepd with its signals blocked, not by a task. */
  readonly daemon?: boolean;
  /** The environment as it is, without the rules for jobs: that of an epilog. */
  readonly exactly?: Readonly<Record<string, string>>;
}

/** How a task joins. */
export interface JoinOptions {
  readonly started?: number;
  readonly workdir?: string;
  /** --container-env */
  readonly kept?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A job step; see `step`. */
export interface Step extends AsyncDisposable {
  readonly box: Sandbox;
  readonly driver: Running;
  /** The squashfs file of a busybox image with a working directory and an entrypoint. */
  readonly image: string;
  spawn(args: readonly string[], options?: CallOptions): Promise<number>;
  wait(pid: number): Promise<Ending>;
  /** A call of another program, an importer, to its end. */
  program(argv: readonly string[], options?: CallOptions): Promise<Ending>;
  /** A call to its end. */
  call(args: readonly string[], options?: CallOptions): Promise<Ending>;
  /** `create` of the image, which has to succeed. */
  create(name: string): Promise<void>;
  /** `start` until the process stops or ends; the configuration file is deleted then. */
  start(target: string, conf?: string, options?: CallOptions): Promise<Ending & { readonly pid: number }>;
  look(pid: number): Promise<Look>;
  /** A task that joins what `pid` is in; its environment is that of `started` when that is another one. */
  join(pid: number, argv: readonly string[], options?: JoinOptions): Promise<Task>;
  /** A task to its end. */
  inside(pid: number, script: string, options?: JoinOptions): Promise<string>;
  send(pid: number, signal: string): Promise<void>;
  /** SIGCONT, and the end of the started process. */
  release(pid: number): Promise<Ending>;
}

/** What the plug-in never passes on of a job's environment. */
const withheld =
  /^(PATH|LD_LIBRARY_PATH|LD_PRELOAD|SLURM_(PROCID|LOCALID|TASK_PID)|PMIX_RANK|PMI_FD|ENROOT_((LIBRARY|SYSCONF|RUNTIME|CACHE|DATA|TEMP)_PATH|ZSTD_OPTIONS|TRANSFER_RETRIES|CONNECT_TIMEOUT|MAX_CONNECTIONS|ALLOW_HTTP))$/;

/** The only hook that the plug-in writes. */
export const hooks = "hooks() {\necho 'exec \"$@\"' > ${ENROOT_ROOTFS}/etc/rc.local\n}\n";

/** What stops for the plug-in to look at. */
const stopping = ["sh", "-c", "kill -STOP $$ ; exit 0"];

/** /etc/rc of an image with a working directory and an entrypoint that puts a variable into the environment. */
const rc = `mkdir -p /image/work 2> /dev/null
cd /image/work && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

exec /entrypoint "$@"
`;

const image: Readonly<Record<string, string>> = {
  "etc/rc": rc,
  "etc/environment": "PATH=/bin\nFROM_IMAGE=of the image\n",
  "etc/fstab": "",
  "image/work/file": "",
  entrypoint: '#!/bin/sh\nexport FROM_ENTRYPOINT=1\nexec "$@"\n',
};

/** Starts a step. What a system's administrator says is in enroot.conf, with `configuration` added. */
export async function step(configuration = "", files: Readonly<Record<string, string>> = {}): Promise<Step> {
  await using undo = new AsyncDisposableStack();
  const box = undo.use(await sandbox({ chosenStore: false }));
  const store = process.env["ENROOT_STORAGE_BACKEND"] ?? "dir";
  const lines = administrator(box, `ENROOT_STORAGE_BACKEND ${store}\n${configuration}`);
  const installed = await installation(box, { "enroot.conf": lines, ...files });
  if (store === "zfs") await useZfs(box, dirname(dirname(installed.sysconf)), undo);
  await host(["chmod", "-R", "a+rX", dirname(installed.sysconf)]);
  await host(["find", installed.sysconf, "-path", "*/hooks.d/*", "-exec", "chmod", "755", "{}", "+"]);
  const file = await squashfs(box);
  const driver = await launch(box);
  undo.defer(async () => {
    await driver.end();
    await driver.exited;
  });
  const path = `${dirname(dirname(installed.sysconf))}:/usr/local/bin:/usr/bin:/bin`;
  const parts = { box, driver, image: file, answer: asking(driver), job: jobEnvironment(box, path) };
  const stack = undo.move();
  return { ...conversation(parts), [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Makes the test user's store a dataset, and gives the installed helper its capability. */
async function useZfs(box: Sandbox, installed: string, undo: AsyncDisposableStack): Promise<void> {
  undo.use(await zfsStore(join(box.data, `user-${testUser().uid}`)));
  await host(["setcap", "cap_sys_admin+p", join(installed, "enroot-zfs-mount")]);
}

function administrator(box: Sandbox, more: string): string {
  const paths = [
    `ENROOT_DATA_PATH ${box.data}/user-$(id -u)`,
    `ENROOT_CACHE_PATH ${box.cache}`,
    `ENROOT_RUNTIME_PATH ${box.runtime}`,
    `ENROOT_TEMP_PATH ${box.temp}`,
    "ENROOT_ALLOW_HTTP yes",
  ];
  return `${paths.join("\n")}\n${more}`;
}

/** An image of busybox; made without enroot, for a store that no directory can be put into. */
async function squashfs(box: Sandbox): Promise<string> {
  const tree = { ...box, data: join(box.root, "image") };
  const { rootfs } = await container(tree, image, "tree");
  await host(["chmod", "755", join(rootfs, "entrypoint")]);
  const file = join(box.work, "image.sqsh");
  await host([
    "mksquashfs",
    rootfs,
    file,
    "-all-root",
    "-noappend",
    "-quiet",
    "-no-progress",
    "-noI",
    "-noD",
    "-noF",
  ]);
  await own(file);
  return file;
}

async function launch(box: Sandbox): Promise<Running> {
  const program = join(box.root, "pyxis.py");
  await copyFile(join(import.meta.dir, "pyxis.py"), program);
  await own(program);
  const place = { PATH: "/usr/bin:/bin", HOME: box.home };
  return startProgram(["/usr/bin/python3", program], place, { cwd: box.work, stdin: "pipe" });
}

type Answer = <T>(request: Readonly<Record<string, unknown>>) => Promise<T>;

/** Asks one thing at a time; the answer is the next line. */
function asking(driver: Running): Answer {
  let answered = 0;
  return async (request) => {
    await driver.write(`${JSON.stringify(request)}\n`);
    const text = await until("an answer", () => driver.stdout().split("\n").slice(0, -1)[answered], 120);
    answered += 1;
    const answer = JSON.parse(text);
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  };
}

function jobEnvironment(box: Sandbox, path: string): (changes: CallOptions["env"]) => Record<string, string> {
  const { uid, gid } = testUser();
  const own = {
    HOME: box.home,
    LANG: "C.UTF-8",
    TERM: "xterm",
    ENROOT_CONFIG_PATH: box.config,
    SLURM_JOB_ID: "7",
    SLURM_STEP_ID: "0",
    SLURM_PROCID: "0",
    LD_PRELOAD: "/job/must-not-be-loaded.so",
    ENROOT_DATA_PATH: "/job/must-not-be-used",
  };
  const forced = {
    SLURM_JOB_UID: String(uid),
    SLURM_JOB_GID: String(gid),
    PYXIS_RUNTIME_PATH: box.runtime,
    PYXIS_VERSION: "0.24.0",
  };
  return (changes = {}) => {
    const job = Object.entries({ ...own, ...changes }).filter(([key]) => !withheld.test(key));
    const given = job.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
    return { PATH: path, ...Object.fromEntries(given), ...forced };
  };
}

interface Parts {
  readonly box: Sandbox;
  readonly driver: Running;
  readonly image: string;
  readonly answer: Answer;
  readonly job: (changes: CallOptions["env"]) => Record<string, string>;
}

function conversation({ box, driver, image, answer, job }: Parts): Omit<Step, typeof Symbol.asyncDispose> {
  const launch: Step["spawn"] = async (argv, { env, cwd, daemon, exactly } = {}) => {
    const variables = exactly === undefined ? job(env) : { PATH: job({})["PATH"], ...exactly };
    const request = { do: "spawn", argv, env: variables, cwd: cwd ?? box.work, daemon };
    return (await answer<{ pid: number }>(request)).pid;
  };
  const spawn: Step["spawn"] = (args, options) => launch(["enroot", ...args], options);
  const wait: Step["wait"] = (pid) => answer({ do: "wait", pid });
  const call: Step["call"] = async (args, options) => wait(await spawn(args, options));
  const join: Step["join"] = (pid, argv, { env, ...options } = {}) =>
    answer({ do: "join", pid, argv, env: job(env), ...options });
  const send: Step["send"] = async (pid, name) => {
    await answer({ do: "send", pid, signal: name });
  };
  return {
    box,
    driver,
    image,
    spawn,
    wait,
    call,
    program: async (argv, options) => wait(await launch(argv, options)),
    join,
    send,
    create: async (name) => {
      const { status, log } = await call(["create", "--name", name, image]);
      if (status !== 0) throw new Error(`create ${name}: ${log}`);
    },
    start: async (target, conf = hooks, options = {}) => {
      const file = await configurationFile(conf);
      const pid = await spawn(["start", "--conf", file, target, ...stopping], options);
      const ending = await answer<Ending>({ do: "wait", pid, untraced: true, unlink: [file] });
      return { ...ending, pid };
    },
    look: (pid) => answer({ do: "look", pid }),
    inside: async (pid, script, options) => {
      const task = await join(pid, ["sh", "-ec", script], options);
      const { status, log } = await wait(task.pid);
      if (status !== 0) throw new Error(`status ${status}: ${log}`);
      return log;
    },
    release: async (pid) => {
      await send(pid, "SIGCONT");
      return wait(pid);
    },
  };
}

/** Where the plug-in has it: a file of the user's in /tmp that nobody else may read. */
async function configurationFile(text: string): Promise<string> {
  const directory = await mkdtemp("/tmp/.enroot_config_");
  const file = `${directory}.conf`;
  await writeFile(file, text, { mode: 0o600 });
  await rm(directory, { recursive: true });
  await own(file);
  return file;
}
