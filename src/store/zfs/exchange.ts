// SPDX-License-Identifier: Apache-2.0
// What goes between two stores so that little does: a template once, and of its containers what they have changed. A
// template that has come is known by the guid of its snapshot, which it has in both; what has come of one whose transfer
// was cut off is kept, and the rest of it will do.
import { createHash } from "node:crypto";
import { EnrootError } from "../../errors.ts";
import { takeLock } from "../../system/lock.ts";
import type { HeldTemplate, ReceiveOptions } from "../store.ts";
import { tryZfs, zfs } from "./command.ts";
import { adoptContainer, createContainer, refuseTaken } from "./containers.ts";
import type { ZfsContext } from "./context.ts";
import { discardDataset, ensureParent, freshDataset, quiet } from "./fresh.ts";
import { partName, pristine, templateDataset, templatesName } from "./names.ts";
import {
  nameSnapshot,
  type OpenedStream,
  openStream,
  receiveChunks,
  receiveWhole,
  refuseChanges,
} from "./streams.ts";
import { complete, lastUsed, lockPath, propertiesOf } from "./templates.ts";

/** Makes a container of a stream: a whole one, or of changes to a template that is here. @throws EnrootError */
export async function receiveContainer(
  context: ZfsContext,
  { name, force, chunks }: ReceiveOptions,
): Promise<void> {
  if (!force) await refuseTaken(context, name);
  const stream = await openStream(chunks);
  if (stream.head.fromGuid !== 0n) return receiveChanges(context, { name, force }, stream);
  const identity = await receiveWhole(context, stream);
  const gone = new EnrootError("Tool", "The received template has been destroyed meanwhile");
  const content = { identify: async () => identity, fill: () => Promise.reject(gone) };
  await createContainer(context, { name, force, content });
}

async function receiveChanges(
  context: ZfsContext,
  target: Omit<ReceiveOptions, "chunks">,
  { head, chunks }: OpenedStream,
): Promise<void> {
  const origin = await findTemplate(context, String(head.fromGuid));
  if (origin === undefined)
    throw new EnrootError("Unsupported", "The stream is a difference to a template that is not here");
  await using fresh = freshDataset(context);
  const { dataset } = fresh;
  await receiveChunks(["receive", "-u", ...quiet, "-o", `origin=${origin}`, dataset], chunks);
  // Containers have no snapshots of their own.
  await nameSnapshot(dataset);
  await zfs(["destroy", `${dataset}@${pristine}`]);
  await adoptContainer(context, { ...target, fresh });
}

/** Makes a template of a stream, or of the rest of one. What has come when it breaks off stays. @throws EnrootError */
export async function receiveTemplate(context: ZfsContext, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const stream = refuseChanges(await openStream(chunks));
  const guid = String(stream.head.toGuid);
  using _lock = await lockTemplate(context, guid);
  await ensureParent(context, templatesName);
  const part = templateDataset(context.place.dataset, partName(guid));
  const { token } = await readPart(part);
  const options = token === undefined ? [...quiet, "-o", lastUsed()] : [];
  await receiveChunks(["receive", "-s", "-u", ...options, part], stream.chunks);
  await finish(context, guid);
}

/** Makes a template of what has come whole. */
async function finish(context: ZfsContext, guid: string): Promise<void> {
  const part = templateDataset(context.place.dataset, partName(guid));
  await nameSnapshot(part);
  const target = templateDataset(context.place.dataset, keyOf(guid));
  if (!(await complete(part, target, propertiesOf({})))) await discardDataset(context, part);
}

/** What is here of a template. */
export async function heldTemplate(context: ZfsContext, guid: string): Promise<HeldTemplate | undefined> {
  if ((await findTemplate(context, guid)) !== undefined) return { kind: "all" };
  const part = templateDataset(context.place.dataset, partName(guid));
  const { there, token } = await readPart(part);
  if (token !== undefined) return { kind: "part", token };
  return there ? await settle(context, guid) : undefined;
}

/** A part that says nothing of going on: whoever receives it is still there, or was killed at its very end. */
async function settle(context: ZfsContext, guid: string): Promise<HeldTemplate | undefined> {
  using _lock = await lockTemplate(context, guid);
  const part = templateDataset(context.place.dataset, partName(guid));
  const { there, token } = await readPart(part);
  if (token !== undefined) return { kind: "part", token };
  if (there) {
    const { stdout } = await tryZfs(["list", "-H", "-p", "-t", "snapshot", "-d", "1", "-o", "guid", part]);
    await (stdout.trim() === guid ? finish(context, guid) : discardDataset(context, part));
  }
  return (await findTemplate(context, guid)) === undefined ? undefined : { kind: "all" };
}

function lockTemplate(context: ZfsContext, guid: string): ReturnType<typeof takeLock> {
  return takeLock(lockPath(context, `${keyOf(guid).slice(0, 2)}.lock`));
}

/** Nothing else is known by such a key: those of files and images are sums of what nobody begins so. */
function keyOf(guid: string): string {
  return createHash("sha256").update(`snapshot ${guid}`).digest("hex");
}

/** The template's snapshot with a guid, whatever it is known by. */
async function findTemplate({ place }: ZfsContext, guid: string): Promise<string | undefined> {
  const parent = `${place.dataset}/${templatesName}`;
  const { stdout } = await tryZfs([
    "list",
    "-H",
    "-p",
    "-t",
    "snapshot",
    "-d",
    "2",
    "-o",
    "guid,name",
    parent,
  ]);
  const rows = stdout.split("\n").map((line) => line.split("\t"));
  return rows.find(
    ([number, name = ""]) => number === guid && isTemplate(name.slice(parent.length + 1)),
  )?.[1];
}

function isTemplate(name: string): boolean {
  return /^[0-9a-f]{64}@/.test(name) && name.endsWith(`@${pristine}`);
}

interface Part {
  readonly there: boolean;
  /** Where to go on, if not all of it has come. */
  readonly token: string | undefined;
}

async function readPart(dataset: string): Promise<Part> {
  const args = ["get", "-H", "-o", "value", "receive_resume_token", dataset];
  const { status, stdout } = await tryZfs(args);
  const token = stdout.trim();
  return { there: status === 0, token: status !== 0 || token === "-" ? undefined : token };
}
