// SPDX-License-Identifier: Apache-2.0
// Templates: read-only datasets with a snapshot that containers are clones of. One is made under a hidden name with the
// mark of its maker, and renamed when it is complete; a lock lets one process make it while others wait.
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import { makeShared } from "../../system/directory.ts";
import { takeLock } from "../../system/lock.ts";
import { ownTag } from "../../system/owner.ts";
import { onInterrupt } from "../../system/signals.ts";
import type { Content, TemplateIdentity } from "../store.ts";
import { complaintOf, refusal, tryZfs, zfs } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { reap } from "./eviction.ts";
import { removePoint } from "./mounting.ts";
import { pristine, templateDataset, templatesName } from "./names.ts";
import { receiveDataset } from "./streams.ts";

/** The mark that something's maker has put into its name below `.templates` and `.layers`. */
const fresh = ".new.";

/** Options of every dataset that is made here: mounted by us alone, and left alone by tools that take snapshots. */
export const quiet = ["-o", "canmount=noauto", "-o", "com.sun:auto-snapshot=false"] as const;

/** Makes a dataset that holds others, unless it is there. @throws EnrootError Tool */
export async function ensureParent(context: ZfsContext, name: string): Promise<void> {
  const args = ["create", "-u", ...quiet, `${context.place.dataset}/${name}`];
  const outcome = await tryZfs(args);
  if (outcome.status !== 0 && complaintOf(outcome.stderr) !== "exists") throw refusal(args, outcome);
}

/** Whether a template is complete: its snapshot is there. */
export async function hasTemplate({ place }: ZfsContext, key: string): Promise<boolean> {
  const args = ["list", "-H", "-o", "name", `${templateDataset(place.dataset, key)}@${pristine}`];
  const outcome = await tryZfs(args);
  if (outcome.status === 0) return true;
  if (complaintOf(outcome.stderr) === "missing") return false;
  throw refusal(args, outcome);
}

/** Records that a template was used now: the eviction goes by that. */
export async function touchTemplate({ place }: ZfsContext, key: string): Promise<void> {
  const outcome = await tryZfs(["set", `enroot:last_used=${now()}`, templateDataset(place.dataset, key)]);
  // Cosmetic, and it may be gone already.
  if (outcome.status !== 0) log.debug(`Could not mark a template as used: ${outcome.stderr.trim()}`);
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Path of a lock of the store; there are few, and they stay. @throws EnrootError Tool */
export function lockPath({ place }: ZfsContext, name: string): string {
  return join(makeShared([place.path, ".locks"], "ENROOT_DATA_PATH"), name);
}

/**
 * Makes a template unless it is there. Of several callers one makes it and the others wait.
 * @throws EnrootError whatever the content throws; nothing is left behind
 */
export async function ensureTemplate(
  context: ZfsContext,
  identity: TemplateIdentity,
  make: (dataset: string) => Promise<void>,
): Promise<void> {
  using _lock = await takeLock(lockPath(context, `${identity.key.slice(0, 2)}.lock`));
  if (await hasTemplate(context, identity.key)) return;
  await ensureParent(context, templatesName);
  const build = async (dataset: string): Promise<TemplateIdentity> => {
    await make(dataset);
    return identity;
  };
  try {
    await buildTemplate(context, build);
  } catch (error) {
    if (!(error instanceof EnrootError) || error.kind !== "NoSpace") throw error;
    log.debug(`${error.message}: deleting unused templates`);
    if (!(await reap(context, "all"))) throw error;
    await buildTemplate(context, build);
  }
}

/** Makes a content's template unless it is there, and counts that as a use. Returns whether it was there. */
export async function keepTemplate(context: ZfsContext, content: Content): Promise<boolean> {
  const identity = await content.identify();
  const had = await hasTemplate(context, identity.key);
  if (had) await touchTemplate(context, identity.key);
  // Before it is there: whoever asked for it should find it.
  await reap(context, "due");
  if (!had) await ensureTemplate(context, identity, (dataset) => fillDataset(context, dataset, content));
  return had;
}

/** A template's provenance as user properties. */
function properties({ uri, manifestDigest, arch }: TemplateIdentity): string[] {
  const imported = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const values: [string, string | undefined][] = [
    ["enroot:imported", imported],
    ["enroot:last_used", String(now())],
    ["enroot:uri", uri],
    ["enroot:manifest-digest", manifestDigest],
    ["enroot:arch", arch],
  ];
  return values.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

/**
 * Makes a template, whose identity may show only at its end.
 * @param build makes the dataset and its snapshot, and says what it is
 * @throws EnrootError whatever `build` throws; nothing is left behind
 */
export async function buildTemplate(
  context: ZfsContext,
  build: (dataset: string) => Promise<TemplateIdentity>,
): Promise<TemplateIdentity> {
  return publish(context, templatesName, async (dataset) => {
    const identity = await build(dataset);
    return { name: identity.key, properties: properties(identity), result: identity };
  });
}

/** What a dataset that is complete is to be called, with its user properties. */
export interface Published<T> {
  readonly name: string;
  readonly properties: readonly string[];
  readonly result: T;
}

/**
 * Makes a dataset that nobody sees before it is complete, and that is read-only then.
 * @param parent name of the dataset that it goes into
 * @param build makes the dataset and its snapshot
 * @throws EnrootError whatever `build` throws; nothing is left behind
 */
export async function publish<T>(
  context: ZfsContext,
  parent: string,
  build: (dataset: string) => Promise<Published<T>>,
): Promise<T> {
  const directory = `${context.place.dataset}/${parent}`;
  const dataset = `${directory}/${fresh}${ownTag()}`;
  await using undo = new AsyncDisposableStack();
  let gone: Promise<void> | undefined;
  const discard = (): Promise<void> => {
    gone ??= discardDataset(context, dataset);
    return gone;
  };
  undo.defer(onInterrupt(discard));
  undo.defer(discard);
  const { name, properties: values, result } = await build(dataset);
  await zfs(["set", "readonly=on", ...values, dataset]);
  const args = ["rename", dataset, `${directory}/${name}`];
  const outcome = await tryZfs(args);
  // The very same is there already, and ours goes.
  if (complaintOf(outcome.stderr) === "exists") return result;
  if (outcome.status !== 0) throw refusal(args, outcome);
  gone = Promise.resolve();
  removePoint(context.pathOf(dataset));
  return result;
}

/** Makes a template's dataset of files: fills it and takes the snapshot. */
export async function fillDataset(context: ZfsContext, dataset: string, content: Content): Promise<void> {
  if (content.stream !== undefined) return receiveDataset(dataset, content.stream);
  const chain = await content.layers?.();
  if (chain !== undefined) return (await import("./layers.ts")).fillFromLayers(context, dataset, chain);
  await zfs(["create", "-u", ...quiet, dataset]);
  await snapshotFilled(context, `${dataset}@${pristine}`, content.fill);
}

/** Has a dataset mounted while it is filled, and takes a snapshot. @throws whatever `fill` throws */
export async function snapshotFilled(
  { pathOf, mounting }: ZfsContext,
  snapshot: string,
  fill: (directory: string) => Promise<void>,
): Promise<void> {
  const dataset = snapshot.replace(/@.*$/, "");
  const path = pathOf(dataset);
  await mounting.mount(dataset, path);
  await fill(path);
  await mounting.unmount(dataset, path);
  await zfs(["snapshot", snapshot]);
}

/** Takes away a dataset of ours with its snapshots; what is not there is fine, and so is what resists: it is swept later. */
export async function discardDataset(context: ZfsContext, dataset: string): Promise<void> {
  const path = context.pathOf(dataset);
  try {
    await context.mounting.unmount(dataset, path, null);
  } catch (error) {
    log.debug(String(error));
  }
  const outcome = await tryZfs(["destroy", "-r", dataset], null);
  if (outcome.status !== 0 && complaintOf(outcome.stderr) !== "missing")
    log.debug(`Could not destroy ${dataset}: ${outcome.stderr.trim()}`);
  removePoint(path);
}
