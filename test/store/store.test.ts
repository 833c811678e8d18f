// SPDX-License-Identifier: Apache-2.0
// What every store does, as its users see it. ENROOT_STORAGE_BACKEND=zfs runs the same on datasets.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, type Sandbox, sandbox, testUser, until } from "../harness/index.ts";
import { archive } from "../registry/archive.ts";
import { scriptedImage } from "../registry/scripted-image.ts";
import { serveImage } from "../registry/scripted-registry.ts";

let box: Sandbox;
let plain: string;

const odd = `${busybox}
  echo text > file; ln file second; ln -s /file link; mkfifo pipe
  mkdir -m 1777 sticky; mkdir -m 555 closed; echo x > closed/x
  cp bin/busybox setid; chmod 6755 setid; mkdir -m 2755 group
  touch -d 2001-02-03 old 'with space' ' leading' "$(printf 'new\\nline')"`;

beforeAll(async () => {
  box = await sandbox();
  plain = await image(box, `${busybox}; echo original > file`, "plain.sqsh");
});
afterAll(() => box[Symbol.asyncDispose]());
afterEach(async () => {
  const names = await list();
  if (names.length > 0) await box.ok(["remove", "-f", "--", ...names]);
});

async function list(): Promise<string[]> {
  return (await box.ok(["list"])).split("\n").filter((name) => name !== "");
}

/** What is in the store's directory by other names than containers': what must not pile up. */
async function hidden(): Promise<string[]> {
  const found = await host(["find", box.data, "-maxdepth", "2", "-name", ".*.*", "-path", "*/.*"]);
  return found.split("\n").filter((path) => /\.(new|old)\./.test(path));
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

describe("create", () => {
  test("gives a container the files of the image: kinds, modes, times and links", async () => {
    const file = await image(box, odd, "odd.sqsh");
    await box.ok(["create", "-n", "odd", file]);
    const listing = `cd "$1"; find . ! -path . -printf '%p %y %m %T@ %l\\n' | sort; stat -c %h file second
sha256sum file closed/x`;
    const tree = join(box.root, "expected");
    await host(["unsquashfs", "-quiet", "-no-progress", "-d", tree, file]);
    await host(["chmod", "u-s,g-s", join(tree, "setid"), join(tree, "group")]);
    await host(["find", tree, "-type", "d", "!", "-perm", "-u=w", "-exec", "chmod", "u+w", "{}", "+"]);
    const wanted = await host(["sh", "-ec", listing, "sh", tree]);
    expect(await host(["sh", "-ec", listing, "sh", join(box.data, "odd")])).toBe(wanted);
    const { uid } = testUser();
    expect(await host(["find", join(box.data, "odd"), "!", "-uid", String(uid)])).toBe("");
  });

  test("takes names with any characters but slashes, and list has them", async () => {
    const names = ["a b", "ubuntu+24.04", "-x", "ünïcode", "100%", "a:b@c", "it's", 'say "x"'];
    for (const name of names) await box.ok(["create", "-n", name, plain]);
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await list()).toEqual(sorted);
    for (const name of names) expect(await box.ok(["start", "--", name, "cat", "/file"])).toBe("original\n");
  });

  test.each(["a/b", "..", ".hidden", "", "x".repeat(256), "new\nline"])(
    "refuses the name %j",
    async (name) => {
      const { status, stderr } = await box.enroot(["create", "-n", name, plain]);
      expect({ status, line: lastLine(stderr).slice(0, 8) }).toEqual({ status: 1, line: "[ERROR] " });
      expect(await list()).toEqual([]);
    },
  );

  test("refuses a name that is taken and changes nothing; --force replaces", async () => {
    await box.ok(["create", "-n", "one", plain]);
    await box.ok(["start", "--rw", "one", "sh", "-c", "echo mine > /file"]);
    const refused = await box.enroot(["create", "-n", "one", plain]);
    expect(refused.status).toBe(1);
    expect(lastLine(refused.stderr)).toContain("already exists");
    expect(await box.ok(["start", "one", "cat", "/file"])).toBe("mine\n");
    await box.ok(["create", "--force", "-n", "one", plain]);
    expect(await box.ok(["start", "one", "cat", "/file"])).toBe("original\n");
    expect(await hidden()).toEqual([]);
  });

  test("a forced one that fails leaves the old one", async () => {
    await box.ok(["create", "-n", "one", plain]);
    await writeFile(join(box.work, "damaged.sqsh"), (await readFile(plain)).fill(0xff, 200, 20_000));
    expect((await box.enroot(["create", "-f", "-n", "one", "damaged.sqsh"])).status).toBe(1);
    expect(await box.ok(["start", "one", "cat", "/file"])).toBe("original\n");
    expect(await hidden()).toEqual([]);
  });

  test("of many names at once makes all, of many with one name one", async () => {
    const names = ["a", "b", "c", "d"];
    const made = await Promise.all(names.map((name) => box.enroot(["create", "-n", name, plain])));
    expect(made.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    const same = await Promise.all(names.map(() => box.enroot(["create", "-n", "same", plain])));
    expect(same.map(({ status }) => status).toSorted()).toEqual([0, 1, 1, 1]);
    expect(await list()).toEqual([...names, "same"]);
    expect(await box.ok(["start", "same", "cat", "/file"])).toBe("original\n");
    expect(await hidden()).toEqual([]);
  });
});

describe("an extraction", () => {
  const large = `${busybox}; head -c 60000000 /dev/urandom > big; sha256sum big > sum`;

  async function interrupted(signal: NodeJS.Signals): Promise<string> {
    const file = await image(box, large, `${signal}.sqsh`);
    const running = box.start(["create", "-n", "large", file]);
    await until("the extraction to begin", async () => (await hidden()).length > 0);
    running.kill(signal);
    await running.exited;
    expect(await list()).toEqual([]);
    return file;
  }

  test("that is interrupted leaves nothing", async () => {
    await interrupted("SIGTERM");
    expect(await hidden()).toEqual([]);
  });

  test("that is killed is done again by the next, and its remains go", async () => {
    const file = await interrupted("SIGKILL");
    await box.ok(["create", "-n", "large", file]);
    expect(
      await box.ok(["start", "large", "sh", "-c", "cd /; sha256sum big | cmp - sum && echo whole"]),
    ).toBe("whole\n");
    expect(await hidden()).toEqual([]);
  });
});

describe("a container", () => {
  test("keeps what is written to it, and shares it with no other", async () => {
    for (const name of ["one", "two"]) await box.ok(["create", "-n", name, plain]);
    await box.ok(["start", "--rw", "one", "sh", "-c", "echo mine > /file"]);
    expect(await box.ok(["start", "one", "cat", "/file"])).toBe("mine\n");
    expect(await box.ok(["start", "two", "cat", "/file"])).toBe("original\n");
  });

  test("that runs is told by list -f, and by its name alone when it has ended", async () => {
    await box.ok(["create", "-n", "one", plain]);
    const running = box.start(["start", "one", "sleep", "1001"]);
    const row = async (): Promise<string[] | undefined> => {
      const rows = (await box.ok(["list", "-f"])).split("\n").map((line) => line.trim().split(/ +/));
      return rows.find((words) => words[0] === "one");
    };
    const words = await until("a process", async () => {
      const found = await row();
      return (found?.length ?? 0) > 1 && found;
    });
    expect(words.slice(0, 2)).toEqual(["one", String(running.pid)]);
    running.kill("SIGTERM");
    await running.exited;
    expect(await row()).toEqual(["one"]);
  });

  test("is exported as it is, and a container of that has the same files", async () => {
    await box.ok(["create", "-n", "one", plain]);
    await box.ok(["start", "--rw", "one", "sh", "-c", "echo mine > /file; rm /root -r; ln /file /also"]);
    await box.ok(["export", "-o", "exported.sqsh", "one"]);
    await box.ok(["create", "-n", "again", "exported.sqsh"]);
    // Without the empty files that mounts have left, which an image is spared.
    const listing = `cd "$1"; find . -type f -size +0 -printf '%p %m %TY-%Tm-%Td %TH:%TM %n %s\\n' -o -type l -printf '%p %l\\n' | sort`;
    const [one, again] = await Promise.all(
      ["one", "again"].map((name) => host(["sh", "-ec", listing, "sh", join(box.data, name)])),
    );
    expect(again).toBe(one as string);
  });

  test("can be made of a registry's image without a file between", async () => {
    const shell = await readFile("/bin/busybox");
    const layer = archive([
      { name: "bin", flag: "5" },
      ...["sh", "cat"].map((name) => ({ name: `bin/${name}`, data: shell, mode: 0o755 })),
      { name: "file", data: "of the registry\n" },
    ]);
    await using registry = serveImage(scriptedImage([{ tar: layer }]));
    const env = registry.env;
    await box.ok(["load", "-n", "loaded", registry.uri], { env });
    expect((await box.enroot(["load", "-n", "loaded", registry.uri], { env })).status).toBe(1);
    expect(await box.ok(["start", "loaded", "cat", "/file"])).toBe("of the registry\n");
    await box.ok(["load", "--force", "-n", "loaded", registry.uri], { env });
  });
});

describe("remove", () => {
  test("takes several, and says which is not there", async () => {
    for (const name of ["one", "two"]) await box.ok(["create", "-n", name, plain]);
    const { status, stderr } = await box.enroot(["remove", "-f", "one", "missing", "two"]);
    expect(status).toBe(1);
    expect(stderr).toContain("missing");
    await box.enroot(["remove", "-f", "two"]);
    expect(await list()).toEqual([]);
    expect((await readdir(box.data)).filter((name) => !name.startsWith("."))).toEqual([]);
  });

  test("takes trees that the user may neither read nor write", async () => {
    await box.ok(["create", "-n", "one", plain]);
    await box.ok(["start", "--rw", "one", "sh", "-c", "mkdir -p /a/b/c; echo x > /a/b/c/d"]);
    await host(["chmod", "-R", "0", join(box.data, "one/a")]);
    await box.ok(["remove", "-f", "one"]);
    expect(await list()).toEqual([]);
  });
});

test("an image that is started leaves nothing in the store", async () => {
  expect(await box.ok(["start", "plain.sqsh", "cat", "/file"])).toBe("original\n");
  await until("nothing to be left", async () => (await hidden()).length === 0);
  expect(await list()).toEqual([]);
});
