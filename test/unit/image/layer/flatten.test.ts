// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { EnrootError } from "../../../../src/errors.ts";
import type { Member } from "../../../registry/archive.ts";
import { flatten, type Read } from "./layers.ts";
import { Impossible, type Listing, Model } from "./model.ts";
import { randomLayers } from "./random-layers.ts";

function expected(layers: readonly (readonly Member[])[]): Listing | "refused" {
  const model = new Model();
  try {
    for (const layer of layers) model.apply(layer);
  } catch (error) {
    if (error instanceof Impossible) return "refused";
    throw error;
  }
  return model.list();
}

/** What an archive of plain names unpacks to, in the model's terms. */
function unpacked(members: readonly Read[]): Listing {
  const texts = new Map<string, string>();
  const names = new Map<string, string[]>();
  const first = new Map<string, string>();
  for (const { path, type, link, mode, data } of members) {
    const name = path.replace(/^\.?\/|\/$/g, "");
    expect(texts.has(name)).toBe(false);
    const original = type === "hardlink" ? (first.get(link) ?? "missing") : name;
    first.set(name, original);
    names.set(original, [...(names.get(original) ?? []), name]);
    const text = type === "symlink" ? link : data;
    texts.set(
      name,
      type === "hardlink" ? (texts.get(original) ?? "") : `${type} ${mode.toString(8)} ${text}`,
    );
  }
  const listed = [...texts].map(([name, text]): [string, string] => {
    const same = text.startsWith("directory")
      ? ""
      : (names.get(first.get(name) ?? "") ?? []).sort().join("+");
    return [name, `${text} ${same}`];
  });
  return new Map(listed.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("random layers come to what extracting them one after the other comes to", () => {
  const rounds = 40;
  const each = 100;
  test.each(Array.from({ length: rounds }, (_, round) => round))("round %d", async (round) => {
    for (let seed = round * each; seed < (round + 1) * each; seed++) {
      const layers = randomLayers(seed);
      const wanted = expected(layers);
      const result = await flatten(layers).catch((error: unknown) => error);
      if (result instanceof Error || wanted === "refused") {
        expect([seed, wanted, result]).toEqual([seed, "refused", expect.any(EnrootError)]);
        continue;
      }
      const { first, exact } = result as Awaited<ReturnType<typeof flatten>>;
      expect([seed, unpacked(exact)]).toEqual([seed, wanted]);
      if (first) expect([seed, unpacked(first)]).toEqual([seed, wanted]);
    }
  });
});

const file = (name: string, data = name): Member => ({ name, data });
const dir = (name: string): Member => ({ name, flag: "5" });

describe("one pass is enough", () => {
  test.each<[string, Member[][]]>([
    [
      "for files and directories over each other",
      [
        [dir("a"), file("a/b"), file("c")],
        [dir("a"), file("a/b", "2")],
      ],
    ],
    [
      "for whiteouts",
      [
        [dir("a"), file("a/b"), file("c")],
        [file(".wh.a", ""), file("c", "2")],
      ],
    ],
    [
      "for opaque directories",
      [
        [dir("a"), file("a/b")],
        [dir("a"), file("a/.wh..wh..opq", ""), file("a/c")],
      ],
    ],
    ["for hard links in a layer", [[file("a"), { name: "b", flag: "1", link: "./a" }], [file("c")]]],
    [
      "for links that nothing goes through",
      [[dir("usr"), { name: "lib", flag: "2", link: "usr" }], [file("usr/x")]],
    ],
    ["for directories that no layer mentions", [[file("a/b/c")], [file("a/d")]]],
    ["for devices", [[{ name: "x", flag: "3" }, dir("dev"), file("dev/null")], [file("y")]]],
  ])("%s", async (_, layers) => {
    expect((await flatten(layers)).first).toBeDefined();
  });
});

describe("what is written", () => {
  test("is usable by an owner that is not root", async () => {
    const modes = { shadow: 0, sudo: 0o4111, tool: 0o010, plain: 0o644 };
    const members = Object.entries(modes).map(([name, mode]): Member => ({ name, mode }));
    const { exact } = await flatten([[...members, { name: "dir", flag: "5", mode: 0o055 }]]);
    const found = Object.fromEntries(exact.map(({ path, mode }) => [path, mode.toString(8)]));
    expect(found).toMatchObject({ shadow: "400", sudo: "4511", tool: "510", plain: "644", dir: "755" });
  });

  test("has the added files over all layers, whatever is there", async () => {
    const added = [{ path: "etc/rc", content: "own", mode: 0o644 }];
    const below: Member[][] = [
      [],
      [dir("etc"), file("etc/rc", "image's")],
      [dir("etc"), { name: "etc/rc", flag: "2", link: "/bin/sh" }, dir("bin"), file("bin/sh")],
      [dir("etc"), dir("etc/rc"), file("etc/rc/x")],
      [file("etc", "a file")],
      [{ name: "etc", flag: "2", link: "usr/etc" }],
      [{ name: "etc", flag: "2", link: "/etc" }],
    ];
    for (const layer of below.slice(0, -1)) {
      const { exact } = await flatten([layer], { added });
      expect(exact.filter(({ path }) => /^(usr\/)?etc\/rc/.test(path)).map(({ data }) => data)).toEqual([
        "own",
      ]);
      expect(exact.find(({ path }) => path === "bin/sh")?.data ?? "bin/sh").toBe("bin/sh");
    }
    expect(flatten([below.at(-1) ?? []], { added })).rejects.toThrow("Too many links");
  });

  test("has the working directory, through links too", async () => {
    const links: Member[] = [{ name: "srv", flag: "2", link: "/data/srv" }];
    const { exact } = await flatten([links], { directories: ["/srv/a b/c"] });
    expect(exact.map(({ path }) => path)).toContain("data/srv/a b/c");
  });

  test("leaves alone what is where a directory is wanted", async () => {
    const { exact } = await flatten([[{ name: "etc/passwd", data: "x" }]], {
      directories: ["/etc/passwd", "/etc/passwd/a", "/data"],
    });
    expect(exact.map(({ path, type }) => `${path} ${type}`).toSorted()).toEqual([
      "./ directory",
      "data directory",
      "etc directory",
      "etc/passwd file",
    ]);
  });

  test("keeps large holes as holes, and fills small ones", async () => {
    const sparse = (size: number): Member => ({
      name: "x",
      data: "xy",
      pax: { "GNU.sparse.map": "1,1,3,1", "GNU.sparse.size": String(size) },
    });
    const small = (await flatten([[dir("d"), sparse(6)]])).exact.find(({ path }) => path === "x");
    expect([small?.data, small?.size]).toEqual(["\0x\0y\0\0", 6]);
    const size = 300 * 2 ** 30;
    const large = (await flatten([[sparse(size)]])).exact.find(({ path }) => path === "x");
    expect(large).toMatchObject({ data: "xy", size, stored: 2, path: "x" });
    expect(large?.sparse?.slice(0, 2)).toEqual([
      { offset: 1, size: 1 },
      { offset: 3, size: 1 },
    ]);
  });

  test("is of one time when that is fixed", async () => {
    const { exact } = await flatten([[file("a/b"), dir("c")]], { fixedTime: 5 });
    expect(new Set(exact.map(({ mtime }) => mtime))).toEqual(new Set([5]));
  });
});
