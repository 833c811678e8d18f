// SPDX-License-Identifier: Apache-2.0
// What the Slurm plug-in pyxis does with `start`: its command line, its configuration file, what it reads of the process.
// Also with containers that are datasets.
import { expect, test } from "bun:test";
import { readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, type Running, type Sandbox, sandbox, testUser, until } from "../harness/index.ts";
import { container, own } from "./container.ts";

const { uid } = testUser();

/** /etc/rc as import writes it for an image with a working directory and an entrypoint. */
const rc = `mkdir -p /image/work 2> /dev/null
cd /image/work && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi
exec /no/entrypoint "$@"
`;

const image = { "etc/rc": rc, "image/work/file": "" };

/** The file that the plug-in writes for mounts, --container-env and no entrypoint. */
const configuration = (box: Sandbox): string => `mounts() {
echo "${box.work}/shared /mnt/a\\\\040b x-create=auto,rbind,ro"
echo "tmpfs /scratch x-create=dir,size=64k"
echo "umount /var/lock x-detach"
echo "${box.work}/job /job x-create=auto,rbind,x-create=file,bind,ro,nosuid,nodev,private"
}
hooks() {
echo 'exec "$@"' > \${ENROOT_ROOTFS}/etc/rc.local
}
environ() {
[ -n "\${KEPT-}" ] && echo "KEPT=\${KEPT}" || :
[ -n "\${NOT_SET-}" ] && echo "NOT_SET=\${NOT_SET}" || :
}
`;

/** Waits for the first stop, as the plug-in does, and fails when the process ends instead. */
async function stopped(running: Running): Promise<void> {
  await until("the stop", async () => {
    const stat = await readFile(`/proc/${running.pid}/stat`, "utf8").catch(() => "");
    if (stat === "" || / Z /.test(stat)) throw new Error(`ended: ${running.stderr()}`);
    return /^\d+ \(sh\) T /.test(stat);
  });
}

const command = ["sh", "-c", "kill -STOP $$ ; exit 0"];

async function start(box: Sandbox, conf: string, env: Record<string, string> = {}): Promise<Running> {
  await container(box, { ...image, "etc/environment": "PATH=/bin\nFROM_IMAGE=1\n" });
  await writeFile(join(box.work, "conf"), conf);
  await writeFile(join(box.work, "shared"), "shared\n");
  await writeFile(join(box.work, "job"), "job\n");
  await own(box.work, box.data);
  const running = box.start(["start", "--conf", join(box.work, "conf"), "box", ...command], { env });
  await stopped(running);
  await rm(join(box.work, "conf"));
  return running;
}

test("the process stops as the container's shell, and everything about it is final", async () => {
  await using box = await sandbox();
  const env = { KEPT: "of the job", SLURM_JOB_ID: "7", ENROOT_ROOTFS_WRITABLE: "n" };
  const running = await start(box, configuration(box), env);
  const proc = (name: string) => readFile(`/proc/${running.pid}/${name}`, "utf8");

  expect(await readlink(`/proc/${running.pid}/cwd`)).toBe("/image/work");
  expect((await proc("uid_map")).trim().split(/ +/)).toEqual([String(uid), String(uid), "1"]);
  const variables = (await proc("environ")).split("\0").filter((line) => line !== "");
  expect(variables).toEqual(expect.arrayContaining(["FROM_IMAGE=1", "KEPT=of the job", "PATH=/bin"]));
  expect(variables.filter((line) => /^(SLURM|ENROOT|NOT_SET|LANG)/.test(line))).toEqual([]);

  const order = ["user", "cgroup", "mnt"].map((name) => `--${name}`.replace("mnt", "mount"));
  const enter = ["nsenter", "--preserve-credentials", "-t", String(running.pid), ...order, "/bin/busybox"];
  const inside = async (...argv: string[]) => (await box.run([...enter, ...argv])).stdout;
  expect(await inside("cat", "/mnt/a b", "/job", "/etc/rc.local")).toBe('shared\njob\nexec "$@"\n');
  expect(await inside("stat", "-f", "-c", "%b", "/scratch")).toBe("16\n");
  expect(await inside("grep", "-c", " /var/lock ", "/proc/self/mountinfo")).toBe("0\n");

  running.kill("SIGCONT");
  expect(await running.exited).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
});

test("an empty file runs the entrypoint, whose failure is seen", async () => {
  await using box = await sandbox();
  await container(box, image);
  await writeFile(join(box.work, "conf"), "");
  const result = await box.enroot(["start", "--conf", join(box.work, "conf"), "box", ...command]);
  expect(result.status).toBe(127);
});

test("a relative destination above the root fails with the words that the plug-in's tests look for", async () => {
  await using box = await sandbox();
  await container(box);
  await writeFile(join(box.work, "conf"), 'mounts() {\necho "/tmp ../../x x-create=auto,rbind"\n}\n');
  const result = await box.enroot(["start", "--conf", join(box.work, "conf"), "box", ...command]);
  expect(result.status).toBe(1);
  expect(result.stderr).toContain("Invalid cross-device link");
});

test.each([
  [{ ENROOT_REMAP_ROOT: "y" }, `0 ${uid} 1`],
  [{ ENROOT_REMAP_ROOT: "n" }, `${uid} ${uid} 1`],
])("settings of the job: %j", async (env, map) => {
  await using box = await sandbox();
  const running = await start(box, configuration(box), env);
  expect((await readFile(`/proc/${running.pid}/uid_map`, "utf8")).trim().replaceAll(/ +/g, " ")).toBe(map);
  running.kill("SIGCONT");
  expect((await running.exited).status).toBe(0);
});

test.each(["NET", "IPC", "UTS"])("ENROOT_UNSHARE_%s is a namespace of its own", async (name) => {
  await using box = await sandbox();
  const running = await start(box, configuration(box), { [`ENROOT_UNSHARE_${name}`]: "y" });
  const kind = name.toLowerCase();
  expect(await readlink(`/proc/${running.pid}/ns/${kind}`)).not.toBe(await readlink(`/proc/self/ns/${kind}`));
  running.kill("SIGCONT");
  expect((await running.exited).status).toBe(0);
});

test("a second start while the first is stopped", async () => {
  await using box = await sandbox();
  const first = await start(box, configuration(box));
  const second = box.start(["start", "box", ...command]);
  await stopped(second);
  for (const running of [first, second]) running.kill("SIGCONT");
  expect(await Promise.all([first.exited, second.exited])).toMatchObject([{ status: 0 }, { status: 0 }]);
});

test("signals blocked and ignored by the daemon that starts it", async () => {
  await using box = await sandbox();
  await container(box, { ...image, "etc/rc.local": 'exec "$@"\n' });
  const blocked = [
    "env",
    "--block-signal=HUP,INT,QUIT,USR1,USR2,PIPE,ALRM,TERM,TSTP",
    "--ignore-signal=PIPE",
  ];
  const enroot = [...blocked, enrootBinary()];
  const result = await box.run([...enroot, "start", "box", "sh", "-c", "echo started"]);
  expect(result).toMatchObject({ status: 0, stdout: "started\n" });
});
