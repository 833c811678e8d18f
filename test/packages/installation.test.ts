// SPDX-License-Identifier: Apache-2.0
// What apt does with the packages in a fresh Debian: installing, upgrading, switching flavours, removing, purging.
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packages, version } from "./built.ts";
import { changedFiles, earlierLine, earlierPackages, earlierVersion } from "./earlier.ts";
import { baseSystem, current as bookworm, type System, system } from "./installation.ts";

// What is expensive is made before the first test, whose time it would take.
const current = await packages();
await baseSystem(bookworm);

const mounter = "/usr/bin/enroot-zfs-mount";
const install = (...names: string[]): string => `apt-get -qq install ${names.join(" ")} > /dev/null`;
const capabilities = (on: System): Promise<string> => on.root("getcap -r /usr /etc /opt");
const granted = `${mounter} cap_sys_admin=ep\n`;

/** The packages of enroot that are installed. */
async function installed(on: System): Promise<readonly string[]> {
  const states = await on.root("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' 'enroot*'");
  return [...states.matchAll(/^installed (\S+) (\S+)$/gm)].map(([, name, number]) => `${name} ${number}`);
}

describe("installed", () => {
  test("it runs as a user, and no file has a capability", async () => {
    await using on = await system([current]);
    await on.root(install("enroot"));
    expect(await on.user("enroot version")).toBe(`${version}\n`);
    const places = await on.user("enroot info | grep -E '(LIBRARY|SYSCONF)_PATH'");
    expect(places).toContain("/usr/lib/enroot");
    expect(places).toContain("/etc/enroot");
    expect(await capabilities(on)).toBe("");
    expect(await on.root("find /usr /etc -xdev -newer /etc/apt/sources.list -perm /6000")).toBe("");
    const job = `
      export XDG_RUNTIME_DIR=$HOME
      mkdir -p tree/bin tree/etc tree/lib64
      cp -L /bin/sh tree/bin
      for file in $(ldd /bin/sh | grep -o '/[^ ]*'); do install -D "$file" "tree$file"; done
      mksquashfs tree image.sqsh -quiet -no-progress > /dev/null
      enroot create -n box image.sqsh 2> /dev/null
      enroot list
      enroot start box /bin/sh -c 'echo inside'
      enroot remove -f box`;
    expect(await on.user(job)).toBe("box\ninside\n");
  });

  test("with +caps one program has one capability, until that is removed", async () => {
    await using on = await system([current]);
    await on.root(install("enroot+caps"));
    expect(await installed(on)).toEqual([`enroot ${version}-1`, `enroot+caps ${version}-1`]);
    expect(await capabilities(on)).toBe(granted);
    await on.root(install("--reinstall", "enroot"));
    expect(await capabilities(on)).toBe(granted);
    await on.root("apt-get -qq remove enroot+caps > /dev/null");
    expect(await capabilities(on)).toBe("");
    expect(await installed(on)).toEqual([`enroot ${version}-1`]);
  });

  test("an administrator's owner and mode of the program stay, with the capability", async () => {
    await using on = await system([current]);
    await on.root(`${install("enroot+caps")}
      dpkg-statoverride --quiet --update --add root games 0750 ${mounter}
      dpkg-reconfigure enroot+caps`);
    const state = (): Promise<string> => on.root(`stat -c '%U %G %a' ${mounter}; getcap ${mounter}`);
    expect(await state()).toBe(`root games 750\n${granted}`);
    await on.root(install("--reinstall", "enroot"));
    expect(await state()).toBe(`root games 750\n${granted}`);
  });

  test("where no capability can be given, the installation says so and goes on", async () => {
    await using on = await system([current]);
    const result = await on.attempt(
      "setpriv --bounding-set=-setfcap --inh-caps=-setfcap apt-get -qq install enroot+caps",
    );
    expect(result.stdout).toContain(`enroot+caps: ${mounter} cannot be given the capability cap_sys_admin`);
    expect(result.status).toBe(0);
    expect(await capabilities(on)).toBe("");
    expect(await on.user("enroot version")).toBe(`${version}\n`);
  });
});

describe("upgraded", () => {
  test("changes of the configuration stay, new defaults come, and so does the capability", async () => {
    const earlier = await mkdtemp(join(tmpdir(), "enroot-packages."));
    try {
      await earlierPackages(["enroot", "enroot+caps"], earlier);
      await using on = await system([current, earlier]);
      await on.root(install(`enroot=${earlierVersion}-1`, `enroot+caps=${earlierVersion}-1`));
      expect(await capabilities(on)).toBe(granted);
      const [settings, mounts] = changedFiles;
      const hook = "/etc/enroot/hooks.d/10-home.sh";
      await on.root(`echo '# Mine.' | tee -a ${settings} >> ${hook}`);
      await on.root("apt-get -qq -o Dpkg::Options::=--force-confold dist-upgrade > /dev/null");
      expect(await installed(on)).toEqual([`enroot ${version}-1`, `enroot+caps ${version}-1`]);
      expect(await capabilities(on)).toBe(granted);
      // Changed on both sides: the administrator's stays, the package's lies beside it.
      expect(await on.root(`cat ${settings}`)).toEndWith(`${earlierLine}# Mine.\n`);
      expect(await on.root(`cat ${settings}.dpkg-dist`)).not.toContain(earlierLine);
      expect(await on.root(`tail -n 1 ${hook}`)).toBe("# Mine.\n");
      expect(await on.root(`cat ${mounts}`)).not.toContain(earlierLine);
    } finally {
      await rm(earlier, { recursive: true, force: true });
    }
  });
});

describe("the other flavour", () => {
  test("replaces the first in one installation, keeps the configuration, and can be replaced as well", async () => {
    await using on = await system([current]);
    const hook = "/etc/enroot/hooks.d/10-home.sh";
    await on.root(`${install("enroot+caps")}; echo '# Mine.' >> ${hook}`);
    await on.root(install("enroot-hardened"));
    expect(await installed(on)).toEqual([`enroot-hardened ${version}-1`]);
    expect(await on.root(`tail -n 1 ${hook}; ls /etc/enroot/*/*dpkg* 2> /dev/null || true`)).toBe(
      "# Mine.\n",
    );
    expect(await capabilities(on)).toBe("");
    expect(await on.user("enroot version")).toBe(`${version}\n`);
    await on.root(install("enroot-hardened+caps"));
    expect(await capabilities(on)).toBe(granted);
    // With its capability, in one step.
    await on.root(install("enroot", "enroot+caps"));
    expect(await installed(on)).toEqual([`enroot ${version}-1`, `enroot+caps ${version}-1`]);
    expect(await capabilities(on)).toBe(granted);
    // What is left of the flavour that went away takes nothing along.
    await on.root("apt-get -qq purge enroot-hardened enroot-hardened+caps > /dev/null");
    expect(await on.root(`tail -n 1 ${hook}`)).toBe("# Mine.\n");
    expect(await on.user("enroot version")).toBe(`${version}\n`);
  });
});

describe("removed", () => {
  test("only the configuration stays, purged nothing does, and users keep what they have", async () => {
    await using on = await system([current]);
    const list =
      "find / -xdev \\( -path /proc -o -path /var -o -path /srv -o -path /tmp \\) -prune -o -print | sort";
    const before = await on.root(list);
    await on.root(install("enroot+caps"));
    await on.user("mkdir -p ~/.local/share/enroot/box");
    await on.root("apt-get -qq remove enroot enroot+caps > /dev/null");
    expect(await on.root("find /usr /etc -name '*enroot*' | sort")).toBe(
      "/etc/apparmor.d/enroot\n/etc/enroot\n/etc/enroot/enroot.conf\n/etc/enroot/enroot.conf.d\n",
    );
    await on.root("apt-get -qq purge enroot enroot+caps > /dev/null");
    await on.user("rmdir -p ~/.local/share/enroot/box 2> /dev/null || true");
    expect(await on.root(list)).toBe(before);
  });
});
