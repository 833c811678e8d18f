// SPDX-License-Identifier: Apache-2.0
// Containers of another machine's ZFS store, through ssh: peers call each other's `enroot export --zfs-send NAME` and
// `enroot import --zfs-recv -n NAME`, as bash enroot's ZFS fork has it. What a template says of itself goes by a call of its own.
import { resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { type PeerUri, parsePeerUri } from "../image/peer-uri.ts";
import { formatProvenance, parseProvenance } from "../image/provenance.ts";
import { parseStreamHead } from "../image/zfs-stream.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import type { ContainerName, Streams } from "../store/store.ts";
import { openStore } from "../store/table.ts";
import { capture, failure, outputOf, runToFile, spawnPiped } from "../system/process.ts";
import { scratchFile } from "../system/scratch.ts";
import { type LocalCommand, remoteCommand } from "../system/ssh.ts";
import { headOfFile } from "./image-file.ts";
import { refuseOutput } from "./output-file.ts";
import { requirePacker, writeTree } from "./tree-squashfs.ts";

/** What is asked of another machine. */
export interface PeerRequest {
  readonly settings: Settings;
  readonly uri: string;
  readonly force: boolean;
}

interface NamedPeer extends PeerUri {
  readonly container: ContainerName;
}

function namedPeer(uri: string): NamedPeer {
  const peer = parsePeerUri(uri);
  if (peer.name === undefined)
    throw new EnrootError("Usage", `No container is named: ${uri}`, {
      hint: "zfs://[USER@]HOST/NAME is needed",
    });
  return { ...peer, container: parseContainerName(peer.name) };
}

function remote({ user, host }: PeerUri, settings: Settings, words: readonly string[]): LocalCommand {
  return remoteCommand({ user, host, words: ["enroot", ...words], environment: settings.environment });
}

/** The streams of the store. @throws EnrootError Unsupported where containers are no file systems */
export async function requireStreams(settings: Settings): Promise<Streams> {
  const { streams } = await openStore(settings);
  if (streams) return streams;
  throw new EnrootError("Unsupported", "Only the ZFS store exchanges containers with other machines", {
    hint: "set ENROOT_STORAGE_BACKEND=zfs",
  });
}

/** Makes a container of one on another machine. @param name undefined: its name there @throws EnrootError */
export async function pullContainer({
  settings,
  uri,
  force,
  name,
}: PeerRequest & { readonly name: string | undefined }): Promise<void> {
  const peer = namedPeer(uri);
  const container = parseContainerName(name ?? peer.container);
  const streams = await requireStreams(settings);
  await openLog();
  log.info(`Pulling ${peer.container} from ${peer.host}`);
  const send = remote(peer, settings, ["export", "--zfs-send", "--", peer.container]);
  await streams.receive({ name: container, force, chunks: outputOf(send) });
  const told = await capture(remote(peer, settings, ["provenance", "--", peer.container]));
  // Other enroots have nothing to tell.
  if (told.status === 0) await streams.describe(container, parseProvenance(told.stdout.split("\n")));
}

/** Makes a container on another machine of one here. @throws EnrootError */
export async function pushContainer({
  settings,
  uri,
  name,
}: Omit<PeerRequest, "force"> & { readonly name: ContainerName }): Promise<void> {
  const peer = parsePeerUri(uri);
  const target = parseContainerName(peer.name ?? name);
  const streams = await requireStreams(settings);
  await openLog();
  log.info(`Pushing ${name} to ${peer.host} as ${target}`);
  const receive = remote(peer, settings, ["import", "--zfs-recv", "-n", target]);
  const sink = spawnPiped(receive);
  try {
    for await (const chunk of streams.chunks(name)) await sink.write(chunk);
  } catch (error) {
    await sink.kill();
    throw error;
  }
  const outcome = await sink.end();
  if (outcome.status !== 0 || outcome.signal) throw failure(receive.argv[0], outcome);
  const values = formatProvenance(await streams.provenance(name));
  if (values.length > 0) await capture(remote(peer, settings, ["provenance", "--", target, ...values]));
}

/** Makes an image file of a container on another machine: squashfs for a name that ends in .sqsh, else its stream. */
export async function importPeer({
  settings,
  uri,
  force,
  output,
}: PeerRequest & { readonly output: string | undefined }): Promise<void> {
  const peer = namedPeer(uri);
  const target = resolve(output ?? `${peer.container}.zfs`);
  refuseOutput(target, force);
  await openLog();
  log.info(`Pulling ${peer.container} from ${peer.host}`);
  const send = remote(peer, settings, ["export", "--zfs-send", "--", peer.container]);
  await using file = scratchFile(target);
  if (target.endsWith(".sqsh")) {
    const program = requirePacker();
    const streams = await requireStreams(settings);
    await streams.withReceived(outputOf(send), (rootfs) => {
      log.info("Creating squashfs filesystem...");
      return writeTree({ program, rootfs, path: file.path, target, settings });
    });
  } else {
    const outcome = await runToFile({ ...send, output: file.path });
    if (outcome.status !== 0 || outcome.signal) throw failure(send.argv[0], outcome);
    parseStreamHead(headOfFile(file.path), uri);
  }
  file.commit(force);
}
