// SPDX-License-Identifier: Apache-2.0
// Containers and templates as streams of zfs send. What comes in is of a form that cannot hold properties
// (image/zfs-stream.ts), is mounted nosuid and nodev like all else, and only at our place for it.
import { createHash } from "node:crypto";
import { EnrootError } from "../../errors.ts";
import { parseStreamHead, streamHeadLength } from "../../image/zfs-stream.ts";
import { ownTag } from "../../system/owner.ts";
import { capture, outputOf, runToFile, type Sink, spawnPiped } from "../../system/process.ts";
import { onInterrupt } from "../../system/signals.ts";
import type { TemplateIdentity } from "../store.ts";
import { complaintOf, refusal, tryZfs, zfs, zfsProgram } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { pristine, templateDataset, templatesName } from "./names.ts";
import { buildTemplate, discardDataset, ensureParent, quiet } from "./templates.ts";

/** Makes a template's dataset of a stream in a file. @throws EnrootError Corrupt, Tool, NoSpace */
export async function receiveDataset(dataset: string, file: string): Promise<void> {
  const args = ["receive", "-u", ...quiet, dataset];
  const outcome = await capture({ argv: [zfsProgram(), ...args], input: file });
  if (outcome.status !== 0) throw streamProblem(args, outcome.stderr, file) ?? refusal(args, outcome);
  await nameSnapshot(dataset);
}

/** Makes a template of a stream as it comes. It is known by its sha256, as that of a file is. @throws EnrootError */
export async function receiveTemplate(
  context: ZfsContext,
  chunks: AsyncIterable<Uint8Array>,
): Promise<TemplateIdentity> {
  await ensureParent(context, templatesName);
  return buildTemplate(context, async (dataset) => ({ key: await receiveChunks(dataset, chunks) }));
}

async function receiveChunks(dataset: string, chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const args = ["receive", "-u", ...quiet, dataset];
  const hash = createHash("sha256");
  let sink: Sink | undefined;
  let head: Uint8Array = new Uint8Array();
  const feed = async (piece: Uint8Array): Promise<void> => {
    hash.update(piece);
    try {
      await sink?.write(piece);
    } catch {
      const outcome = await sink?.end();
      if (outcome) throw streamProblem(args, outcome.stderr, "the stream") ?? refusal(args, outcome);
    }
  };
  try {
    for await (const chunk of chunks) {
      if (sink !== undefined) {
        await feed(chunk);
        continue;
      }
      head = Buffer.concat([head, chunk]);
      if (head.length < streamHeadLength) continue;
      refuseDifference(head);
      sink = spawnPiped({ argv: [zfsProgram(), ...args] });
      await feed(head);
    }
  } catch (error) {
    await sink?.kill();
    throw error;
  }
  if (sink === undefined) throw new EnrootError("Corrupt", "Not a stream of ZFS: it ends too early");
  const outcome = await sink.end();
  if (outcome.status !== 0) throw streamProblem(args, outcome.stderr, "the stream") ?? refusal(args, outcome);
  await nameSnapshot(dataset);
  return hash.digest("hex");
}

function refuseDifference(head: Uint8Array): void {
  const { fromGuid } = parseStreamHead(head, "the stream");
  if (fromGuid === 0n) return;
  throw new EnrootError("Unsupported", "The stream is a difference to another file system");
}

/** Has a stream's root file system there while it is used, under a name that nobody asks for. @throws EnrootError */
export async function withReceived(
  context: ZfsContext,
  chunks: AsyncIterable<Uint8Array>,
  use: (rootfs: string) => Promise<void>,
): Promise<void> {
  await ensureParent(context, templatesName);
  const dataset = templateDataset(context.place.dataset, `.new.${ownTag()}`);
  const path = context.pathOf(dataset);
  await using undo = new AsyncDisposableStack();
  const discard = (): Promise<void> => discardDataset(context, dataset);
  undo.defer(onInterrupt(discard));
  undo.defer(discard);
  await receiveChunks(dataset, chunks);
  await context.mounting.mount(dataset, path);
  await use(path);
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

/** A container as it is now, piece by piece. @throws EnrootError */
export async function* sendChunks(dataset: string): AsyncGenerator<Uint8Array> {
  await using snapshot = await temporarySnapshot(dataset);
  yield* outputOf({ argv: [zfsProgram(), "send", ...sendOptions, snapshot.name] });
}

/** Writes a container as it is now into a file, which is there and empty, or a descriptor. @throws EnrootError */
export async function sendToFile(dataset: string, output: string | number): Promise<void> {
  await using snapshot = await temporarySnapshot(dataset);
  const args = ["send", ...sendOptions, snapshot.name];
  const outcome = await runToFile({ argv: [zfsProgram(), ...args], output });
  if (outcome.status === 0 && !outcome.signal) return;
  if (complaintOf(outcome.stderr) === "space" || /no space/i.test(outcome.stderr))
    throw new EnrootError("NoSpace", `Could not write ${output}: no space left on device`);
  throw refusal(args, outcome);
}
