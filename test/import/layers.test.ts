// SPDX-License-Identifier: Apache-2.0
// Layers made by hand: what layers may do to each other, and what none may do to anything else.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { archive, type Member } from "../registry/archive.ts";
import { expectRefusal, importIt, type Scene, scene } from "../registry/fixture.ts";
import { digestOf, scriptedImage } from "../registry/scripted-image.ts";

const dir = (name: string, more: Partial<Member> = {}): Member => ({ name, flag: "5", ...more });
const file = (name: string, data = name, more: Partial<Member> = {}): Member => ({ name, data, ...more });
const link = (name: string, target: string): Member => ({ name, flag: "2", link: target });
const hard = (name: string, target: string): Member => ({ name, flag: "1", link: target });
const whiteout = (name: string): Member => file(name, "");

let sentinel: string;
let before: string;

async function sentinelState(): Promise<string> {
  const listing =
    await Bun.$`find ${sentinel} -printf ${"%P %y %m %s %T@\n"} -type f -exec sha256sum {} +`.text();
  return listing;
}

beforeAll(async () => {
  sentinel = await mkdtemp(join(tmpdir(), "enroot-sentinel."));
  await Bun.$`chmod 777 ${sentinel}`;
  await writeFile(join(sentinel, "host"), "host\n", { mode: 0o666 });
  before = await sentinelState();
});

afterAll(async () => {
  const after = await sentinelState();
  await rm(sentinel, { recursive: true });
  expect(after).toBe(before);
});

function layersOf(layers: readonly (readonly Member[])[]): Promise<Scene> {
  return scene(scriptedImage(layers.map((members) => ({ tar: archive(members) }))));
}

/** Names in the image less what every import adds, as `find` would print them; links with their targets. */
async function tree({ box }: Scene): Promise<string[]> {
  const own = new Set(["/etc/rc", "/etc/rc.local", "/etc/fstab", "/etc/environment"]);
  const { stdout } = await box.run(["unsquashfs", "-lln", "-d", "", "a.sqsh"]);
  const lines = stdout.split("\n").flatMap((line) => {
    const form = /^(\S)\S+ 0\/0 +[\d,]+ \S+ \S+ (.*)$/.exec(line);
    return form?.[2] ? [`${form[2]}${form[1] === "d" ? "/" : ""}`] : [];
  });
  return lines.filter((name) => !own.has(name) && name !== "/" && name !== "/etc/").sort();
}

async function expectTree(layers: readonly (readonly Member[])[], names: readonly string[]): Promise<void> {
  await using here = await layersOf(layers);
  expect((await importIt(here)).stderr).not.toContain("[ERROR]");
  expect(await tree(here)).toEqual([...names].sort());
}

async function expectContent(
  layers: readonly (readonly Member[])[],
  path: string,
  data: string,
): Promise<void> {
  await using here = await layersOf(layers);
  expect((await importIt(here)).stderr).not.toContain("[ERROR]");
  expect((await here.box.run(["unsquashfs", "-cat", "a.sqsh", path])).stdout).toBe(data);
}

describe("layers over each other", () => {
  test("a whiteout hides a file of a lower layer", () =>
    expectTree([[file("a"), file("b")], [whiteout(".wh.a")]], ["/b"]));
  test("a whiteout hides a directory with all that is in it", () =>
    expectTree([[dir("d"), file("d/a"), file("b")], [whiteout(".wh.d")]], ["/b"]));
  test("a whiteout hides nothing of its own layer, whichever comes first", async () => {
    await expectTree([[file("a", "old")], [whiteout(".wh.a"), file("a", "new")]], ["/a"]);
    await expectContent([[file("a", "old")], [file("a", "new"), whiteout(".wh.a")]], "a", "new");
  });
  test("a whiteout of what is not there does nothing", () =>
    expectTree([[file("a")], [whiteout("no/such/.wh.file"), whiteout(".wh.b")]], ["/a"]));
  test("a hidden file can come back", () =>
    expectContent([[file("a", "1")], [whiteout(".wh.a")], [file("a", "3")]], "a", "3"));
  test("a directory that comes back after a whiteout is empty", () =>
    expectTree(
      [
        [dir("d"), file("d/old")],
        [whiteout(".wh.d"), dir("d"), file("d/new")],
      ],
      ["/d/", "/d/new"],
    ));
  test.each([
    ["first", [whiteout("d/.wh..wh..opq"), dir("d"), file("d/new")]],
    ["last", [dir("d"), file("d/new"), whiteout("d/.wh..wh..opq")]],
  ])("an opaque directory hides what is below it, with the mark %s", (_, layer) =>
    expectTree([[dir("d"), file("d/old"), dir("d/s"), file("d/s/x")], layer], ["/d/", "/d/new"]),
  );
  test("an opaque root", () =>
    expectTree(
      [
        [file("a"), dir("d"), file("d/b")],
        [whiteout(".wh..wh..opq"), file("c")],
      ],
      ["/c"],
    ));
  test("an opaque directory in between", () =>
    expectTree(
      [[file("d/1")], [whiteout("d/.wh..wh..opq"), file("d/2")], [file("d/3")]],
      ["/d/", "/d/2", "/d/3"],
    ));
  test("bookkeeping of storage drivers is left out", () =>
    expectTree(
      [[file("a"), dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs", "")]],
      ["/a"],
    ));
  test("a file becomes a directory", () =>
    expectTree([[file("a")], [dir("a"), file("a/b")]], ["/a/", "/a/b"]));
  test("a file becomes a directory that is not mentioned", () =>
    expectTree([[file("a")], [file("a/b")]], ["/a/", "/a/b"]));
  test("a directory becomes a file", () => expectTree([[dir("a"), file("a/b")], [file("a", "now")]], ["/a"]));
  test("a directory becomes a link", () =>
    expectTree([[dir("a"), file("a/b"), dir("c")], [link("a", "c")]], ["/a -> c", "/c/"]));
  test("the last of two members of one name counts", () =>
    expectContent([[file("a", "first"), file("a", "second")]], "a", "second"));
  test("metadata of a directory comes from the topmost layer that has it", async () => {
    await using here = await layersOf([
      [dir("d", { mode: 0o700 })],
      [dir("d", { mode: 0o755, mtime: 1_600_000_000 })],
      [file("d/x")],
    ]);
    expect((await importIt(here)).status).toBe(0);
    const { stdout } = await here.box.run(["unsquashfs", "-lln", "-UTC", "a.sqsh"]);
    expect(stdout).toMatch(/^drwxr-xr-x 0\/0 +\d+ 2020-09-13 12:26 squashfs-root\/d$/m);
  });
});

describe("links between layers", () => {
  test("a hard link within a layer", () => expectContent([[file("a", "x"), hard("b", "a")]], "b", "x"));
  test("a hard link to a file of a lower layer", () =>
    expectContent([[file("a", "x")], [hard("b", "a")]], "b", "x"));
  test("a hard link whose target a higher layer replaces", () =>
    expectContent([[file("a", "x"), hard("b", "a")], [file("a", "y")]], "b", "x"));
  test("a hard link whose target a higher layer hides", async () => {
    await expectContent([[file("a", "x"), hard("b", "a")], [whiteout(".wh.a")]], "b", "x");
    await expectTree([[file("a", "x"), hard("b", "a")], [whiteout(".wh.a")]], ["/b"]);
  });
  test("a hard link to a file two layers below", () =>
    expectContent([[file("a", "x")], [file("c")], [hard("b", "a")], [whiteout(".wh.a")]], "b", "x"));
  test("a hard link to a link is that link", () =>
    expectTree([[file("a"), link("l", "a"), hard("m", "l")]], ["/a", "/l -> a", "/m -> a"]));
  test("a hard link to nothing is an error", async () => {
    await using here = await layersOf([[hard("b", "no")]]);
    await expectRefusal(here, /Hard link in a layer to what is not there/);
  });
  test("a name through a link of a lower layer lands where the link leads", () =>
    expectTree(
      [[dir("usr"), dir("usr/lib"), link("lib", "usr/lib")], [file("lib/x")]],
      ["/lib -> usr/lib", "/usr/", "/usr/lib/", "/usr/lib/x"],
    ));
  test("a whiteout through a link of a lower layer", () =>
    expectTree(
      [[dir("usr"), file("usr/x"), link("lib", "usr")], [whiteout("lib/.wh.x")]],
      ["/lib -> usr", "/usr/"],
    ));
  test("a name through an absolute link stays inside", () =>
    expectTree(
      [[link("tmp", "/var/tmp")], [file("tmp/x")]],
      ["/tmp -> /var/tmp", "/var/", "/var/tmp/", "/var/tmp/x"],
    ));
  test("a loop of links is an error", async () => {
    await using here = await layersOf([[link("a", "b"), link("b", "a"), file("a/x")]]);
    await expectRefusal(here, /Too many links/);
  });
});

describe("nothing leads out of the image", () => {
  const up = (path: string): string => `../../../../../../../../../..${path}`;
  const hostile = (path: string): Record<string, readonly (readonly Member[])[]> => ({
    "a link and a file through it": [[link("x", path), file("x/host", "owned")]],
    "a link and a file through it, in two layers": [[link("x", path)], [file("x/host", "owned")]],
    "a relative link": [[link("x", up(path)), file("x/host", "owned")]],
    "a chain of links": [[link("x", "y"), link("y", "z"), link("z", path), file("x/host", "owned")]],
    "a whiteout through a link": [[link("x", path)], [whiteout("x/.wh.host")]],
    "an opaque mark through a link": [[link("x", path)], [whiteout("x/.wh..wh..opq")]],
    "etc as a link": [[link("etc", path)]],
    "etc/rc as a link": [[dir("etc"), link("etc/rc", `${path}/host`), link("etc/fstab", `${path}/host`)]],
    "dev as a link": [[link("dev", path), file("dev/host", "owned")]],
    "an absolute name": [[file(`${path}/host`, "owned")]],
  });
  test.each(Object.keys(hostile("/")))("%s", async (name) => {
    await using here = await layersOf(hostile(sentinel)[name] ?? []);
    expect((await importIt(here)).stderr).not.toContain("[ERROR]");
    expect(await sentinelState()).toBe(before);
    expect((await here.box.enroot(["create", "-n", "c", "a.sqsh"])).status).toBe(0);
    expect(await sentinelState()).toBe(before);
  });

  test.each([
    ["..", [file("../x")]],
    ["a/../../x", [file("a/../../x")]],
    ["..", [dir("..")]],
    ["a long way up", [file(up("/x"))]],
  ])("a name that leads out is refused: %s", async (_, members) => {
    await using here = await layersOf([members]);
    await expectRefusal(here, /leads out of it/);
  });

  test("a hard link that leads out is refused", async () => {
    await using here = await layersOf([[hard("x", up("/etc/shadow"))]]);
    await expectRefusal(here, /leads out of it/);
  });

  test("a hard link to a file of the host is one to nothing", async () => {
    await using here = await layersOf([[hard("x", `${sentinel}/host`)]]);
    await expectRefusal(here, /to what is not there/);
  });

  test.each([".", "./", "/"])("the root cannot be a link: %s", async (name) => {
    await using here = await layersOf([[link(name, sentinel), file("host", "owned")]]);
    await expectRefusal(here, /The root of a layer is no directory/);
  });

  test.each([".wh.", "a/.wh.", ".wh..", ".wh...", "a/.wh.../b"])(
    "the whiteout %s is refused",
    async (name) => {
      await using here = await layersOf([[file("a/b")], [whiteout(name)]]);
      await expectRefusal(here, /Invalid whiteout/);
    },
  );

  test("names with . and empty parts are what they mean", () =>
    expectTree([[file("./a//b/./c")], [file("a/d/../e")]], ["/a/", "/a/b/", "/a/b/c", "/a/e"]));
});

describe("what is no plain file", () => {
  test("device nodes and what is in /dev are left out, fifos stay", () =>
    expectTree(
      [
        [
          { name: "null", flag: "3" },
          { name: "sda", flag: "4" },
          { name: "pipe", flag: "6" },
          dir("dev"),
          file("dev/x"),
          dir("dev/shm"),
          dir("devices"),
          file("devices/y"),
        ],
      ],
      ["/dev/", "/devices/", "/devices/y", "/pipe"],
    ));

  test("a device node hides what is below it", () =>
    expectTree([[file("a")], [{ name: "a", flag: "3" }]], []));

  test("extended attributes: the user's and capabilities stay, others go", async () => {
    const pax = {
      "SCHILY.xattr.user.mine": "1",
      "SCHILY.xattr.user.overlay.opaque": "y",
      "SCHILY.xattr.trusted.overlay.opaque": "y",
      "SCHILY.xattr.security.selinux": "x",
      "SCHILY.xattr.security.capability":
        "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    };
    await using here = await layersOf([[file("a", "a", { pax })]]);
    expect((await importIt(here)).status).toBe(0);
    const script = "unsquashfs -q -n -d out a.sqsh > /dev/null && getfattr -d -m - out/a";
    const { stdout } = await here.box.run(["sh", "-c", script], { user: "root" });
    expect(stdout.match(/^[a-z.]+(?==)/gm)).toEqual(["security.capability", "user.mine"]);
    expect((await here.box.run(["rm", "-rf", "out"], { user: "root" })).status).toBe(0);
  });

  test("setuid files stay what they are in the image, and root's are not made on the host", async () => {
    await using here = await layersOf([[file("su", "x", { mode: 0o4755 })]]);
    expect((await importIt(here)).status).toBe(0);
    expect((await here.box.run(["unsquashfs", "-lln", "a.sqsh", "su"])).stdout).toContain("-rwsr-xr-x 0/0");
  });
});

describe("archives", () => {
  const long = `${"d".repeat(200)}/${"e".repeat(200)}/${"f".repeat(200)}`;
  const utf8 = Buffer.from("größe/文件").toString("latin1");
  const gnuLong = archive([
    { name: "././@LongLink", flag: "L", data: `${long}\0` },
    file(long.slice(0, 100), "x"),
  ]);

  test("long names, of pax and of GNU", async () => {
    await expectContent([[file("short", "x", { pax: { path: long } })]], long, "x");
    await using here = await scene(scriptedImage([{ tar: gnuLong }]));
    expect((await importIt(here)).status).toBe(0);
    expect((await here.box.run(["unsquashfs", "-cat", "a.sqsh", long])).stdout).toBe("x");
  });

  test("names are bytes: UTF-8, others, and such that differ in case alone", () =>
    expectTree(
      [[file("x", "1", { pax: { path: utf8 } }), file("A"), file("a"), file("\xff\xfe")]],
      ["/A", "/a", "/größe/", "/größe/文件", "/\ufffd\ufffd"],
    ));

  test("an empty value of an extended header means none", () =>
    expectTree([[file("a", "a", { pax: { path: "", linkpath: "" } })]], ["/a"]));

  test("global headers hold for all that follows", async () => {
    const record = "24 mtime=1600000000.5\n".replace("24", "22");
    const tar = archive([{ name: "pax", flag: "g", data: record }, file("a"), file("b")]);
    await using here = await scene(scriptedImage([{ tar }]));
    expect((await importIt(here)).status).toBe(0);
    expect((await here.box.run(["unsquashfs", "-lln", "-UTC", "a.sqsh", "b"])).stdout).toContain(
      "2020-09-13 12:26",
    );
  });

  test("numbers in base 256", async () => {
    const sizeField = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    await expectContent([[file("a", "hello", { sizeField })]], "a", "hello");
  });

  test("times before 1970 and after 2106 are held within what squashfs has", async () => {
    await using here = await layersOf([
      [file("a", "a", { pax: { mtime: "-5.5" } }), file("b", "b", { pax: { mtime: "99999999999" } })],
    ]);
    expect((await importIt(here)).status).toBe(0);
    const { stdout } = await here.box.run(["unsquashfs", "-lln", "-UTC", "a.sqsh"]);
    expect(stdout).toMatch(/1970-01-01 00:00 squashfs-root\/a$/m);
    expect(stdout).toMatch(/2106-02-07 06:28 squashfs-root\/b$/m);
  });

  test("an archive without its end", async () => {
    await using here = await scene(scriptedImage([{ tar: archive([file("a")], false) }]));
    expect((await importIt(here)).status).toBe(0);
    expect(await tree(here)).toEqual(["/a"]);
  });

  const sparse: Record<string, readonly Member[]> = {
    "0.1": [
      file("a", "xy", {
        pax: {
          "GNU.sparse.major": "0",
          "GNU.sparse.minor": "1",
          "GNU.sparse.size": "5",
          "GNU.sparse.map": "1,1,3,1",
        },
      }),
    ],
    "1.0": [
      file("GNUSparseFile.0/a", `2\n1\n1\n3\n1\n${"\0".repeat(502)}xy`, {
        pax: {
          "GNU.sparse.major": "1",
          "GNU.sparse.minor": "0",
          "GNU.sparse.name": "a",
          "GNU.sparse.realsize": "5",
        },
      }),
    ],
  };
  test.each(Object.entries(sparse))("sparse files of format %s", (_, members) =>
    expectContent([members], "a", "\0x\0y\0"),
  );

  const bad: Record<string, [Uint8Array, RegExp]> = {
    "cut within a header": [archive([file("a")], false).subarray(0, 100), /truncated/],
    "cut within data": [archive([file("a", "x".repeat(5000))], false).subarray(0, 2000), /truncated/],
    "with a wrong checksum": [
      Buffer.concat([
        archive([file("a")], false)
          .fill(0x41, 0, 1)
          .fill(0x42, 1, 2),
        Buffer.alloc(1024),
      ]),
      /checksum/,
    ],
    "that is no archive": [Buffer.alloc(2048, 0x41), /checksum|no number/],
    "with a member of an unknown type": [archive([{ name: "a", flag: "Z" }]), /unknown type/],
    "with a giant extended header": [
      archive([{ name: "pax", flag: "x", size: 2 ** 30 }]),
      /extended header has 1073741824 bytes/,
    ],
    "with a damaged extended header": [
      archive([{ name: "pax", flag: "x", data: "999 a=b\n" }, file("a")]),
      /extended header is damaged/,
    ],
    "with a file of 8 EiB": [
      archive([
        file("a", "", {
          sizeField: Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        }),
      ]),
      /too large|would have/,
    ],
    "with a sparse file of 8 EiB": [
      archive([
        file("a", "", { pax: { "GNU.sparse.map": "0,0", "GNU.sparse.size": "9223372036854775807" } }),
      ]),
      /would have|GNU.sparse.size is/,
    ],
    "with an overlapping sparse map": [
      archive([file("a", "xy", { pax: { "GNU.sparse.map": "3,1,1,1", "GNU.sparse.size": "5" } })]),
      /sparse file is damaged/,
    ],
    "with a name of 300 bytes": [archive([file("a", "a", { pax: { path: "n".repeat(300) } })]), /too long/],
    "10000 directories deep": [
      archive([file("a", "a", { pax: { path: `${"d/".repeat(10_000)}x` } })]),
      /too long|too deep/,
    ],
    "with a NUL in a name": [archive([file("a", "a", { pax: { path: "a\0b" } })]), /NUL/],
    "with an attribute of 1 MiB": [
      archive([file("a", "a", { pax: { "SCHILY.xattr.user.x": "v".repeat(100_000) } })]),
      /extended attributes/,
    ],
  };
  test.each(Object.entries(bad))("one %s is refused", async (_, [tar, pattern]) => {
    await using here = await scene(scriptedImage([{ tar }]));
    await expectRefusal(here, pattern);
  });

  test("a gigabyte of zeros that claims to be ten takes neither disk nor memory", async () => {
    const size = 10 * 2 ** 30;
    const field = Buffer.alloc(12);
    field[0] = 0x80;
    field.writeUIntBE(size, 6, 6);
    const head = archive([file("zeros", "", { sizeField: field })], false);
    const { createGzip } = await import("node:zlib");
    const { createHash } = await import("node:crypto");
    const gzip = createGzip({ level: 1, chunkSize: 1 << 20 });
    const hash = createHash("sha256");
    const stored: Buffer[] = [];
    gzip.on("data", (chunk: Buffer) => stored.push(chunk));
    const write = async (bytes: Buffer): Promise<void> => {
      hash.update(bytes);
      if (!gzip.write(bytes)) await new Promise((resolve) => gzip.once("drain", resolve));
    };
    await write(head);
    const zeros = Buffer.alloc(16 << 20);
    // A tenth of it is written: the rest only has to be announced to show that nothing is set aside for it.
    for (let at = 0; at < size / 10; at += zeros.length) await write(zeros);
    gzip.end();
    await new Promise((resolve) => gzip.once("end", resolve));
    const blob = Buffer.concat(stored);
    const image = scriptedImage([{ stored: blob, tar: head }], {
      wholeConfig: { rootfs: { diff_ids: [`sha256:${hash.digest("hex")}`] } },
    });
    await using here = await scene(image);
    await expectRefusal(here, /truncated/);
    expect(digestOf(blob)).toMatch(/^sha256:/);
  }, 120_000);
});

describe("the image file", () => {
  const image = [[dir("d"), file("d/a", "1"), hard("d/b", "d/a")], [file("c", "2")]];

  test("has the same bytes each time, with any number of processors", async () => {
    await using here = await layersOf(image);
    const make = async (processors: string): Promise<string> => {
      expect(
        (
          await here.box.enroot(["import", "-o", "a.sqsh", here.registry.uri], {
            env: { ENROOT_MAX_PROCESSORS: processors },
          })
        ).status,
      ).toBe(0);
      return (await here.box.run(["sh", "-c", "sha256sum < a.sqsh; rm a.sqsh"])).stdout;
    };
    const first = await make("1");
    expect(await make("4")).toBe(first);
  });

  test("SOURCE_DATE_EPOCH sets all times", async () => {
    await using here = await layersOf(image);
    expect((await importIt(here, { SOURCE_DATE_EPOCH: "86400" })).status).toBe(0);
    const { stdout } = await here.box.run(["unsquashfs", "-lln", "-UTC", "a.sqsh"]);
    expect(new Set(stdout.match(/\d{4}-\d\d-\d\d \d\d:\d\d/g))).toEqual(new Set(["1970-01-02 00:00"]));
    expect((await here.box.run(["unsquashfs", "-s", "-UTC", "a.sqsh"])).stdout).toContain(
      "Fri Jan  2 00:00:00 1970",
    );
  });

  test("ENROOT_SQUASH_OPTIONS are honoured to the letter", async () => {
    await using here = await layersOf(image);
    expect(
      (await importIt(here, { ENROOT_SQUASH_OPTIONS: "-comp lzo -b 65536 -noD -exit-on-error" })).stderr,
    ).not.toContain("[ERROR]");
    const { stdout } = await here.box.run(["unsquashfs", "-s", "a.sqsh"]);
    expect(stdout).toContain("Compression lzo");
    expect(stdout).toContain("Block size 65536");
    expect(await tree(here)).toEqual(["/c", "/d/", "/d/a", "/d/b"]);
  });

  test("wrong ENROOT_SQUASH_OPTIONS are an error in one line", async () => {
    await using here = await layersOf(image);
    await expectRefusal(here, /nonsense.*ENROOT_SQUASH_OPTIONS/, { ENROOT_SQUASH_OPTIONS: "-comp nonsense" });
  });
});
