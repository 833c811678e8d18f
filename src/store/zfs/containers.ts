// SPDX-License-Identifier: Apache-2.0
// Containers: clones of templates, mounted when they are made or first used.
import { basename } from "node:path";
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import { isAbandoned } from "../../system/owner.ts";
import { onInterrupt } from "../../system/signals.ts";
import { isPresent } from "../../system/tree.ts";
import type { ContainerName, Content, CreateOptions, TemplateIdentity } from "../store.ts";
import { complaintOf, refusal, tryZfs, zfs } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { reap } from "./eviction.ts";
import {
  discardDataset,
  ensureParent,
  type FreshDataset,
  freshDataset,
  goingDataset,
  quiet,
  renameDataset,
} from "./fresh.ts";
import { holderOf, mountBelow } from "./holder.ts";
import { removePoint } from "./mounting.ts";
import { containerDataset, containerOf, pristine, templateDataset, templatesName } from "./names.ts";
import { isMountPoint } from "./place.ts";
import { fillTemplate, identify, touchTemplate } from "./templates.ts";

/** Names of all containers, sorted bytewise. `-o name -s name` has zfs read nothing but names. */
export async function listContainers({ place }: ZfsContext): Promise<ContainerName[]> {
  const text = await zfs([
    "list",
    "-H",
    "-t",
    "filesystem",
    "-o",
    "name",
    "-s",
    "name",
    "-d",
    "1",
    place.dataset,
  ]);
  return text
    .split("\n")
    .flatMap((line) => containerOf(place.dataset, line) ?? [])
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Directory of an existing container, mounted. Without a process when it is mounted already. @throws EnrootError NotFound */
export async function openContainer(context: ZfsContext, name: ContainerName): Promise<string> {
  const dataset = containerDataset(context.place.dataset, name);
  const path = context.pathOf(dataset);
  if (isMountPoint(context.place, path)) return path;
  if (!isPresent(path) && !(await exists(dataset))) throw missing(path, name);
  try {
    await context.mounting.mount(dataset, path);
  } catch (error) {
    if (await exists(dataset)) throw error;
    removePoint(path);
    throw missing(path, name);
  }
  return path;
}

/** Dataset of an existing container. @throws EnrootError NotFound */
export async function containerNamed(context: ZfsContext, name: ContainerName): Promise<string> {
  const dataset = containerDataset(context.place.dataset, name);
  if (await exists(dataset)) return dataset;
  throw missing(context.pathOf(dataset), name);
}

function missing(path: string, name: ContainerName): EnrootError {
  return new EnrootError("NotFound", `No such file or directory: ${path}`, {
    hint: `there is no container ${name}`,
  });
}

async function exists(dataset: string): Promise<boolean> {
  const args = ["list", "-H", "-o", "name", dataset];
  const outcome = await tryZfs(args);
  if (outcome.status === 0) return true;
  if (complaintOf(outcome.stderr) === "missing") return false;
  throw refusal(args, outcome);
}

/** Makes a container: a clone of the content's template, which is made first if there is none. */
export async function createContainer(context: ZfsContext, options: CreateOptions): Promise<void> {
  const { name, force, content } = options;
  const target = containerDataset(context.place.dataset, name);
  const path = context.pathOf(target);
  if (!force) await refuseTaken(context, name);
  const identity = await identify(context, content);
  const clone = (dataset: string): Promise<"made" | "exists"> =>
    cloneTemplate(context, identity, { content, dataset });
  const kept = keepUp(context, identity.key);
  try {
    if ((await clone(target)) === "exists") {
      if (!force) throw taken(path);
      await replace(context, { target, path, clone });
    }
    await mountNew(context, target, path);
  } finally {
    await kept;
  }
  // One more template is there now.
  if (!(await kept)) await keepUp(context, identity.key);
}

/**
 * What a clone brings about besides, in the time that it takes. Returns whether its template was there. The container does
 * not depend on it, so it never rejects.
 */
async function keepUp(context: ZfsContext, key: string): Promise<boolean> {
  const reaped = reap(context, "due", key).catch((error) => log.debug(`Kept unused templates: ${error}`));
  const [there] = await Promise.all([touchTemplate(context, key), reaped]);
  return there;
}

/** Refuses a name that a container has. @throws EnrootError Exists */
export async function refuseTaken(context: ZfsContext, name: ContainerName): Promise<void> {
  const target = containerDataset(context.place.dataset, name);
  const path = context.pathOf(target);
  if (isMountPoint(context.place, path) || (isPresent(path) && (await exists(target)))) throw taken(path);
}

function taken(path: string): EnrootError {
  return new EnrootError("Exists", `File already exists: ${path}`, { hint: "use --force to replace it" });
}

/** A container that cannot be mounted is of no use to whoever asked for it. */
async function mountNew(context: ZfsContext, dataset: string, path: string): Promise<void> {
  const discard = (): Promise<void> => discardDataset(context, dataset);
  const forget = onInterrupt(discard);
  try {
    await context.mounting.mount(dataset, path);
  } catch (error) {
    await discard();
    throw error;
  } finally {
    forget();
  }
}

interface Cloning {
  readonly content: Content;
  /** Name of the clone. */
  readonly dataset: string;
}

/** Clones a template, which is made when it is missing or has just been evicted. */
export async function cloneTemplate(
  context: ZfsContext,
  identity: TemplateIdentity,
  { content, dataset }: Cloning,
): Promise<"made" | "exists"> {
  const template = templateDataset(context.place.dataset, identity.key);
  const args = ["clone", ...quiet, `${template}@${pristine}`, dataset];
  for (let misses = 0; ; misses++) {
    const outcome = await tryZfs(args);
    // Where mounting is refused, some versions fail although the clone has been made.
    if (outcome.status === 0) return "made";
    const complaint = complaintOf(outcome.stderr);
    if (complaint === "exists") return "exists";
    if (!["orphan", "missing"].includes(complaint) || misses > 4) throw refusal(args, outcome);
    if (complaint === "orphan") await ensureParent(context, dataset.split("/").at(-2) ?? "");
    else await fillTemplate(context, identity, content);
  }
}

interface Replacement {
  readonly target: string;
  readonly path: string;
  clone(dataset: string): Promise<"made" | "exists">;
}

/** The new one is complete before the old one loses its name, which it gets back if anything fails. */
async function replace(context: ZfsContext, { target, path, clone }: Replacement): Promise<void> {
  await using fresh = freshDataset(context);
  await clone(fresh.dataset);
  await exchange(context, { fresh, target, path });
}

/** Gives a dataset the name of another, which goes. */
async function exchange(
  context: ZfsContext,
  { fresh, target, path }: { readonly fresh: FreshDataset; readonly target: string; readonly path: string },
): Promise<void> {
  const old = goingDataset(context);
  await context.mounting.unmount(target, path);
  await zfs(["rename", target, old]);
  try {
    await zfs(["rename", fresh.dataset, target]);
    fresh.keep();
  } catch (error) {
    await tryZfs(["rename", old, target], null);
    throw error;
  }
  await discardDataset(context, old);
}

/** Makes a dataset that is not mounted a container. @throws EnrootError Exists unless `force` */
export async function adoptContainer(
  context: ZfsContext,
  { name, force, fresh }: Pick<CreateOptions, "name" | "force"> & { readonly fresh: FreshDataset },
): Promise<void> {
  const target = containerDataset(context.place.dataset, name);
  const path = context.pathOf(target);
  if (await renameDataset(fresh.dataset, target)) fresh.keep();
  else {
    if (!force) throw taken(path);
    await exchange(context, { fresh, target, path });
  }
  await mountNew(context, target, path);
}

/** Deletes a container, whose template stays. What is in use goes as soon as it is free. */
export async function removeContainer(context: ZfsContext, name: ContainerName): Promise<void> {
  const dataset = containerDataset(context.place.dataset, name);
  const path = context.pathOf(dataset);
  await unmountFree(context, { dataset, path, name });
  const outcome = await destroyIdle(dataset);
  const complaint = complaintOf(outcome.stderr);
  if (outcome.status !== 0 && complaint === "missing") {
    removePoint(path);
    throw missing(path, name);
  }
  if (outcome.status !== 0 && complaint === "busy") await setAside(context, { dataset, name });
  else if (outcome.status !== 0) throw await explain(dataset, outcome);
  removePoint(path);
}

interface Container {
  readonly dataset: string;
  readonly name: ContainerName;
}

async function unmountFree(
  context: ZfsContext,
  { dataset, path, name }: Container & { readonly path: string },
): Promise<void> {
  try {
    await context.mounting.unmount(dataset, path);
  } catch (error) {
    const inner = mountBelow(path);
    if (inner !== undefined)
      throw new EnrootError("Unsupported", `Could not remove ${name}: ${inner} is mounted`, {
        hint: "unmount it first",
      });
    const holder = holderOf(dataset);
    if (holder === undefined) throw error;
    throw new EnrootError("Tool", `Could not remove ${name}: it is in use by ${holder}`, {
      hint: "end that process, or have it leave the directory",
    });
  }
}

/** The last process of a container may still be about to let go of it. */
async function destroyIdle(dataset: string): ReturnType<typeof tryZfs> {
  for (let wait = 10; ; wait *= 2) {
    const outcome = await tryZfs(["destroy", dataset]);
    const complaint = complaintOf(outcome.stderr);
    if (complaint === "children" && (await dropSnapshots(dataset))) continue;
    if (outcome.status === 0 || complaint !== "busy" || wait > 160 || holderOf(dataset)) return outcome;
    await Bun.sleep(wait);
  }
}

/** Destroys snapshots that interrupted exports have left. Returns whether there were any. */
async function dropSnapshots(dataset: string): Promise<boolean> {
  const { stdout } = await tryZfs(["list", "-H", "-t", "snapshot", "-o", "name", "-d", "1", dataset]);
  const left = stdout.split("\n").filter((line) => isAbandoned(line.slice(`${dataset}@export.`.length)));
  for (const snapshot of left) await tryZfs(["destroy", snapshot]);
  return left.length > 0;
}

/** Files of a container that runs are there until it ends, as those of any deleted directory are. */
async function setAside(context: ZfsContext, { dataset, name }: Container): Promise<void> {
  log.warn(`In use by ${holderOf(dataset) ?? "a process"}: ${name} goes when that has ended`);
  await ensureParent(context, templatesName);
  await zfs(["rename", dataset, goingDataset(context)]);
}

async function explain(dataset: string, outcome: Awaited<ReturnType<typeof tryZfs>>): Promise<EnrootError> {
  if (complaintOf(outcome.stderr) !== "children" && complaintOf(outcome.stderr) !== "clones")
    return refusal(["destroy"], outcome);
  const { stdout } = await tryZfs(["list", "-H", "-t", "all", "-o", "name", "-d", "1", dataset]);
  const others = stdout.split("\n").filter((line) => line !== "" && line !== dataset);
  const shown = others.slice(0, 3).map((line) => line.slice(dataset.length));
  return new EnrootError("Tool", `Could not remove ${basename(dataset)}: it has ${shown.join(", ")}`, {
    hint: "these are not enroot's: zfs destroy them, and keep snapshot tools away from the store",
  });
}
