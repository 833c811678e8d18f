// SPDX-License-Identifier: Apache-2.0
// Templates: read-only datasets with a snapshot that containers are clones of. A lock lets one process make one while
// others wait.
import { join } from "node:path";
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import { makeShared } from "../../system/directory.ts";
import { takeLock } from "../../system/lock.ts";
import type { Content, TemplateIdentity } from "../store.ts";
import { complaintOf, refusal, tryZfs, zfs } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { reap } from "./eviction.ts";
import { ensureParent, freshDataset, quiet, renameDataset } from "./fresh.ts";
import { pristine, templateDataset, templatesName } from "./names.ts";
import { receiveDataset } from "./streams.ts";

/** Whether a template is complete: its snapshot is there. */
export async function hasTemplate({ place }: ZfsContext, key: string): Promise<boolean> {
  const args = ["list", "-H", "-o", "name", `${templateDataset(place.dataset, key)}@${pristine}`];
  const outcome = await tryZfs(args);
  if (outcome.status === 0) return true;
  if (complaintOf(outcome.stderr) === "missing") return false;
  throw refusal(args, outcome);
}

/** Records that a template was used now: the eviction goes by that. Returns whether it is there; never rejects. */
export async function touchTemplate({ place }: ZfsContext, key: string): Promise<boolean> {
  try {
    await zfs(["set", lastUsed(), templateDataset(place.dataset, key)]);
    return true;
  } catch (error) {
    log.debug(`Could not mark a template as used: ${error}`);
    return complaintOf(String(error)) !== "missing";
  }
}

/** The property that says that a template is used now, in seconds after 1970. */
export function lastUsed(): string {
  return `enroot:last_used=${Math.floor(Date.now() / 1000)}`;
}

/** Path of a lock of the store; there are few, and they stay. @throws EnrootError Tool */
export function lockPath({ place }: ZfsContext, name: string): string {
  return join(makeShared([place.path, ".locks"], "ENROOT_DATA_PATH"), name);
}

/**
 * Makes a template unless it is there. Of several callers one makes it and the others wait.
 * @throws EnrootError whatever the content throws; nothing is left behind
 */
async function ensureTemplate(
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

/** What a content is known by. What it takes to find out is spared if there is a template of what it says at once. */
export async function identify(context: ZfsContext, content: Content): Promise<TemplateIdentity> {
  const likely = await content.recognise?.();
  if (likely !== undefined && (await hasTemplate(context, likely.key))) return likely;
  return content.identify();
}

/** Makes a content's template, which is missing, unless somebody has made it meanwhile. @throws EnrootError */
export async function fillTemplate(
  context: ZfsContext,
  identity: TemplateIdentity,
  content: Content,
): Promise<void> {
  // It may have been there when the content was recognised by it, which says nothing about what the content is by now.
  if (content.recognise !== undefined && (await content.identify()).key !== identity.key)
    throw new EnrootError("Tool", "The image has been replaced meanwhile", { hint: "try again" });
  await ensureTemplate(context, identity, (dataset) => fillDataset(context, dataset, content));
}

/** Makes a content's template unless it is there, and counts that as a use. */
export async function keepTemplate(
  context: ZfsContext,
  content: Content,
): Promise<{ identity: TemplateIdentity; had: boolean }> {
  const identity = await identify(context, content);
  const had = await touchTemplate(context, identity.key);
  // Before it is there: whoever asked for it should find it.
  await reap(context, "due");
  if (!had) await fillTemplate(context, identity, content);
  return { identity, had };
}

/** When a template was made and used, and its provenance, as user properties. */
export function propertiesOf({ uri, manifestDigest, arch }: Omit<TemplateIdentity, "key">): string[] {
  const imported = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const values: [string, string | undefined][] = [
    ["imported", imported],
    ["uri", uri],
    ["manifest-digest", manifestDigest],
    ["arch", arch],
  ];
  const known = values.flatMap(([name, value]) => (value === undefined ? [] : [`enroot:${name}=${value}`]));
  return [lastUsed(), ...known];
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
    return { name: identity.key, properties: propertiesOf(identity), result: identity };
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
  await using fresh = freshDataset(context, parent);
  const { name, properties: values, result } = await build(fresh.dataset);
  if (await complete(fresh.dataset, `${context.place.dataset}/${parent}/${name}`, values)) fresh.keep();
  return result;
}

/** Makes a dataset read-only and gives it its name. Returns false when the very same is there already. */
export async function complete(dataset: string, target: string, values: readonly string[]): Promise<boolean> {
  await zfs(["set", "readonly=on", ...values, dataset]);
  return renameDataset(dataset, target);
}

/** Makes a template's dataset of files: fills it and takes the snapshot. */
async function fillDataset(context: ZfsContext, dataset: string, content: Content): Promise<void> {
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
