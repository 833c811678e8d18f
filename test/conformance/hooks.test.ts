// SPDX-License-Identifier: Apache-2.0
// The protocol between a start and the hooks of sites and users.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, host, type Sandbox, sandbox, testUser } from "../harness/index.ts";
import { container, lines, sysconf } from "./container.ts";
import { improvement } from "./improvement.ts";

const { uid } = testUser();

/** Runs a command in a container with hooks of the system's only; what hooks write to stderr is shown. */
async function hooked(
  box: Sandbox,
  hooks: Readonly<Record<string, string>>,
  script = "true",
  options: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const files = Object.fromEntries(Object.entries(hooks).map(([name, text]) => [`hooks.d/${name}`, text]));
  const directory = await sysconf(box, {
    "mounts.d/1.fstab": "/proc /proc none rbind,x-create=dir,rslave 0 -1\n",
    ...files,
  });
  return box.enroot(["start", ...options, "box", "sh", "-ec", script], {
    env: { ENROOT_SYSCONF_PATH: directory, ...env },
  });
}

test("what a hook finds", async () => {
  await using box = await sandbox();
  const rootfs = join(box.data, "box");
  const hook = `#!/bin/bash
set -eu
exec >&2
echo "pid $ENROOT_PID"
echo "rootfs $ENROOT_ROOTFS"
[ "$(stat -c %d:%i "$ENROOT_ROOTFS")" = "$(stat -c %d:%i ${rootfs})" ] && echo same
cat "$ENROOT_ENVIRON"
echo "mounts [$(cat "$ENROOT_MOUNTS")]"
echo "\${ENROOT_DATA_PATH} \${ENROOT_SYSCONF_PATH} \${ENROOT_VERSION} \${ENROOT_LIBRARY_PATH}"
command -v enroot-mount enroot-rootfs > /dev/null && echo helpers
source "\${ENROOT_LIBRARY_PATH}/common.sh" && echo common
grep CapEff /proc/self/status
id -u
pwd
echo "\${OF_CALLER} \${A-unset} \${PWD}"
`;
  await container(box, { "etc/environment": "PATH=/bin\nA='from the image'\n" });
  const result = await hooked(box, { "1.sh": hook }, "echo $$", [], { OF_CALLER: "x y" });
  const found = lines(result.stderr);
  const version = (await box.ok(["version"])).trim();
  expect(found[0]).toBe(`pid ${result.stdout.trim()}`);
  expect(found.slice(1, 6)).toEqual([
    `rootfs ${rootfs}`,
    "same",
    "PATH=/bin",
    "A=from the image",
    "mounts []",
  ]);
  expect(found[6]).toStartWith(`${box.data} ${join(box.root, "sysconf")} ${version} /`);
  expect(found.slice(7, 9)).toEqual(["helpers", "common"]);
  expect(found[9]).toMatch(/^CapEff:\t0*[1-9a-f][0-9a-f]+$/);
  expect(found.slice(10)).toEqual([String(uid), box.work, `x y unset ${box.work}`]);
});

test("system hooks first, then those of the user, those of the script last; others are left alone", async () => {
  await using box = await sandbox();
  await container(box);
  const say = (text: string) => `#!/bin/sh\necho ${text} >&2\n`;
  await mkdir(join(box.config, "hooks.d"));
  await writeFile(join(box.config, "hooks.d/00-user.sh"), say("user"), { mode: 0o755 });
  await writeFile(join(box.config, "hooks.d/05-off.sh"), say("not executable"), { mode: 0o644 });
  await writeFile(join(box.work, "conf"), "hooks() { echo script >&2; }\n");
  const hooks = { "20-b.sh": say("b"), "10-a.sh": say("a"), "30-c.py": say("no"), "40.sh.off": say("no") };
  const result = await hooked(box, hooks, "true", ["-c", "conf"]);
  expect(result).toMatchObject({ status: 0, stderr: "a\nb\nuser\nscript\n" });
});

test("environment and mounts that hooks add, between those of files and those of the caller", async () => {
  await using box = await sandbox();
  const { rootfs } = await container(box, { "etc/environment": "PATH=/bin\nA=image\nB=image\n" });
  const hook = `#!/bin/sh
echo " B='hook'" >> "$ENROOT_ENVIRON"
echo "ENROOT_C=dropped" >> "$ENROOT_ENVIRON"
echo "tmpfs /made tmpfs x-create=dir" >> "$ENROOT_MOUNTS"
`;
  const second = `#!/bin/sh
ls -d "$ENROOT_ROOTFS"/made 2> /dev/null && echo too early >&2
sed -i /^A=/d "$ENROOT_ENVIRON"
`;
  const script = "echo ${A-unset} $B ${ENROOT_C-unset}; ls /made; grep -c ' /made' /proc/self/mountinfo";
  const result = await hooked(box, { "1.sh": hook, "2.sh": second }, script, [
    "-m",
    "tmpfs:/made/over:x-create=dir",
  ]);
  expect(result).toMatchObject({ stderr: "", stdout: "unset hook unset\nover\n2\n" });
  expect((await box.run(["ls", rootfs])).stdout).toContain("made");
});

test("enroot-mount works below the root file system", async () => {
  await using box = await sandbox();
  await container(box);
  const hook = `#!/bin/sh
set -e
enroot-mount --root "$ENROOT_ROOTFS" - <<EOF
tmpfs /mounted tmpfs x-create=dir,size=4k
/proc/version /mounted/version none x-create=file,bind
EOF
echo "tmpfs /other tmpfs x-create=dir 0 3" > "$(dirname "$ENROOT_ENVIRON")/extra"
enroot-mount --root "$ENROOT_ROOTFS" --pass 3 "$(dirname "$ENROOT_ENVIRON")/extra"
`;
  const result = await hooked(
    box,
    { "1.sh": hook },
    "cat /mounted/version; grep -c ' /other ' /proc/self/mountinfo",
  );
  expect(result.stderr).toBe("");
  expect(result.stdout).toMatch(/^Linux version [^\n]*\n1\n$/);
});

describe("a hook that fails", () => {
  test.each([
    ["#!/bin/sh\nexit 3\n", "exited with return code 3"],
    ["#!/bin/bash\nset -e\nfalse\n", "exited with return code 1"],
    ["#!/bin/sh\nkill -9 $$\n", "exited with return code 137"],
    [
      '#!/bin/bash\nsource "${ENROOT_LIBRARY_PATH}/common.sh"\ncommon::err "no good"\n',
      "exited with return code 1",
    ],
  ])("%j stops the start", async (text, message) => {
    await using box = await sandbox();
    await container(box);
    const result = await hooked(
      box,
      { "1-fails.sh": text, "2-next.sh": "#!/bin/sh\necho ran >&2\n" },
      "echo started",
    );
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toEndWith(`[ERROR] ${box.root}/sysconf/hooks.d/1-fails.sh ${message}\n`);
    expect(result.stderr).not.toContain("ran");
  });

  test("by not starting at all stops the start", async () => {
    await using box = await sandbox();
    await container(box);
    const result = await hooked(box, { "1.sh": "#!/no/such/interpreter\n" }, "echo started");
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(lines(result.stderr).at(-1)).toMatch(/^\[ERROR\] .*hooks\.d\/1\.sh exited with return code \d+$/);
  });

  test("leaves the container free for the next start", async () => {
    await using box = await sandbox();
    await container(box);
    await hooked(box, { "1.sh": "#!/bin/sh\nexit 1\n" });
    expect(await box.ok(["start", "box", "echo", "started"])).toBe("started\n");
  });
});

test("a hook without an interpreter line is a bash script", async () => {
  await using box = await sandbox();
  await container(box);
  expect(await hooked(box, { "1.sh": "a=(1 2); echo ${#a[@]} >&2\n" })).toMatchObject({
    status: 0,
    stderr: "2\n",
  });
});

test("what a hook prints is not the command's output, and it may read the caller's input", async () => {
  await using box = await sandbox();
  await container(box);
  const directory = await sysconf(box, {
    "hooks.d/1.sh": "#!/bin/sh\nread -r line\necho got $line >&2; echo hidden\n",
  });
  const result = await box.enroot(["start", "box", "cat"], {
    stdin: "first\nsecond\n",
    env: { ENROOT_SYSCONF_PATH: directory },
  });
  expect(result).toMatchObject({ stdout: "second\n", stderr: "got first\n" });
});

test("settings as they are in force, from whatever place, and switched off ones not at all", async () => {
  await using box = await sandbox();
  await container(box);
  await writeFile(join(box.work, "conf"), "#ENROOT_SITE_A=directive\n#ENROOT_SITE_B=no\n");
  const hook = `#!/bin/bash
for name in REMAP_ROOT ROOTFS_WRITABLE UNSHARE_NET UNSHARE_IPC LOGIN_SHELL ALLOW_HTTP SITE_A SITE_B SITE_C SITE_D; do
    setting=ENROOT_$name
    echo "$name=\${!setting-unset}" >&2
done
`;
  const env = {
    ENROOT_ALLOW_HTTP: "N",
    ENROOT_SITE_C: "False",
    ENROOT_SITE_D: "kept",
    ENROOT_LOGIN_SHELL: "FALSE",
  };
  const result = await hooked(box, { "1.sh": hook }, "true", ["-r", "-w", "--net", "-c", "conf"], env);
  expect(lines(result.stderr)).toEqual([
    "REMAP_ROOT=y",
    "ROOTFS_WRITABLE=y",
    "UNSHARE_NET=y",
    "UNSHARE_IPC=unset",
    "LOGIN_SHELL=unset",
    "ALLOW_HTTP=unset",
    "SITE_A=directive",
    "SITE_B=unset",
    "SITE_C=unset",
    "SITE_D=kept",
  ]);
});

test("root keeps its privileges in a container only when that is allowed", async () => {
  await using box = await sandbox();
  await container(box);
  await host(["chown", "-R", "root:", box.root]);
  const facts = "cat /proc/self/uid_map; grep CapEff /proc/self/status";
  const run = async (env: Record<string, string>) => {
    const { stdout, stderr } = await box.enroot(["start", "box", "sh", "-c", facts], { user: "root", env });
    expect(stderr).toBe("");
    return stdout.replaceAll(/ +/g, " ");
  };
  expect(await run({})).toStartWith(" 0 0 1\n");
  const allowed = await run({ ENROOT_ALLOW_SUPERUSER: "y" });
  expect(allowed).toStartWith(" 0 0 4294967295\n");
  expect(allowed).not.toContain("0000000000000000");
});

test("what root mounts in a container, with its privileges, does not reach the host", async () => {
  await using box = await sandbox();
  await container(box);
  await host(["chown", "-R", "root:", box.root]);
  // A host whose mounts are shared, as they are under systemd.
  const script = `before=$(cut -d' ' -f5 /proc/self/mountinfo)
    "$0" start -m tmpfs:/mnt:x-create=dir box grep -c ' /mnt ' /proc/self/mountinfo || exit
    [ "$before" = "$(cut -d' ' -f5 /proc/self/mountinfo)" ] && echo same`;
  const result = await box.run(
    ["unshare", "--mount", "--propagation", "shared", "bash", "-c", script, enrootBinary()],
    { user: "root", env: { ENROOT_ALLOW_SUPERUSER: "y" } },
  );
  expect(result).toMatchObject({ status: 0, stdout: "1\nsame\n", stderr: "" });
});

improvement("bash enroot does without one", "a PATH that the caller lacks is a sensible one", async () => {
  await using box = await sandbox();
  await container(box);
  const directory = await sysconf(box, { "hooks.d/1.sh": '#!/bin/sh\necho "$PATH" >&2; ls / > /dev/null\n' });
  const { PATH: _, ...env }: Record<string, string> = { ...box.env, ENROOT_SYSCONF_PATH: directory };
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const result = await box.run(["env", "-i", ...words, enrootBinary(), "start", "box", "echo", "started"]);
  expect(result.stdout).toBe("started\n");
  expect(result.stderr).toMatch(/^\/.*:\/usr\/bin:.*\n$/);
});
