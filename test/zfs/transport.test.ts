// SPDX-License-Identifier: Apache-2.0
// Containers between two stores: zfs://, through a real sshd.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, until, userName } from "../harness/index.ts";
import { openPeers, type Peers, peerHost, stallingHost } from "./peers.ts";
import { lines, refusal } from "./scene.ts";

let peers: Peers;
const uri = (name: string): string => `zfs://${peerHost}/${name}`;
const stallingUri = (name: string): string => `zfs://${stallingHost}/${name}`;

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

/** The snapshot that a container is a clone of. */
const originOf = async (dataset: string): Promise<string> =>
  (await host(["zfs", "get", "-H", "-o", "value", "origin", dataset])).trim();
const guidOf = async (snapshot: string): Promise<string> =>
  (await host(["zfs", "get", "-H", "-p", "-o", "value", "guid", snapshot])).trim();

describe("a template goes once", () => {
  test("and containers of it are clones of the same there and here", async () => {
    const { box, dataset, peerDataset } = peers;
    const template = await originOf(`${dataset}/theirs`);
    expect(await guidOf(template)).toBe(await guidOf(await originOf(`${peerDataset}/theirs`)));
    await peers.asPeer(["create", "-n", "second", "/tmp/peer-image.sqsh"]);
    await box.ok(["load", uri("second")]);
    expect(await originOf(`${dataset}/second`)).toBe(template);
    expect(await box.ok(["start", "second", "cat", "/file"])).toBe("original\n");
    await box.ok(["start", "--rw", "second", "sh", "-c", "echo back > /file"]);
    await box.ok(["export", "second", uri("back")]);
    expect(await originOf(`${peerDataset}/back`)).toBe(await originOf(`${peerDataset}/theirs`));
    expect(await peers.asPeer(["start", "back", "cat", "/file"])).toBe("back\n");
  });

  test("a difference to what is not there is refused", async () => {
    const { box, dataset } = peers;
    const stream = `zfs snapshot "$1@two" && zfs send -i "$2" "$1@two"; zfs destroy "$1@two"`;
    await box.ok(["start", "--rw", "ours", "true"]);
    const other = await originOf(`${dataset}/ours`);
    const send = ["sh", "-c", `${stream}`, "sh", `${dataset}/ours`, other];
    await host(["sh", "-c", '"$@" > /tmp/difference.zfs', "sh", ...send]);
    await host(["chmod", "644", "/tmp/difference.zfs"]);
    const input = ["sh", "-c", 'enroot import --zfs-recv -n odd < /tmp/difference.zfs || echo "status $?"'];
    expect(await peers.shell(input)).toBe("status 1\n");
    expect(lines(await peers.asPeer(["list"]))).not.toContain("odd");
  });
});

describe("a transfer that was cut off goes on where it was", () => {
  /** An image with bytes that do not compress, new each time. */
  async function largeImage(name: string): Promise<string> {
    const file = await image(peers.box, `${busybox}; head -c 40000000 /dev/urandom > big`, `${name}.sqsh`);
    await host(["cp", file, `/tmp/${name}.sqsh`]);
    return file;
  }

  async function begun(store: string): Promise<boolean> {
    const rows = await host(["zfs", "list", "-H", "-p", "-o", "name,used", "-r", `${store}/.templates`]);
    return lines(rows).some((row) => row.includes(".part.") && Number(row.split("\t")[1]) > 8_000_000);
  }

  const digest = ["sha256sum", "/big"];

  test("load", async () => {
    const { box, dataset } = peers;
    await largeImage("pulled");
    await peers.asPeer(["create", "-n", "pulled", "/tmp/pulled.sqsh"]);
    const running = box.start(["load", stallingUri("pulled")]);
    await until("a part to be here", () => begun(dataset));
    running.kill("SIGTERM");
    expect(await running.exited).toMatchObject({ signal: "SIGTERM" });
    expect(await datasets(dataset)).not.toContain(".new.");
    const again = await box.enroot(["load", uri("pulled")]);
    expect(again.stderr).toContain("Going on where an earlier transfer was cut off");
    expect(again.status).toBe(0);
    expect(await box.ok(["start", "pulled", ...digest])).toBe(
      await peers.asPeer(["start", "pulled", ...digest]),
    );
    expect(await datasets(dataset)).not.toContain(".part.");
  });

  test("export", async () => {
    const { box, peerDataset } = peers;
    await box.ok(["create", "-n", "pushed", await largeImage("pushed")]);
    const running = box.start(["export", "pushed", stallingUri("pushed")]);
    await until("a part to be there", () => begun(peerDataset));
    running.kill("SIGKILL");
    peers.cut();
    await running.exited;
    const again = await box.enroot(["export", "pushed", uri("pushed")]);
    expect(again.stderr).toContain("Going on where an earlier transfer was cut off");
    expect(again.status).toBe(0);
    expect(await peers.asPeer(["start", "pushed", ...digest])).toBe(
      await box.ok(["start", "pushed", ...digest]),
    );
  });

  test("when all of a template has come, and whoever received it was killed before it was one", async () => {
    const { box, dataset } = peers;
    await box.ok(["load", "-n", "before", uri("theirs")]);
    const origin = (await host(["zfs", "get", "-H", "-o", "value", "origin", `${dataset}/before`])).trim();
    const guid = (await host(["zfs", "get", "-H", "-p", "-o", "value", "guid", origin])).trim();
    await host(["zfs", "rename", origin.replace(/@.*/, ""), `${dataset}/.templates/.part.${guid}`]);
    await box.ok(["load", "-n", "after", uri("theirs")]);
    expect(await host(["zfs", "get", "-H", "-o", "value", "origin", `${dataset}/after`])).toBe(`${origin}\n`);
    expect(await datasets(dataset)).not.toContain(".part.");
  });

  test("a token of another stream is refused", async () => {
    const { box, dataset } = peers;
    const token = "1-10b2a3f0a2-c0-789c636064000310a500c4ec50360710e72765a526973030419460caa7a515a7968064e0";
    expect(refusal(await box.enroot(["template", "send", "ours", token]))).toContain("token to resume by");
    expect(refusal(await box.enroot(["template", "send", "ours", "$(id)"]))).toContain("Invalid token");
    expect(refusal(await box.enroot(["template", "changes", "ours", "1"]))).toContain(
      "no clone of a template",
    );
    expect(await datasets(`${dataset}/ours`)).toBe(`${dataset}/ours\n`);
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
