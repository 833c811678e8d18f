// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hidden } from "../../../src/store/dir/hidden.ts";
import { parseContainerName } from "../../../src/store/name.ts";
import type { Content, Store } from "../../../src/store/store.ts";
import { openStore, type StoreSettings } from "../../../src/store/table.ts";
import { temporary } from "../temporary.ts";

let place: ReturnType<typeof temporary>;
let data: string;
let store: Store;
beforeEach(async () => {
  place = temporary();
  data = join(place.path, "data");
  store = await openStore(settings(data));
});
afterEach(() => place[Symbol.dispose]());

const name = parseContainerName("box");

function create(text: string, force = false): Promise<void> {
  const fill = async (directory: string): Promise<void> => writeFileSync(join(directory, "file"), text);
  return store.create({ name, force, content: contentOf(fill) });
}

/** What is made of one function; this store asks for no identity. */
function contentOf(fill: Content["fill"]): Content {
  return { fill, identify: () => Promise.reject(new Error("nobody asks")) };
}

function settings(dataPath: string): StoreSettings {
  return {
    storageBackend: "dir",
    dataPath,
    helperPath: "/nowhere",
    templateWarmSeconds: 0,
    templatePressureThreshold: 80,
  };
}

test("the store's directory is made for the caller alone", () => {
  expect(statSync(data).mode & 0o777).toBe(0o700);
});

test("a directory that cannot be made names its setting", async () => {
  writeFileSync(join(place.path, "plain"), "");
  await expect(openStore(settings(join(place.path, "plain/data")))).rejects.toMatchObject({
    hint: expect.stringContaining("ENROOT_DATA_PATH"),
  });
});

describe("list", () => {
  test("gives the names of directories, sorted bytewise", async () => {
    for (const directory of ["b", "a b", "Z", "ä", ".hidden", "-f", "new\nline"])
      mkdirSync(join(data, directory));
    writeFileSync(join(data, "file"), "");
    symlinkSync(join(data, "b"), join(data, "link"));
    symlinkSync("/nowhere", join(data, "dangling"));
    expect(await store.list()).toEqual(["-f", "Z", "a b", "b", "link", "ä"].map(parseContainerName));
  });
});

describe("create", () => {
  test("gives the name only when all is there", async () => {
    await store.create({
      name,
      force: false,
      content: contentOf(async (directory) => {
        expect(readdirSync(directory)).toEqual([]);
        expect(statSync(directory).mode & 0o777).toBe(0o700);
        expect(await store.list()).toEqual([]);
        writeFileSync(join(directory, "file"), "x");
      }),
    });
    expect(readFileSync(join(await store.rootfs(name), "file"), "utf8")).toBe("x");
    expect(readdirSync(data)).toEqual(["box"]);
  });

  test("leaves nothing behind when filling fails", async () => {
    const fill = async (directory: string): Promise<void> => {
      mkdirSync(join(directory, "sub"));
      chmodSync(join(directory, "sub"), 0);
      throw new Error("disk on fire");
    };
    await expect(store.create({ name, force: false, content: contentOf(fill) })).rejects.toThrow(
      "disk on fire",
    );
    expect(readdirSync(data)).toEqual([]);
  });

  test("refuses a name that is taken, before filling", async () => {
    await create("old");
    const fill = (): Promise<void> => Promise.reject(new Error("was called"));
    await expect(store.create({ name, force: false, content: contentOf(fill) })).rejects.toMatchObject({
      kind: "Exists",
    });
    expect(readFileSync(join(data, "box/file"), "utf8")).toBe("old");
  });

  test("replaces with force, and only by what is complete", async () => {
    await create("old");
    const fill = (): Promise<void> => Promise.reject(new Error("no"));
    await expect(store.create({ name, force: true, content: contentOf(fill) })).rejects.toThrow("no");
    expect(readFileSync(join(data, "box/file"), "utf8")).toBe("old");
    await create("new", true);
    expect(readFileSync(join(data, "box/file"), "utf8")).toBe("new");
    expect(readdirSync(data)).toEqual(["box"]);
  });

  test("replaces a plain file or a link, not what the link names", async () => {
    mkdirSync(join(place.path, "outside"));
    writeFileSync(join(place.path, "outside/kept"), "");
    symlinkSync(join(place.path, "outside"), join(data, "box"));
    await create("new", true);
    expect(readdirSync(data)).toEqual(["box"]);
    expect(existsSync(join(place.path, "outside/kept"))).toBe(true);
  });

  test("of two for one name, one wins and the other fails", async () => {
    const results = await Promise.allSettled([create("a"), create("b"), create("c")]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(readdirSync(data)).toEqual(["box"]);
  });

  test("of several with force, the last one wins and all succeed", async () => {
    const results = await Promise.allSettled(["a", "b", "c"].map((text) => create(text, true)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(readdirSync(data)).toEqual(["box"]);
  });

  test("sweeps what the dead have left, not what the living do", async () => {
    const live = hidden(data, "new");
    const dead = hidden(data, "new").replace(`.${process.pid}.`, ".999999999.");
    const recycled = hidden(data, "old").replace(/\.\d+\.(\d+)$/, ".1.$1");
    const elsewhere = join(data, ".new.otherhost.1.999999999.1.0");
    const foreign = join(data, ".new.mine");
    for (const path of [live, dead, recycled, elsewhere, foreign]) mkdirSync(path);
    await create("x");
    expect([live, dead, recycled, elsewhere, foreign].map(existsSync)).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
  });
});

describe("remove", () => {
  test("deletes odd permissions, deep trees and names that are not UTF-8", async () => {
    await create("x");
    const script = `cd ${data}/box; mkdir -m 0 none; mkdir ro; touch ro/f; chmod 555 ro; touch "$(printf 'l\\351')"
      p=$(printf '0123456789/%.0s' $(seq 300)); for i in 1 2 3; do mkdir -p $p; cd $p; done; chmod 0 .`;
    expect(Bun.spawnSync(["/bin/bash", "-c", script]).exitCode).toBe(0);
    await store.remove(name);
    expect(readdirSync(data)).toEqual([]);
  });

  test("deletes links, not what they name", async () => {
    writeFileSync(join(place.path, "kept"), "");
    await create("x");
    symlinkSync(place.path, join(data, "box/out"));
    symlinkSync(place.path, join(data, "link"));
    await store.remove(name);
    await store.remove(parseContainerName("link"));
    expect(readdirSync(data)).toEqual([]);
    expect(existsSync(join(place.path, "kept"))).toBe(true);
  });

  test("does not know what is not there", async () => {
    writeFileSync(join(data, "file"), "");
    for (const text of ["box", "file", "x".repeat(255)]) {
      await expect(store.remove(parseContainerName(text))).rejects.toMatchObject({ kind: "NotFound" });
      await expect(store.rootfs(parseContainerName(text))).rejects.toMatchObject({ kind: "NotFound" });
    }
  });
});
