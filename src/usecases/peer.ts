// SPDX-License-Identifier: Apache-2.0
// Containers of another machine's ZFS store, through ssh: peers call each other's `enroot export --zfs-send NAME` and
// `enroot import --zfs-recv -n NAME`, as bash enroot's ZFS fork has it. What a template says of itself goes by a call of its own.
import { resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { type PeerUri, parsePeerUri } from "../image/peer-uri.ts";
import { formatProvenance, parseProvenance, parseTemplate } from "../image/provenance.ts";
import { parseStreamHead } from "../image/zfs-stream.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import type { ContainerName, StreamPart, Streams } from "../store/store.ts";
import { openStore } from "../store/table.ts";
import { capture, failure, outputOf, runToFile, spawnPiped } from "../system/process.ts";
import { scratchFile } from "../system/scratch.ts";
import { type LocalCommand, remoteCommand } from "../system/ssh.ts";
import { headOfFile } from "./image-file.ts";
import { refuseOutput } from "./output-file.ts";
import { parseHeld } from "./peer-template.ts";
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
  if (!force) await streams.refuseTaken(container);
  await openLog();
  log.info(`Pulling ${peer.container} from ${peer.host}`);
  // Other enroots have nothing to tell.
  const told = await capture(remote(peer, settings, ["provenance", "--", peer.container]));
  const lines = told.status === 0 ? told.stdout.split("\n") : [];
  const guid = parseTemplate(lines);
  if (guid !== undefined) await pullTemplate({ peer, settings, streams, guid });
  const words =
    guid === undefined
      ? ["export", "--zfs-send", "--", peer.container]
      : ["template", "--", "changes", peer.container, guid];
  await streams.receive({ name: container, force, chunks: outputOf(remote(peer, settings, words)) });
  if (lines.length > 0) await streams.describe(container, parseProvenance(lines));
}

interface TemplatePull {
  readonly peer: NamedPeer;
  readonly settings: Settings;
  readonly streams: Streams;
  readonly guid: string;
}

/** Has the template here, or the rest of it. */
async function pullTemplate({ peer, settings, streams, guid }: TemplatePull): Promise<void> {
  const held = await streams.held(guid);
  if (held?.kind === "all") return;
  const token = held === undefined ? [] : [held.token];
  if (held !== undefined) log.info("Going on where an earlier transfer was cut off");
  const words = ["template", "--", "send", peer.container, ...token];
  await streams.receiveTemplate(outputOf(remote(peer, settings, words)));
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
  const guid = await streams.templateGuid(name);
  const shared = guid !== undefined && (await pushTemplate({ peer, settings, streams, guid, name }));
  const part: StreamPart = shared ? { kind: "changes", guid } : { kind: "whole" };
  await pipe(streams.chunks(name, part), remote(peer, settings, ["import", "--zfs-recv", "-n", target]));
  const values = formatProvenance(await streams.provenance(name));
  if (values.length > 0) await capture(remote(peer, settings, ["provenance", "--", target, ...values]));
}

interface TemplatePush extends Omit<TemplatePull, "peer"> {
  readonly peer: PeerUri;
  readonly name: ContainerName;
}

/** Has the template there, or the rest of it. @returns whether the other enroot takes templates */
async function pushTemplate({ peer, settings, streams, guid, name }: TemplatePush): Promise<boolean> {
  const told = await capture(remote(peer, settings, ["template", "held", guid]));
  if (told.status !== 0) return false;
  const held = parseHeld(told.stdout);
  if (held?.kind === "all") return true;
  if (held !== undefined) log.info("Going on where an earlier transfer was cut off");
  const receive = remote(peer, settings, ["template", "receive"]);
  await pipe(streams.chunks(name, { kind: "template", token: held?.token }), receive);
  return true;
}

/** Has a program on the other machine read a stream. @throws EnrootError */
async function pipe(chunks: AsyncIterable<Uint8Array>, receive: LocalCommand): Promise<void> {
  const sink = spawnPiped(receive);
  try {
    for await (const chunk of chunks) await sink.write(chunk);
  } catch (error) {
    await sink.kill();
    throw error;
  }
  const outcome = await sink.end();
  if (outcome.status !== 0 || outcome.signal) throw failure(receive.argv[0], outcome);
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
