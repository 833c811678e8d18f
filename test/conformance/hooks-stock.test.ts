// SPDX-License-Identifier: Apache-2.0
// What the hooks that come with enroot do to a container.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { enrootBinary, host, sandbox, testUser, userName } from "../harness/index.ts";
import { container, lines, own } from "./container.ts";
import { improvement } from "./improvement.ts";

const { uid, gid } = testUser();

describe("shadow", () => {
  const passwd = `daemon:x:1:1:daemon:/:/bin/false
root:*:0:0:image root:/elsewhere:/bin/ash
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
${userName}:x:7:7:another:/other:/bin/ash
no colon in this line

twin:x:${uid}:9::/:/bin/sh`;
  const group = `root:x:0:daemon\n_apt:x:42:\nnogroup:*:1:\nusers:x:100:daemon,root\n`;

  test("root, nobody and the caller come first, and _apt goes", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box, { "etc/passwd": passwd, "etc/group": group });
    expect(await inside("whoami; id -un; id -gn; echo ~")).toBe(
      `${userName}\n${userName}\n${userName}\n/home/${userName}\n`,
    );
    const users = lines(await readFile(join(rootfs, "etc/passwd"), "utf8"));
    expect(users.slice(0, 4)).toEqual([
      "root:x:0:0:root:/root:/bin/sh",
      "nobody:x:65534:65534:nobody:/:/sbin/nologin",
      expect.stringMatching(new RegExp(`^${userName}:x:${uid}:${gid}:.*:/home/${userName}:/bin/sh$`)),
      "daemon:x:1:1:daemon:/:/bin/false",
    ]);
    expect(users).toContain(`twin:x:${uid}:9::/:/bin/sh`);
    const groups = lines(await readFile(join(rootfs, "etc/group"), "utf8"));
    expect(groups.slice(0, 3)).toEqual(["root:x:0:", "nogroup:x:65534:", `${userName}:x:${gid}:`]);
    expect(groups).toContain("users:x:100:daemon,root");
    expect([...users, ...groups].filter((line) => line.startsWith("_apt:"))).toEqual([]);
    expect((await stat(join(rootfs, "etc/passwd"))).mode & 0o777).toBe(0o644);
  });

  improvement("bash enroot keeps them", "others of these names, and what is no entry, go too", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box, { "etc/passwd": passwd, "etc/group": group });
    await inside("true");
    expect(lines(await readFile(join(rootfs, "etc/passwd"), "utf8"))).toHaveLength(5);
    expect(lines(await readFile(join(rootfs, "etc/group"), "utf8"))).toHaveLength(4);
  });

  improvement("bash enroot writes the files anew", "a second start changes nothing", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box);
    const state = () =>
      Promise.all(["etc/passwd", "etc/group", "etc/localtime"].map((name) => stat(join(rootfs, name)))).then(
        (all) => all.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
      );
    await inside("true");
    const before = await state();
    await inside("true");
    await inside("true", ["--root"]);
    expect(await state()).toEqual(before);
  });

  test("files that are missing are made", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box);
    await rm(join(rootfs, "etc"), { recursive: true });
    expect(await inside("whoami", [], { env: { TERM: "x" } })).toBe(`${userName}\n`);
  });

  test("the caller's shell when the container has it, else that of useradd, else sh", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box, {
      "etc/default/useradd": "# SHELL=/no\nSHELL=/bin/ash\n",
    });
    const ofHost = (await host(["getent", "passwd", userName])).trim().split(":")[6] ?? "";
    expect(await inside("echo $SHELL")).toBe("/bin/ash\n");
    await mkdir(join(rootfs, ofHost, ".."), { recursive: true });
    if (ofHost !== "/bin/sh")
      await writeFile(join(rootfs, ofHost), '#!/bin/sh\nexec /bin/ash "$@"\n', { mode: 0o755 });
    await own(rootfs);
    expect(await inside("grep ^root: /etc/passwd")).toMatch(new RegExp(`^root:.*:${ofHost}\n`));
  });

  improvement("bash enroot takes quotes for a part of it", "its name may be in quotes", async () => {
    await using box = await sandbox();
    const { inside } = await container(box, { "etc/default/useradd": 'SHELL="/bin/ash"\n' });
    expect(await inside("echo $SHELL")).toBe("/bin/ash\n");
  });

  test("a home from the skeleton, with the container's umask", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box, {
      "etc/login.defs": "UMASK\t\t022\n#UMASK 000\nMAIL_DIR /var/spool/mail\n",
      "etc/default/useradd": "SKEL=/skeleton\nCREATE_MAIL_SPOOL=yes\n",
      "skeleton/.profile": "A=1\n",
      "skeleton/bin/script": "#!/bin/sh\n",
    });
    await chmod(join(rootfs, "skeleton/bin/script"), 0o750);
    const script = "cd; stat -c '%a %n' . .profile bin bin/script; ls /var/spool/mail";
    expect(await inside(script)).toBe(`755 .\n644 .profile\n755 bin\n750 bin/script\n${userName}\n`);
    await writeFile(join(rootfs, "home", userName, ".profile"), "changed\n");
    expect(await inside("cat ~/.profile")).toBe("changed\n");
  });

  improvement("bash enroot leaves them out", "links of the skeleton are made, too", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box, { "etc/skel/.profile": "A=1\n" });
    await symlink(".profile", join(rootfs, "etc/skel/link"));
    expect(await inside("cd; readlink link")).toBe(".profile\n");
  });

  test("a home for the caller alone by default, none when login.defs says so", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    expect(await inside("stat -c %a ~")).toBe("700\n");
    const { inside: other, rootfs } = await container(
      box,
      { "etc/login.defs": "CREATE_HOME no\nDEFAULT_HOME yes\n" },
      "other",
    );
    const result = await box.enroot(["start", "other", "pwd"]);
    expect(result.stdout).toBe("/\n");
    expect(await other(`ls ${rootfs}/home 2> /dev/null || echo none`)).toBe("none\n");
  });

  improvement.each("bash enroot makes broken entries", [
    [
      "known to the environment",
      { USER: "somebody", HOME: "/work/home" },
      "somebody:x:54321:54322::/work/home:",
    ],
    ["not known at all", { USER: "", HOME: "" }, "user54321:x:54321:54322::/:"],
    ["who calls himself root", { USER: "root", HOME: "relative" }, "user54321:x:54321:54322::/:"],
  ])("a caller that no database knows, %s", async (_, env, entry) => {
    await using box = await sandbox({ env });
    const { rootfs } = await container(box);
    await host(["chown", "-R", "54321:54322", box.root]);
    const drop = ["setpriv", "--reuid=54321", "--regid=54322", "--clear-groups", "--"];
    const command = [enrootBinary(), "start", "box", "sh", "-c", "id -u; id -g; pwd"];
    const result = await box.run([...drop, ...command], { user: "root" });
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(lines(result.stdout)).toEqual(["54321", "54322", env.HOME.startsWith("/") ? env.HOME : "/"]);
    expect(await readFile(join(rootfs, "etc/passwd"), "utf8")).toContain(`\n${entry}/bin/sh\n`);
    expect(await readFile(join(rootfs, "etc/group"), "utf8")).toContain("\ngroup54322:x:54322:\n");
  });
});

describe("localtime", () => {
  test("the host's link, and the file it leads to", async () => {
    await using box = await sandbox();
    const { inside, rootfs } = await container(box, { "etc/localtime": "another zone" });
    const link = await readlink("/etc/localtime");
    const file = (await host(["readlink", "-f", "/etc/localtime"])).trim();
    expect(await inside("readlink /etc/localtime; date +%Z")).toBe(`${link}\n${await host(["date", "+%Z"])}`);
    expect(await readFile(join(rootfs, file))).toEqual(await readFile(file));
    await chmod(join(rootfs, file), 0o644);
    await writeFile(join(rootfs, file), "the image's own");
    await inside("true");
    expect(await readFile(join(rootfs, file), "utf8")).toBe("the image's own");
  });
});

describe("aptfix", () => {
  const setting = "etc/apt/apt.conf.d/enroot";

  test("root in a Debian container does not hand downloads to another user", async () => {
    await using box = await sandbox();
    const { inside } = await container(box, { "etc/debian_version": "12.1\n" });
    expect(await inside(`cat /${setting}`, ["--root"])).toBe('APT::Sandbox::User "root";\n');
  });

  test.each([
    [[], { "etc/debian_version": "12.1\n" }],
    [["--root"], {}],
  ])("nothing with %j and %j", async (options, files) => {
    await using box = await sandbox();
    const { inside } = await container(box, files);
    expect(await inside(`ls /${setting} 2> /dev/null || echo none`, options)).toBe("none\n");
  });
});

describe("home", () => {
  const on = { ENROOT_MOUNT_HOME: "y" };

  test("is mounted where it is, and HOME says so", async () => {
    await using box = await sandbox({ env: on });
    const { inside } = await container(box, { "etc/environment": "PATH=/bin\nHOME=/of-the-image\n" });
    expect(await inside("echo $HOME; pwd; echo through > ~/file")).toBe(`${box.home}\n${box.home}\n`);
    expect(await readFile(join(box.home, "file"), "utf8")).toBe("through\n");
  });

  test("is root's with --root", async () => {
    await using box = await sandbox({ env: on });
    const { inside } = await container(box);
    await writeFile(join(box.home, "file"), "");
    expect(await inside("echo $HOME; ls ~", ["--root"])).toBe("/root\nfile\n");
  });

  improvement(
    "bash enroot takes it for two fields",
    "may have spaces in its name, or come from the host's passwd",
    async () => {
      await using box = await sandbox({ env: on });
      const { inside } = await container(box);
      const home = join(box.root, "a home");
      await mkdir(home);
      await own(home);
      expect(await inside("pwd", [], { env: { HOME: home } })).toBe(`${home}\n`);
      const known = (await host(["getent", "passwd", userName])).split(":")[5] ?? "";
      const result = await box.enroot(["start", "box", "pwd"], { env: { HOME: "" } });
      if (result.status === 0) expect(result.stdout).toBe(`${known}\n`);
      else expect(result.stderr).toContain(known);
    },
  );

  test.each([{}, { ENROOT_MOUNT_HOME: "n" }])("is not mounted with %j", async (env) => {
    await using box = await sandbox();
    const { inside } = await container(box);
    expect(await inside(`ls -d ${box.home} 2> /dev/null || echo none`, [], { env })).toBe("none\n");
  });
});

describe("cgroups", () => {
  test.each([{}, { SLURM_STEP_ID: "0" }])("every hierarchy is read-only, with %j", async (env) => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const output = await inside("cat /proc/self/mountinfo", [], { env });
    const top = new Map(lines(output).map((line) => [line.split(" ")[4] ?? "", line.split(" ")[5] ?? ""]));
    const cgroups = [...top].filter(
      ([point]) => point === "/sys/fs/cgroup" || point.startsWith("/sys/fs/cgroup/"),
    );
    for (const [, options] of cgroups) expect(options).toStartWith("ro,");
    const mine = (await readFile("/proc/self/mountinfo", "utf8")).match(/ \/sys\/fs\/cgroup\S* /g) ?? [];
    expect(cgroups.length).toBe(new Set(mine).size);
  });

  test("nothing but the caller's own part is there", async () => {
    await using box = await sandbox();
    const { inside } = await container(box);
    const paths = lines(await inside("cat /proc/self/cgroup")).map((line) =>
      line.split(":").slice(2).join(":"),
    );
    expect(new Set(paths)).toEqual(new Set(["/"]));
    const roots = lines(await inside("grep ' - cgroup' /proc/self/mountinfo | tail -n 1")).map(
      (line) => line.split(" ")[3],
    );
    for (const root of roots) expect(root).toBe("/");
  });
});

describe("a root file system on a read-only file system", () => {
  const readOnly = (rootfs: string) => `mount --bind ${rootfs} ${rootfs}; mount -o remount,bind,ro ${rootfs}`;

  improvement(
    "bash enroot has to write the lock",
    "starts in silence when it was started before",
    async () => {
      await using box = await sandbox();
      const { inside, rootfs } = await container(box);
      await inside("true");
      expect(await box.enroot(["start", "box", "whoami"], { prepare: readOnly(rootfs) })).toEqual({
        status: 0,
        signal: null,
        stdout: `${userName}\n`,
        stderr: "",
      });
    },
  );

  improvement(
    "bash enroot has to write the lock",
    "starts with warnings when everything that is mounted upon is there",
    async () => {
      await using box = await sandbox();
      const { rootfs } = await container(box);
      for (const name of ["proc", "sys", "dev", "tmp", "var/run", "var/lock"])
        await mkdir(join(rootfs, name), { recursive: true });
      for (const name of ["hosts", "hostname", "resolv.conf", "machine-id"])
        await writeFile(join(rootfs, "etc", name), "");
      const result = await box.enroot(["start", "-e", "HOME=/", "box", "id", "-u"], {
        prepare: readOnly(rootfs),
      });
      expect(result).toMatchObject({ status: 0, stdout: `${uid}\n` });
      expect(result.stderr).toMatch(/^(\[WARN\] Could not .* in the container: Read-only file system\n)+$/);
    },
  );
});
