// SPDX-License-Identifier: Apache-2.0
// Which templates go, and when. A template with clones is live, and stays: zfs itself refuses to destroy it. Others are
// warm until ENROOT_TEMPLATE_WARM_SECONDS after their last use, then cold. Cold ones go with the next create; warm ones,
// least recently used first, when the quota of the templates is used up to ENROOT_TEMPLATE_PRESSURE_THRESHOLD percent.
// Parts of templates whose transfer was cut off count as templates. What dead processes have left goes as well.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { log } from "../../log.ts";
import { isAbandoned } from "../../system/owner.ts";
import { isPresent } from "../../system/tree.ts";
import { tryZfs } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { discardDataset, isLeftOver } from "./fresh.ts";
import { ephemeralName, layersName, pristine, templatesName } from "./names.ts";
import { listClones } from "./snapshots.ts";

/** A template as `zfs list` has it. */
export interface TemplateRow {
  readonly dataset: string;
  /** Seconds after 1970. */
  readonly lastUsed: number;
  /** Bytes that would be free without it, if it has no clones. */
  readonly used: number;
}

/** What `zfs list` says about the templates. */
export interface TemplateTable {
  readonly templates: readonly TemplateRow[];
  /** Datasets that processes have begun and left. */
  readonly abandoned: readonly string[];
  /** Bytes. */
  readonly used: number;
  /** Bytes; 0: none. */
  readonly quota: number;
}

/** Parses `zfs list -H -p -o name,enroot:last_used,used,quota`. @param parent full name of `.templates` */
export function parseTemplates(text: string, parent: string): TemplateTable {
  const rows = text.split("\n").filter((line) => line !== "");
  const cells = rows.map((line) => line.split("\t"));
  const own = cells.find(([name]) => name === parent);
  const children = cells.filter(([name = ""]) => name.startsWith(`${parent}/`));
  const nameOf = (dataset: string): string => dataset.slice(parent.length + 1);
  return {
    templates: children
      .filter(([dataset = ""]) => /^([0-9a-f]{64}|\.part\.\d+)$/.test(nameOf(dataset)))
      .map(([dataset = "", lastUsed = "", used = ""]) => ({
        dataset,
        lastUsed: /^\d+$/.test(lastUsed) ? Number(lastUsed) : 0,
        used: Number(used) || 0,
      })),
    abandoned: children.map(([dataset = ""]) => dataset).filter((dataset) => isLeftOver(nameOf(dataset))),
    used: Number(own?.[2]) || 0,
    quota: Number(own?.[3]) || 0,
  };
}

/**
 * Destroys templates and left-overs.
 * @param which "due": cold ones, and warm ones under pressure; "all": whatever has no clones
 * @param wanted the key of a template that is about to be cloned
 * @returns whether anything went
 */
export async function reap(context: ZfsContext, which: "due" | "all", wanted?: string): Promise<boolean> {
  const table = await readTemplates(context);
  await sweepEphemeral(context);
  for (const dataset of table.abandoned) await discardDataset(context, dataset);
  const old = table.templates
    .filter(({ dataset }) => wanted === undefined || !dataset.endsWith(`/${wanted}`))
    .toSorted((a, b) => a.lastUsed - b.lastUsed);
  const { templateWarmSeconds, templatePressureThreshold } = context.settings;
  const coldBefore = which === "all" ? Number.POSITIVE_INFINITY : Date.now() / 1000 - templateWarmSeconds;
  const cold = await destroyIdle(old.filter(({ lastUsed }) => lastUsed <= coldBefore));
  const used = table.used - cold.bytes;
  const limit = (table.quota * templatePressureThreshold) / 100;
  const warm =
    table.quota === 0 || used < limit
      ? nothing
      : await destroyIdle(
          old.filter(({ lastUsed }) => lastUsed > coldBefore),
          used - limit,
        );
  const gone = table.abandoned.length + cold.count + warm.count;
  const layers = gone > 0 || which === "all" ? await sweepLayers(context) : 0;
  return gone + layers > 0;
}

async function readTemplates({ place }: ZfsContext): Promise<TemplateTable> {
  const parent = `${place.dataset}/${templatesName}`;
  const columns = "name,enroot:last_used,used,quota";
  const { stdout } = await tryZfs(["list", "-H", "-p", "-t", "filesystem", "-d", "1", "-o", columns, parent]);
  return parseTemplates(stdout, parent);
}

/** What has been destroyed. ZFS frees the space a little later, so it is counted here. */
interface Destroyed {
  readonly count: number;
  readonly bytes: number;
}

const nothing: Destroyed = { count: 0, bytes: 0 };

/** Destroys those that have no clones, in order, until so many bytes are free. */
async function destroyIdle(
  rows: readonly TemplateRow[],
  wanted = Number.POSITIVE_INFINITY,
): Promise<Destroyed> {
  if (rows.length === 0) return nothing;
  const clones = await listClones(rows.map(({ dataset }) => `${dataset}@${pristine}`));
  let gone = nothing;
  for (const { dataset, used } of rows) {
    if (gone.bytes > wanted) break;
    if (clones.get(`${dataset}@${pristine}`)?.length) continue;
    // Whoever clones it meanwhile wins: zfs destroys no snapshot that has clones.
    const { status, stderr } = await tryZfs(["destroy", "-r", dataset]);
    if (status === 0) gone = { count: gone.count + 1, bytes: gone.bytes + used };
    else log.debug(`Kept ${dataset}: ${stderr.trim()}`);
  }
  return gone;
}

/** Layers whose templates are gone: nothing is asked where there are none. */
async function sweepLayers(context: ZfsContext): Promise<number> {
  if (!isPresent(join(context.place.path, layersName))) return 0;
  return (await import("./layers.ts")).collectLayers(context);
}

/** Root file systems of starts whose process is gone: their directories name them, so nothing is asked when there are none. */
async function sweepEphemeral(context: ZfsContext): Promise<void> {
  let names: string[];
  try {
    names = readdirSync(join(context.place.path, ephemeralName));
  } catch {
    return;
  }
  for (const name of names) {
    if (isAbandoned(name)) await discardDataset(context, `${context.place.dataset}/${ephemeralName}/${name}`);
  }
}
