// SPDX-License-Identifier: Apache-2.0
// Every version of OpenZFS: what users may try on enroot-zfs-mount, each tried by an unprivileged user.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, type Result, testUser } from "../harness/index.ts";
import { allMounts, type Mounting, mounting, mountsOf, other, refusal } from "./mounting.ts";

let place: Mounting;
let dataset: string;
beforeAll(async () => {
  place = await mounting();
  dataset = await place.dataset("mine");
});
afterAll(() => place[Symbol.asyncDispose]());

/** Runs a line of shell as the test user; `$HELPER` and `$DATASET` are what they say. */
function shell(script: string, environment: Record<string, string> = {}): Promise<Result> {
  const env = { HELPER: place.store.helper, DATASET: dataset, STORE: place.store.path, ...environment };
  return place.box.run(["bash", "-c", script], { env, timeout: 600 });
}

test("neither PATH nor any other variable or file of the caller changes anything", async () => {
  const tools = join(place.box.work, "tools");
  const mark = join(place.box.work, "mark");
  await place.box.run(["mkdir", "-p", tools]);
  for (const name of ["zfs", "mount", "mount.zfs", "umount", "sh", "id"]) {
    await writeFile(join(tools, name), `#!/bin/sh\necho ${name} >> ${mark}\necho /usr/local/bin\n`, {
      mode: 0o755,
    });
  }
  await writeFile(join(place.box.config, "enroot.conf"), "ENROOT_DATA_PATH /usr/local/bin\n");
  const environment = {
    PATH: tools,
    ENROOT_DATA_PATH: "/usr/local/bin",
    ENROOT_SYSCONF_PATH: place.box.config,
    LD_PRELOAD: join(tools, "zfs"),
    LD_LIBRARY_PATH: tools,
    HOME: "/usr/local/bin",
    USER: "root",
  };
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const result = await place.box.run(["env", "-i", ...settings, place.store.helper, dataset]);
  expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
  expect(existsSync(mark)).toBeFalse();
  expect(mountsOf(dataset)[0]).toContain(` ${join(place.store.path, "mine")} zfs `);
  await place.quietly(["--unmount", dataset]);
});

test("odd and huge arguments", async () => {
  const before = allMounts();
  const names = [
    "",
    "/",
    "..",
    "-",
    "--",
    "-f",
    "--unmount",
    "tank",
    "/absolute",
    "a/",
    "a//b",
    "a/../b",
    "a/./b",
    "a/..",
  ];
  const suffixes = [
    "/",
    "//x",
    "/..",
    "/../mine",
    "/.",
    "/mine@snap",
    "/mine#mark",
    "/%s%n",
    "/a b",
    "/a\nb",
    "/a\\b",
  ];
  const parts = [
    "/mine,ro",
    "/$(id)",
    "/;id",
    "/\u00e9",
    "/\u0001",
    `/${"x".repeat(300)}`,
    `/${"x".repeat(100_000)}`,
  ];
  const all = [...names, ...[...suffixes, ...parts].map((suffix) => place.store.dataset + suffix)];
  for (const name of all) {
    expect(refusal(await place.mount([name]))).toMatch(/^(Invalid dataset name|One dataset is needed)/);
    expect(refusal(await place.mount(["--unmount", name]))).toMatch(
      /^(Invalid dataset name|One dataset is needed)/,
    );
  }
  const many = Array.from({ length: 5000 }, () => dataset);
  expect(refusal(await place.mount(many))).toStartWith("One dataset is needed");
  expect(refusal(await place.mount([dataset, "--unmount"]))).toStartWith("One dataset is needed");
  expect(refusal(await place.mount(["--unmount", "--unmount", dataset]))).toStartWith(
    "One dataset is needed",
  );
  expect(allMounts()).toBe(before);
});

test("no arguments, not even a name of the program", async () => {
  const script = `import os; os.execve(os.environ["HELPER"], [], {})`;
  const result = await shell(`python3 -c '${script}'`);
  expect(result.signal).toBeNull();
  expect(mountsOf(dataset)).toEqual([]);
});

test("closed descriptors", async () => {
  const log = join(place.box.root, "strace");
  for (const redirection of ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]) {
    const trace = `strace -u enroot-test -e trace=open,openat,dup,fcntl,fsopen,fsmount -o ${log}`;
    const script = `exec ${trace} sh -c 'exec ${place.store.helper} ${dataset} ${redirection}'`;
    await place.box.run(["sh", "-c", script], { user: "root" });
    // The C library puts /dev/null there before anything else, as it is a program with privileges; or we refuse.
    const calls = (await host(["cat", log])).split("\n");
    const standard = calls.filter(
      (call) => /^(open|openat|dup)\(.* = [012]$/.test(call) && !call.includes('"/dev/null"'),
    );
    expect(standard).toEqual([]);
    await place.quietly(["--unmount", dataset]);
  }
});

test("limits of the caller", async () => {
  for (const limit of ["-n 3", "-n 4", "-n 6", "-f 0", "-v 100", "-s 8", "-t 0"]) {
    await shell(`ulimit ${limit}; exec "$HELPER" "$DATASET"`);
    const found = mountsOf(dataset);
    for (const line of found)
      expect(line).toContain(` ${join(place.store.path, "mine")} zfs rw,nosuid,nodev`);
    if (found.length > 0) await place.quietly(["--unmount", dataset]);
  }
});

test("signals at any moment leave the mount whole or absent", async () => {
  await shell(
    `for i in $(seq 100); do "$HELPER" "$DATASET" & kill -9 $! 2> /dev/null; wait; done 2> /dev/null`,
  );
  const found = mountsOf(dataset);
  expect(found.length).toBeLessThan(2);
  await place.quietly(["--unmount", dataset]);
});

test("parents swapped for links in a loop", async () => {
  await place.dataset("swapped");
  const below = await place.dataset("swapped/inner");
  const victim = join(place.box.root, "victim");
  await place.box.run(["mkdir", "-p", join(victim, "inner"), join(place.store.path, "swapped")]);
  // The helper makes the directory anew when it is away for a moment: the attacker then clears that.
  const attack = [
    "import os, sys",
    "def attempt(action, *paths):",
    "    try: action(*paths); return True",
    "    except OSError: return False",
    "os.chdir(os.environ['STORE'])",
    "while True:",
    "    attempt(os.rename, 'swapped', 'real')",
    "    attempt(os.symlink, sys.argv[1], 'swapped')",
    "    attempt(os.unlink, 'swapped')",
    "    if not attempt(os.rename, 'real', 'swapped'):",
    "        attempt(os.rmdir, 'swapped/inner')",
    "        attempt(os.rmdir, 'swapped')",
  ].join("\n");
  // Each mount that succeeded is undone; one that went elsewhere would stay, and the loop says so.
  const script = `python3 -c "$ATTACK" ${victim} & attacker=$!
    mounted=0 refused=0
    for round in $(seq 1000); do
      if "$HELPER" "$BELOW" 2> /dev/null; then mounted=$((mounted + 1)); else refused=$((refused + 1)); fi
      grep -q ' ${victim}' /proc/self/mounts && echo outside
      "$HELPER" --unmount "$BELOW" 2> /dev/null
    done
    kill $attacker
    echo $mounted $refused`;
  const result = await shell(script, { ATTACK: attack, BELOW: below });
  const [mounted, refused] = result.stdout.trim().split(" ").map(Number);
  expect(result.stdout).not.toContain("outside");
  expect(mounted).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
  expect(readdirSync(join(victim, "inner"))).toEqual([]);
  const left = mountsOf(below);
  for (const line of left) expect(line).toContain(` ${place.store.path}/`);
  for (const line of left) await host(["umount", line.split(" ")[1] ?? ""]);
}, 600_000);

test("another user's dataset is not mounted, unmounted or covered", async () => {
  const theirs = await place.dataset("theirs", other);
  const point = join(place.store.path, "theirs");
  expect(refusal(await place.mount([theirs]))).toBe(`The dataset ${theirs} belongs to another user`);
  expect(mountsOf(theirs)).toEqual([]);
  // Its owner mounts it, on a directory of his own.
  await host(["rmdir", point]);
  await mkdir(point, { mode: 0o700 });
  await chown(point, other, other);
  // The store itself is entered by its owner alone here, so root does it in the owner's name.
  await host(["mount", "-t", "zfs", "-o", "zfsutil", theirs, point]);
  const table = mountsOf(theirs);
  expect(refusal(await place.mount(["--unmount", theirs]))).toBe(
    `The dataset ${theirs} belongs to another user`,
  );
  await place.box.run(["zfs", "create", "-o", "canmount=noauto", `${theirs}/cover`]);
  expect(refusal(await place.mount([`${theirs}/cover`]))).toStartWith("Could not make the directory");
  expect(mountsOf(theirs)).toEqual(table);
  expect(mountsOf(`${theirs}/cover`)).toEqual([]);
  await host(["umount", point]);
});

test("a directory of another user is not covered", async () => {
  const mine = await place.dataset("trap");
  const point = join(place.store.path, "trap");
  await mkdir(point, { mode: 0o755 });
  await chown(point, other, other);
  expect(refusal(await place.mount([mine]))).toBe(`The directory ${point} belongs to another user`);
  expect(mountsOf(mine)).toEqual([]);
});

test("somebody else reaches nothing of a user's store", async () => {
  await place.quietly([dataset]);
  await chmod(place.box.root, 0o755);
  const table = allMounts();
  const unmount = refusal(await place.asOther([place.store.helper, "--unmount", dataset]));
  expect(unmount).toBe(`The dataset ${dataset} belongs to another user`);
  const unused = await place.dataset("unused");
  expect(refusal(await place.asOther([place.store.helper, unused]))).toStartWith(
    "Could not make the directory",
  );
  await place.box.run(["mkdir", join(place.store.path, "unused")]);
  expect(refusal(await place.asOther([place.store.helper, unused]))).toContain("belongs to another user");
  expect(allMounts()).toBe(table);
  // In use by another user, it is not taken away under him.
  await chmod(join(place.store.path, "mine"), 0o755);
  const identity = [`--reuid=${other}`, `--regid=${other}`, "--clear-groups"];
  const user = Bun.spawn(["setpriv", ...identity, "sleep", "600"], { cwd: join(place.store.path, "mine") });
  expect(refusal(await place.mount(["--unmount", dataset]))).toBe(
    `Could not unmount ${dataset}: Resource busy`,
  );
  expect(allMounts()).toBe(table);
  user.kill();
  await user.exited;
  await chmod(place.box.root, 0o700);
  await place.quietly(["--unmount", dataset]);
});

test("the property mountpoint means nothing", async () => {
  const evil = await place.dataset("evil");
  await host(["zfs", "set", "mountpoint=/usr/local/bin", evil]);
  await place.quietly([evil]);
  expect(mountsOf(evil)).toHaveLength(1);
  expect(mountsOf(evil)[0]).toContain(` ${join(place.store.path, "evil")} zfs rw,nosuid,nodev`);
  await place.quietly(["--unmount", evil]);
});

test("namespaces of the caller buy nothing", async () => {
  const forged = join(place.box.work, "forged");
  await place.box.run(["mkdir", forged]);
  await writeFile(join(forged, "enroot.conf"), "ENROOT_DATA_PATH /usr/local/bin\n");
  const before = allMounts();
  for (const options of ["-U", "-Ur", "-Urm", "-Urmpf", "-Um --map-user=0 --propagation=shared"]) {
    const result = await shell(`unshare ${options} -- "$HELPER" "$DATASET"`);
    expect(refusal(result)).toBe("File systems cannot be mounted from inside a user namespace");
  }
  const script = `mount --bind ${forged} /etc/enroot; mount --bind ${place.box.work} /proc; exec "$HELPER" "$DATASET"`;
  expect(refusal(await shell(`unshare -Urm -- bash -c '${script}'`))).toContain("/proc/self/uid_map");
  expect(allMounts()).toBe(before);
});

test("a configuration that others can write is not read", async () => {
  const file = "/etc/enroot/enroot.conf";
  const dropins = "/etc/enroot/enroot.conf.d";
  const { uid } = testUser();
  const refused = async (what: string): Promise<void> => {
    expect(refusal(await place.mount([dataset]))).toBe(`${what} that only root can write`);
    expect(mountsOf(dataset)).toEqual([]);
  };
  for (const mode of [0o666, 0o664, 0o646]) {
    await chmod(file, mode);
    await refused(`${file} must be a file`);
  }
  await chmod(file, 0o644);
  await chown(file, uid, 0);
  await refused(`${file} must be a file`);
  await chown(file, 0, 0);
  await chmod("/etc/enroot", 0o777);
  await refused("/etc/enroot must be a directory");
  await chmod("/etc/enroot", 0o755);
  // The same store named by a file that another user could have written.
  await host(["mv", file, `${file}.kept`]);
  await mkdir(dropins);
  await writeFile(join(dropins, "store.conf"), `ENROOT_DATA_PATH ${place.store.path}\n`);
  await place.quietly([dataset]);
  await place.quietly(["--unmount", dataset]);
  await chmod(join(dropins, "store.conf"), 0o666);
  await refused(`${dropins}/store.conf must be a file`);
  await chmod(join(dropins, "store.conf"), 0o644);
  await chmod(dropins, 0o777);
  await refused(`${dropins} must be a directory`);
  await rm(dropins, { recursive: true });
  expect(refusal(await place.mount([dataset]))).toBe(`No store is named: set ENROOT_DATA_PATH in ${file}`);
  await symlink(`${file}.kept`, file);
  expect(refusal(await place.mount([dataset]))).toStartWith(`Could not open ${file}`);
  await rm(file);
  await host(["mv", `${file}.kept`, file]);
});

test("a configuration is no program", async () => {
  const file = "/etc/enroot/enroot.conf";
  const mark = join(place.box.work, "executed");
  const kept = await host(["cat", file]);
  const values = [
    "$(touch MARK)",
    "`touch MARK`",
    "relative",
    "/",
    "/a/../b",
    "/a//b",
    "/tmp/",
    "$NOTHING/x",
    "/a;b",
    "~/x",
  ];
  for (const value of values) {
    await writeFile(file, `ENROOT_DATA_PATH ${value.replace("MARK", mark)}\n`);
    expect(refusal(await place.mount([dataset]))).toMatch(/must be an absolute path/);
  }
  expect(existsSync(mark)).toBeFalse();
  await writeFile(file, `# a comment\nENROOT_DATA_PATH="${place.store.path}"\nENROOT_DATA_PATH /elsewhere\n`);
  await place.quietly([dataset]);
  await place.quietly(["--unmount", dataset]);
  await writeFile(file, "ENROOT_DATA_PATH /usr/local/bin\n");
  expect(refusal(await place.mount([dataset]))).toBe(
    "The store /usr/local/bin is not the mount point of a ZFS dataset",
  );
  await writeFile(file, kept);
});

test("set-user-id files and devices of a received stream are inert", async () => {
  const source = `${place.store.dataset}-source`;
  const stream = join(place.box.work, "stream");
  const here = join(place.box.root, "source");
  await host(["zfs", "create", "-o", `mountpoint=${here}`, source]);
  try {
    await host(["cp", "/usr/bin/id", join(here, "id")]);
    await host(["chmod", "6755", join(here, "id")]);
    await host(["cp", "/usr/bin/id", join(here, "capable")]);
    await host(["setcap", "cap_setuid,cap_dac_override+ep", join(here, "capable")]);
    await host(["mknod", "-m", "666", join(here, "zero"), "c", "1", "5"]);
    await host(["mknod", "-m", "666", join(here, "disk"), "b", "254", "0"]);
    await chown(here, testUser().uid, testUser().gid);
    await host(["zfs", "set", "mountpoint=/usr/local/bin", "setuid=on", "devices=on", source]);
    await host(["zfs", "snapshot", `${source}@sent`]);
    await host(["bash", "-c", `zfs send -p ${source}@sent > ${stream}`]);
  } finally {
    await host(["zfs", "destroy", "-r", source]);
  }
  const received = `${place.store.dataset}/received`;
  const receive = `zfs receive -u -o canmount=noauto -x mountpoint ${received} < ${stream}`;
  await host(["bash", "-c", receive]);
  await place.quietly([received]);
  const point = join(place.store.path, "received");
  const ids = await place.box.run([join(point, "id"), "-u"]);
  expect(ids.stdout.trim()).toBe(`${testUser().uid}`);
  const capabilities = await shell(
    `exec 3< /proc/self/status; "${point}/capable" > /dev/null; grep CapPrm <&3`,
  );
  expect(capabilities.stdout).toContain("CapPrm:\t0000000000000000");
  for (const device of ["zero", "disk"]) {
    const read = await place.box.run(["head", "-c", "1", join(point, device)]);
    expect(read.stderr).toContain("Permission denied");
  }
  await place.quietly(["--unmount", received]);
});
