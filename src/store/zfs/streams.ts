// SPDX-License-Identifier: Apache-2.0
// Containers and templates as streams of zfs send. What comes in is of a form that cannot hold properties
// (image/zfs-stream.ts), is mounted nosuid and nodev like all else, and only at our place for it.
import { createHash } from "node:crypto";
import { EnrootError } from "../../errors.ts";
import { parseStreamHead, type StreamHead, streamHeadLength } from "../../image/zfs-stream.ts";
import { ownTag } from "../../system/owner.ts";
import { capture, outputOf, runToFile, type Sink, spawnPiped } from "../../system/process.ts";
import { onInterrupt } from "../../system/signals.ts";
import type { StreamPart, TemplateIdentity } from "../store.ts";
import { complaintOf, refusal, tryZfs, zfs, zfsProgram } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { ensureParent, freshDataset, quiet } from "./fresh.ts";
import { pristine, templatesName } from "./names.ts";
import { buildTemplate } from "./templates.ts";

/** Makes a template's dataset of a stream in a file. @throws EnrootError Corrupt, Tool, NoSpace */
export async function receiveDataset(dataset: string, file: string): Promise<void> {
  const args = ["receive", "-u", ...quiet, dataset];
  const outcome = await capture({ argv: [zfsProgram(), ...args], input: file });
  if (outcome.status !== 0) throw streamProblem(args, outcome.stderr, file) ?? refusal(args, outcome);
  await nameSnapshot(dataset);
}

/** A stream whose first record has been read. */
export interface OpenedStream {
  readonly head: StreamHead;
  /** All of it, the first record included. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Reads a stream's first record. @throws EnrootError Corrupt, Unsupported */
export async function openStream(chunks: AsyncIterable<Uint8Array>): Promise<OpenedStream> {
  const pieces = chunks[Symbol.asyncIterator]();
  let first: Uint8Array = new Uint8Array();
  while (first.length < streamHeadLength) {
    const { done, value } = await pieces.next();
    if (done) throw new EnrootError("Corrupt", "Not a stream of ZFS: it ends too early");
    first = Buffer.concat([first, value]);
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    yield first;
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
  }
  try {
    return { head: parseStreamHead(first, "the stream"), chunks: all() };
  } catch (error) {
    await pieces.return?.();
    throw error;
  }
}

/** Makes a template of a whole stream. It is known by its sha256, as that of a file is. @throws EnrootError */
export async function receiveWhole(context: ZfsContext, { chunks }: OpenedStream): Promise<TemplateIdentity> {
  await ensureParent(context, templatesName);
  return buildTemplate(context, async (dataset) => {
    const key = await receiveChunks(["receive", "-u", ...quiet, dataset], chunks);
    await nameSnapshot(dataset);
    return { key };
  });
}

/** Has zfs receive a stream; returns its sha256. @throws EnrootError Corrupt, Tool, NoSpace */
export async function receiveChunks(
  args: readonly string[],
  chunks: AsyncIterable<Uint8Array>,
): Promise<string> {
  const hash = createHash("sha256");
  const sink = spawnPiped({ argv: [zfsProgram(), ...args] });
  const problem = ({ stderr, ...outcome }: Awaited<ReturnType<Sink["end"]>>): EnrootError =>
    streamProblem(args, stderr, "the stream") ?? refusal(args, { ...outcome, stderr });
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      try {
        await sink.write(chunk);
      } catch {
        throw problem(await sink.end());
      }
    }
  } catch (error) {
    // Its end tells zfs that no more will come; what it was told to keep, it keeps.
    await sink.end();
    throw error;
  }
  const outcome = await sink.end();
  if (outcome.status !== 0) throw problem(outcome);
  return hash.digest("hex");
}

/** Has a stream's root file system there while it is used, under a name that nobody asks for. @throws EnrootError */
export async function withReceived(
  context: ZfsContext,
  chunks: AsyncIterable<Uint8Array>,
  use: (rootfs: string) => Promise<void>,
): Promise<void> {
  await ensureParent(context, templatesName);
  await using fresh = freshDataset(context);
  const { dataset } = fresh;
  const path = context.pathOf(dataset);
  const stream = refuseChanges(await openStream(chunks));
  await receiveChunks(["receive", "-u", ...quiet, dataset], stream.chunks);
  await context.mounting.mount(dataset, path);
  await use(path);
}

/** The stream, if it is a whole one. @throws EnrootError Unsupported */
export function refuseChanges(stream: OpenedStream): OpenedStream {
  if (stream.head.fromGuid === 0n) return stream;
  throw new EnrootError("Unsupported", "The stream is a difference to another file system");
}

function streamProblem(args: readonly string[], stderr: string, file: string): EnrootError | undefined {
  const words =
    /(checksum mismatch|incomplete stream|stream has unsupported feature|invalid (backup )?stream)[^\n]*/i;
  const found = words.exec(stderr)?.[0];
  if (found === undefined) return undefined;
  return new EnrootError("Corrupt", `zfs ${args[0]}: ${file}: ${found}`, { hint: "copy it again" });
}

/** Gives the only snapshot of a received dataset the name that clones go by. @throws EnrootError */
export async function nameSnapshot(dataset: string): Promise<void> {
  const list = await zfs(["list", "-H", "-t", "snapshot", "-o", "name", "-d", "1", dataset]);
  const snapshots = list.split("\n").filter((line) => line !== "");
  const [only] = snapshots;
  if (only === undefined || snapshots.length > 1)
    throw new EnrootError("Corrupt", `A stream of ${snapshots.length} snapshots instead of one`);
  if (only !== `${dataset}@${pristine}`) await zfs(["rename", only, `${dataset}@${pristine}`]);
}

/** Options of zfs send: blocks as they are on disk, large ones and embedded ones included. */
export const sendOptions = ["-L", "-e", "-c"] as const;

interface Snapshot extends AsyncDisposable {
  readonly name: string;
}

/** A snapshot that is there until it is disposed of. */
async function temporarySnapshot(dataset: string): Promise<Snapshot> {
  const name = `${dataset}@export.${ownTag()}`;
  const discard = async (): Promise<void> => {
    await tryZfs(["destroy", name], null);
  };
  const forget = onInterrupt(discard);
  const dispose = async (): Promise<void> => {
    await discard();
    forget();
  };
  try {
    await zfs(["snapshot", name]);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { name, [Symbol.asyncDispose]: dispose };
}

/** A container as it is now, or a part of it, piece by piece. @throws EnrootError */
export async function* sendChunks(dataset: string, part: StreamPart): AsyncGenerator<Uint8Array> {
  await using sending = await prepare(dataset, part);
  yield* outputOf({ argv: [zfsProgram(), ...sending.args] });
}

/** Writes it into a file, which is there and empty, or a descriptor. @throws EnrootError */
export async function sendToFile(dataset: string, part: StreamPart, output: string | number): Promise<void> {
  await using sending = await prepare(dataset, part);
  const outcome = await runToFile({ argv: [zfsProgram(), ...sending.args], output });
  if (outcome.status === 0 && !outcome.signal) return;
  if (complaintOf(outcome.stderr) === "space" || /no space/i.test(outcome.stderr))
    throw new EnrootError("NoSpace", `Could not write ${output}: no space left on device`);
  throw refusal(sending.args, outcome);
}

interface Sending extends AsyncDisposable {
  /** What zfs is called with. */
  readonly args: readonly string[];
}

async function prepare(dataset: string, part: StreamPart): Promise<Sending> {
  await using undo = new AsyncDisposableStack();
  let args: readonly string[];
  if (part.kind === "template") args = await templateArguments(dataset, part.token);
  else {
    const since = part.kind === "whole" ? [] : ["-i", await expectOrigin(dataset, part.guid)];
    const snapshot = undo.use(await temporarySnapshot(dataset));
    args = ["send", ...sendOptions, ...since, snapshot.name];
  }
  const stack = undo.move();
  return { args, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** What sends a container's template, or the rest of it. @throws EnrootError Usage */
async function templateArguments(dataset: string, token: string | undefined): Promise<string[]> {
  const origin = await readOrigin(dataset);
  if (origin === undefined) throw new EnrootError("Usage", `${dataset} is no clone of a template`);
  if (token === undefined) return ["send", ...sendOptions, origin.snapshot];
  // A token names a snapshot, and whoever sends it may name any.
  const told = await tryZfs(["send", "-n", "-v", "-t", parseToken(token)]);
  const named = /^\s*toname = (.*)$/m.exec(`${told.stdout}\n${told.stderr}`)?.[1];
  if (named !== origin.snapshot)
    throw new EnrootError("Usage", "The token to resume by is of another stream");
  return ["send", "-t", token];
}

/** `1-CHECKSUM-SIZE-DATA`, all hexadecimal (zfs_send_resume_token_to_nvlist of OpenZFS). @throws EnrootError Usage */
export function parseToken(token: string): string {
  if (/^\d+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$/.test(token) && token.length < 8192) return token;
  throw new EnrootError("Usage", "Invalid token to resume by");
}

async function expectOrigin(dataset: string, guid: string): Promise<string> {
  const origin = await readOrigin(dataset);
  if (origin?.guid === guid) return origin.snapshot;
  throw new EnrootError("Usage", `${dataset} is no clone of a template with the guid ${guid}`);
}

/** A template's snapshot. */
export interface Origin {
  readonly snapshot: string;
  /** In decimal. */
  readonly guid: string;
}

/** The template that a container is a clone of. @throws EnrootError Tool */
export async function readOrigin(dataset: string): Promise<Origin | undefined> {
  const snapshot = (await zfs(["get", "-H", "-o", "value", "origin", dataset])).trim();
  if (!snapshot.endsWith(`@${pristine}`)) return undefined;
  return { snapshot, guid: (await zfs(["get", "-H", "-p", "-o", "value", "guid", snapshot])).trim() };
}
