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

/** The mark that something's maker has put into its name below `.templates`. */
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

/** Locks are spread over so many files, which stay. */
function lockName(key: string): string {
  return `${key.slice(0, 2)}.lock`;
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
  const locks = makeShared([context.place.path, ".locks"], "ENROOT_DATA_PATH");
  using _lock = await takeLock(join(locks, lockName(identity.key)));
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
  const dataset = templateDataset(context.place.dataset, `${fresh}${ownTag()}`);
  await using undo = new AsyncDisposableStack();
  let gone: Promise<void> | undefined;
  const discard = (): Promise<void> => {
    gone ??= discardDataset(context, dataset);
    return gone;
  };
  undo.defer(onInterrupt(discard));
  undo.defer(discard);
  const identity = await build(dataset);
  await zfs(["set", "readonly=on", ...properties(identity), dataset]);
  const args = ["rename", dataset, templateDataset(context.place.dataset, identity.key)];
  const outcome = await tryZfs(args);
  // The very same is there already, and ours goes.
  if (complaintOf(outcome.stderr) === "exists") return identity;
  if (outcome.status !== 0) throw refusal(args, outcome);
  gone = Promise.resolve();
  removePoint(context.pathOf(dataset));
  return identity;
}

/** Makes a template's dataset of files: fills it and takes the snapshot. */
export async function fillDataset(context: ZfsContext, dataset: string, content: Content): Promise<void> {
  if (content.stream !== undefined) return receiveDataset(dataset, content.stream);
  const path = context.pathOf(dataset);
  await zfs(["create", "-u", ...quiet, dataset]);
  await context.mounting.mount(dataset, path);
  await content.fill(path);
  await context.mounting.unmount(dataset, path);
  await zfs(["snapshot", `${dataset}@${pristine}`]);
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
