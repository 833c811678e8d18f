// SPDX-License-Identifier: Apache-2.0
// Two machines with a store each, in two pools where there are two, and a real sshd on loopback between them. The second
// is a mount namespace with a configuration of its own: files of a stream belong to the same user on both.
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Transform } from "node:stream";
import {
  delegation,
  distDirectory,
  host,
  type Sandbox,
  sandbox,
  testUser,
  until,
  userName,
  zfsStore,
} from "../harness/index.ts";
import { freePort } from "../harness/port.ts";

/** The other machine's name in URIs. */
export const peerHost = "enroot-peer-test";

/** Its name by a way on which nothing more comes after so many bytes in one direction. */
export const stallingHost = `${peerHost}-stalling`;
const untilStall = 16_000_000;

/** Two stores. */
export interface Peers extends AsyncDisposable {
  readonly box: Sandbox;
  /** Dataset of the store here. */
  readonly dataset: string;
  /** Dataset of the store there. */
  readonly peerDataset: string;
  /** Ends all connections by the way that stalls. */
  cut(): void;
  /** Runs an enroot command there. */
  asPeer(args: readonly string[]): Promise<string>;
  /** Runs any other command there. */
  shell(argv: readonly string[]): Promise<string>;
}

/** Makes both: `await using peers = await openPeers()`. */
export async function openPeers(): Promise<Peers> {
  await using undo = new AsyncDisposableStack();
  const box = undo.use(await sandbox({ env: { ENROOT_STORAGE_BACKEND: "zfs" } }));
  const store = undo.use(await zfsStore(box.data));
  const peerPath = join(box.root, "peer");
  await mkdir(peerPath);
  const peerDataset = `${await peerPool()}/${store.dataset.replace(/^.*\//, "")}-peer`;
  await host(["zfs", "create", "-o", `mountpoint=${peerPath}`, peerDataset]);
  undo.defer(async () => {
    await until("the peer's store to go", () =>
      host(["zfs", "destroy", "-R", peerDataset]).then(
        () => true,
        () => false,
      ),
    );
  });
  await host(["chown", `${userName}:`, peerPath]);
  await host(["zfs", "allow", userName, delegation, peerDataset]);
  const place = join(box.root, "ssh");
  await mkdir(join(place, "etc"), { recursive: true, mode: 0o755 });
  await chmod(box.root, 0o755);
  await writeFile(join(place, "etc/enroot.conf"), `ENROOT_DATA_PATH ${peerPath}\n`);
  const path = `${distDirectory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const env = [`PATH=${path}`, "ENROOT_STORAGE_BACKEND=zfs", `ENROOT_DATA_PATH=${peerPath}`];
  for (const name of ["cache", "config", "runtime", "temp"])
    env.push(`ENROOT_${name.toUpperCase()}_PATH=${box.root}/${name}`);
  const stalling = new Set<Socket>();
  const server = await openServer(place, env.join(" "), { stalling, undo });
  const user = ["setpriv", `--reuid=${userName}`, `--regid=${userName}`, "--init-groups"];
  const shell = (argv: readonly string[]): Promise<string> =>
    host(["nsenter", "--mount", "--target", String(server), ...user, "env", "-i", ...env, ...argv]);
  const stack = undo.move();
  return {
    box,
    dataset: store.dataset,
    peerDataset,
    shell,
    cut: () => {
      for (const socket of stalling) socket.destroy();
    },
    asPeer: (args) => shell(["enroot", ...args]),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A pool of its own for the peer if there is one. */
async function peerPool(): Promise<string> {
  const pools = (await host(["zpool", "list", "-H", "-o", "name"])).split("\n");
  return pools.includes("peer") ? "peer" : (process.env["ENROOT_TEST_ZPOOL"] ?? "tank");
}

interface Ways {
  /** Gets the connections that stall. */
  readonly stalling: Set<Socket>;
  readonly undo: AsyncDisposableStack;
}

/** Starts sshd in a mount namespace of its own; returns its number. */
async function openServer(place: string, env: string, { stalling, undo }: Ways): Promise<number> {
  const key = join(place, "key");
  await host(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
  await host(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(place, "host")]);
  const { uid, gid } = testUser();
  await chown(key, uid, gid);
  const port = freePort();
  await writeFile(
    join(place, "sshd_config"),
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${place}/host
AuthorizedKeysFile ${key}.pub
StrictModes no
UsePAM yes
PasswordAuthentication no
PidFile none
SetEnv ${env}
`,
  );
  await host(["mkdir", "-p", "/run/sshd"]);
  const script = `mount --bind "$0/etc" /etc/enroot; exec /usr/sbin/sshd -D -e -f "$0/sshd_config"`;
  const server = Bun.spawn(["unshare", "--mount", "sh", "-ec", script, place], {
    stdout: "ignore",
    stderr: "ignore",
  });
  undo.defer(async () => {
    server.kill();
    await server.exited;
  });
  const known = `${peerHost} ${(await Bun.file(join(place, "host.pub")).text()).trim()}\n`;
  await writeFile(join(place, "known_hosts"), known);
  const configuration = `/etc/ssh/ssh_config.d/${peerHost}.conf`;
  await writeFile(
    configuration,
    `Host ${peerHost}
  Port ${port}
Host ${stallingHost}
  Port ${await openStalling(port, { stalling, undo })}
Host ${peerHost}*
  HostName 127.0.0.1
  HostKeyAlias ${peerHost}
  IdentityFile ${key}
  UserKnownHostsFile ${place}/known_hosts
  StrictHostKeyChecking yes
`,
  );
  undo.defer(() => host(["rm", "-f", configuration]).then(() => undefined));
  await until("sshd to answer", () =>
    host(["ssh-keyscan", "-p", String(port), "127.0.0.1"]).then(
      (text) => text !== "",
      () => false,
    ),
  );
  return server.pid;
}

/** Listens for connections to a port of this machine that stall; returns where. */
async function openStalling(port: number, { stalling, undo }: Ways): Promise<number> {
  const server = createServer((here) => {
    const there = connect(port, "127.0.0.1");
    stalling.add(here);
    for (const [one, other] of [
      [here, there],
      [there, here],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => other.destroy());
      one.pipe(limited()).pipe(other);
    }
  });
  const own = freePort();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(own, "127.0.0.1", resolve);
  await promise;
  undo.defer(() => void server.close());
  return own;
}

/** Lets so many bytes through, and waits for ever then. */
function limited(): Transform {
  let left = untilStall;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left > 0) done(undefined, chunk);
    },
  });
}
