// SPDX-License-Identifier: Apache-2.0
// Containers between two stores: zfs://, through a real sshd.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, until, userName } from "../harness/index.ts";
import { openPeers, type Peers, peerHost } from "./peers.ts";
import { lines, refusal } from "./scene.ts";

let peers: Peers;
const uri = (name: string): string => `zfs://${peerHost}/${name}`;

beforeAll(async () => {
  peers = await openPeers();
  const { box } = peers;
  const file = await image(box, `${busybox}; echo original > file`);
  await host(["cp", file, "/tmp/peer-image.sqsh"]);
  await peers.asPeer(["create", "-n", "theirs", "/tmp/peer-image.sqsh"]);
  await peers.asPeer(["start", "--rw", "theirs", "sh", "-c", "echo changed > /file"]);
  const template = (
    await host(["zfs", "get", "-H", "-o", "value", "origin", `${peers.peerDataset}/theirs`])
  ).replace(/@.*\n/, "");
  await host([
    "zfs",
    "set",
    "enroot:uri=docker://registry.example#team/image:1",
    "enroot:arch=arm64",
    template,
  ]);
  await box.ok(["create", "-n", "ours", file]);
  await box.ok(["start", "--rw", "ours", "sh", "-c", "echo mine > /file"]);
});
afterAll(() => peers?.[Symbol.asyncDispose]());

const datasets = (of: string): Promise<string> =>
  host(["zfs", "list", "-H", "-t", "all", "-o", "name", "-r", of]);

describe("load", () => {
  test("makes a container of one on another machine, its changes included", async () => {
    await peers.box.ok(["load", uri("theirs")]);
    expect(await peers.box.ok(["start", "theirs", "cat", "/file"])).toBe("changed\n");
  });

  test("brings along where the image came from", async () => {
    const origin = await host(["zfs", "get", "-H", "-o", "value", "origin", `${peers.dataset}/theirs`]);
    const names = "enroot:uri,enroot:arch";
    const values = await host(["zfs", "get", "-H", "-o", "value", names, origin.replace(/@.*\n/, "")]);
    expect(lines(values)).toEqual(["docker://registry.example#team/image:1", "arm64"]);
  });

  test("leaves no snapshot on the other machine", async () => {
    expect(await datasets(`${peers.peerDataset}/theirs`)).toBe(`${peers.peerDataset}/theirs\n`);
  });

  test("gives it another name, and replaces with --force alone", async () => {
    await peers.box.ok(["load", "-n", "renamed", uri("theirs")]);
    expect(refusal(await peers.box.enroot(["load", "-n", "renamed", uri("theirs")]))).toContain(
      "File already exists",
    );
    await peers.box.ok(["load", "-f", "-n", "renamed", uri("theirs")]);
    await peers.box.ok(["remove", "-f", "renamed"]);
  });

  test("of a container that is not there says so, and leaves nothing", async () => {
    const before = await datasets(peers.dataset);
    expect(refusal(await peers.box.enroot(["load", uri("nobody")]))).toContain("No such file or directory");
    expect(await datasets(peers.dataset)).toBe(before);
  });

  test("that is interrupted leaves nothing", async () => {
    const { box, dataset } = peers;
    await peers.asPeer(["create", "-n", "large", "/tmp/peer-image.sqsh"]);
    await peers.asPeer(["start", "--rw", "large", "sh", "-c", "head -c 60000000 /dev/urandom > /big"]);
    const before = await datasets(dataset);
    const running = box.start(["load", uri("large")]);
    await until("the transfer to begin", async () => (await datasets(dataset)).includes(".new."));
    running.kill("SIGTERM");
    expect(await running.exited).toMatchObject({ signal: "SIGTERM" });
    expect(await datasets(dataset)).toBe(before);
    await until("the other side to end", async () => {
      const left = await datasets(`${peers.peerDataset}/large`);
      return left === `${peers.peerDataset}/large\n`;
    });
  });
});

describe("export to another machine", () => {
  test("makes a container of that name there, its changes included", async () => {
    await peers.box.ok(["export", "ours", `zfs://${userName}@${peerHost}`]);
    expect(await peers.asPeer(["start", "ours", "cat", "/file"])).toBe("mine\n");
  });

  test("gives it another name", async () => {
    await peers.box.ok(["export", "ours", uri("ubuntu+22.04")]);
    expect(lines(await peers.asPeer(["list"]))).toContain("ubuntu+22.04");
    expect(await peers.asPeer(["start", "ubuntu+22.04", "cat", "/file"])).toBe("mine\n");
  });

  test("does not replace a container there", async () => {
    expect(refusal(await peers.box.enroot(["export", "ours", uri("ours")]))).toContain("File already exists");
  });

  test("leaves no snapshot here", async () => {
    expect(await datasets(`${peers.dataset}/ours`)).toBe(`${peers.dataset}/ours\n`);
  });
});

describe("import from another machine", () => {
  test("writes NAME.zfs, of which a container can be made", async () => {
    await peers.box.ok(["import", uri("theirs")]);
    await peers.box.ok(["create", "-n", "fromfile", "theirs.zfs"]);
    expect(await peers.box.ok(["start", "fromfile", "cat", "/file"])).toBe("changed\n");
  });

  test("writes a squashfs file for a name that ends in .sqsh", async () => {
    const before = await datasets(peers.dataset);
    await peers.box.ok(["import", "-o", "theirs.sqsh", uri("theirs")]);
    expect(await host(["unsquashfs", "-cat", join(peers.box.work, "theirs.sqsh"), "file"])).toBe("changed\n");
    expect(await datasets(peers.dataset)).toBe(before);
  });

  test("of a container that is not there leaves no file", async () => {
    expect(refusal(await peers.box.enroot(["import", uri("nobody")]))).toContain("No such file");
    expect(existsSync(join(peers.box.work, "nobody.zfs"))).toBe(false);
  });
});

describe("a hostile URI is refused before ssh is started", () => {
  test.each([
    "zfs://-oProxyCommand=touch${IFS}owned/x",
    "zfs://-l@host/x",
    "zfs://host;touch owned/x",
    "zfs://$(touch owned)/x",
    "zfs://user@/x",
    "zfs://host",
    "zfs:///x",
    "zfs://host/.templates",
    "zfs://host/a/b",
    "zfs:host/x",
  ])("%s", async (text) => {
    const result = await peers.box.enroot(["load", text]);
    expect(refusal(result)).toMatch(/Invalid URI|Invalid container name|No container is named/);
    expect(existsSync(join(peers.box.work, "owned"))).toBe(false);
  });
});

test("a name never is a part of what the other machine's shell runs", async () => {
  const name = "x; touch owned `touch owned` $(touch owned) 'quoted'";
  await peers.box.enroot(["load", uri(name)]);
  await peers.box.ok(["export", "ours", uri(name)]);
  expect(lines(await peers.asPeer(["list"]))).toContain(name);
  expect((await host(["find", "/home", "/tmp", "-name", "owned"])).trim()).toBe("");
});

test("a host that cannot be reached is said in one line", async () => {
  expect(refusal(await peers.box.enroot(["load", "zfs://no-such-host.invalid/x"]))).toMatch(
    /^ssh exited with/,
  );
});

test("a store of plain directories exchanges nothing", async () => {
  const env = { ENROOT_STORAGE_BACKEND: "dir", ENROOT_DATA_PATH: join(peers.box.root, "plain") };
  expect(refusal(await peers.box.enroot(["load", uri("theirs")], { env }))).toContain(
    "Only the ZFS store exchanges",
  );
});
