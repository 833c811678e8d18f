// SPDX-License-Identifier: Apache-2.0
// ENROOT_ZFS_LAYER_CHAIN: layers as datasets, each a clone of the one below, and a template a clone of the top one. So
// images that begin with the same layers have those in common. A layer goes when nothing is a clone of it any more.
import { log } from "../../log.ts";
import { takeLock, tryLock } from "../../system/lock.ts";
import type { LayerChain } from "../store.ts";
import { tryZfs, zfs } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { discardDataset, ensureParent, isLeftOver, quiet } from "./fresh.ts";
import { done, layerDataset, layersName, pristine } from "./names.ts";
import { listClones } from "./snapshots.ts";
import { lockPath, publish, snapshotFilled } from "./templates.ts";

/** Shared by all who build on layers; whoever collects them wants it alone. */
const inUse = "layers.lock";

/** Makes a template's dataset on top of its layers. @throws EnrootError */
export async function fillFromLayers(context: ZfsContext, dataset: string, chain: LayerChain): Promise<void> {
  await buildOnLayers(context, dataset, chain);
  // What others have begun, and nobody has gone on with.
  await collectLayers(context);
}

async function buildOnLayers(context: ZfsContext, dataset: string, chain: LayerChain): Promise<void> {
  using _used = await takeLock(lockPath(context, inUse), { shared: true });
  await ensureParent(context, layersName);
  const { place } = context;
  const count = await countThere(context, chain.ids);
  log.debug(`${count} of ${chain.ids.length} layers are in the store`);
  chain.skip(count);
  for (let index = count; index < chain.ids.length; index++) await ensureLayer(context, chain, index);
  const top = chain.ids.at(-1);
  await makeOver(dataset, top === undefined ? undefined : layerDataset(place.dataset, top));
  await snapshotFilled(context, `${dataset}@${pristine}`, chain.complete);
}

/** How many layers are there, from the bottom: none without those below it. */
async function countThere({ place }: ZfsContext, ids: readonly string[]): Promise<number> {
  const snapshots = ids.map((id) => `${layerDataset(place.dataset, id)}@${done}`);
  // Those that are not there make it fail, and it lists the others nevertheless.
  const { stdout } = await tryZfs(["list", "-H", "-t", "snapshot", "-o", "name", ...snapshots]);
  const there = new Set(stdout.split("\n"));
  return snapshots.findLastIndex((snapshot) => there.has(snapshot)) + 1;
}

/** Makes a layer over the one below it, unless somebody has made it meanwhile. */
async function ensureLayer(context: ZfsContext, chain: LayerChain, index: number): Promise<void> {
  const id = chain.ids[index] ?? "";
  const below = index === 0 ? undefined : layerDataset(context.place.dataset, chain.ids[index - 1] ?? "");
  using _lock = await takeLock(lockPath(context, `layer-${id.slice(0, 2)}.lock`));
  if ((await countThere(context, [id])) > 0) return;
  await publish(context, layersName, async (dataset) => {
    await makeOver(dataset, below);
    await snapshotFilled(context, `${dataset}@${done}`, (directory) => chain.apply(index, directory));
    return { name: id, properties: [], result: undefined };
  });
}

/** Makes a dataset: a clone of the layer below, or an empty one. */
async function makeOver(dataset: string, below: string | undefined): Promise<void> {
  if (below === undefined) await zfs(["create", "-u", ...quiet, dataset]);
  else await zfs(["clone", ...quiet, `${below}@${done}`, dataset]);
}

/**
 * Destroys layers that nothing is a clone of, unless somebody is about to make one, and what dead processes have left.
 * @returns how many layers went
 */
export async function collectLayers(context: ZfsContext): Promise<number> {
  const parent = `${context.place.dataset}/${layersName}`;
  using lock = await tryLock(lockPath(context, inUse));
  if (lock === undefined) return 0;
  for (const dataset of await listAbandoned(parent)) await discardDataset(context, dataset);
  const clones = await clonesOfLayers(parent);
  let gone = 0;
  for (let idle = idleOf(clones); idle.length > 0; idle = idleOf(clones)) {
    for (const dataset of idle) {
      clones.delete(dataset);
      // Not there for those below it any more: had it resisted, they would as well.
      for (const above of clones.values()) above.delete(dataset);
      const { status, stderr } = await tryZfs(["destroy", "-r", dataset]);
      if (status === 0) gone++;
      else log.debug(`Kept ${dataset}: ${stderr.trim()}`);
    }
  }
  return gone;
}

async function listAbandoned(parent: string): Promise<string[]> {
  const { stdout } = await tryZfs(["list", "-H", "-t", "filesystem", "-d", "1", "-o", "name", parent]);
  return stdout.split("\n").filter((name) => isLeftOver(name.slice(parent.length + 1)));
}

/** The clones of each layer. */
async function clonesOfLayers(parent: string): Promise<Map<string, Set<string>>> {
  const rows = [...(await listClones(["-d", "2", parent]))];
  const layers = rows.filter(([name]) => name.endsWith(`@${done}`));
  return new Map(layers.map(([name, clones]) => [name.slice(0, -done.length - 1), new Set(clones)]));
}

function idleOf(clones: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...clones].filter(([, above]) => above.size === 0).map(([dataset]) => dataset);
}
