// SPDX-License-Identifier: Apache-2.0
// Root file systems for one start: clones that carry the mark of the process that they are for.
import { EnrootError } from "../../errors.ts";
import { tagOf } from "../../system/owner.ts";
import { onInterrupt } from "../../system/signals.ts";
import type { Content, Ephemeral } from "../store.ts";
import { complaintOf, refusal, tryZfs } from "./command.ts";
import { cloneTemplate } from "./containers.ts";
import type { ZfsContext } from "./context.ts";
import { discardDataset } from "./fresh.ts";
import { removePoint } from "./mounting.ts";
import { ephemeralName } from "./names.ts";
import { identify, touchTemplate } from "./templates.ts";

/** Clones a content's template for one start. @param owner the process it is for */
export async function cloneEphemeral(
  context: ZfsContext,
  content: Content,
  owner: number,
): Promise<Ephemeral> {
  const identity = await identify(context, content);
  const id = tagOf(owner);
  const dataset = datasetOf(context, id);
  const path = context.pathOf(dataset);
  const discard = (): Promise<void> => discardDataset(context, dataset);
  const forget = onInterrupt(discard);
  try {
    const touched = touchTemplate(context, identity.key);
    await cloneTemplate(context, identity, { content, dataset }).finally(() => touched);
    await context.mounting.mount(dataset, path);
  } catch (error) {
    await discard();
    throw error;
  } finally {
    forget();
  }
  return { path, id };
}

function datasetOf({ place }: ZfsContext, id: string): string {
  return `${place.dataset}/${ephemeralName}/${id}`;
}

/**
 * Destroys a start's root file system. Its command has ended; other processes of the container may still be there, and
 * are waited for.
 */
export async function releaseEphemeral(context: ZfsContext, id: string): Promise<void> {
  if (!/^[A-Za-z0-9_-]+(\.\d+){4}$/.test(id)) throw new EnrootError("Usage", `Invalid id: ${id}`);
  const dataset = datasetOf(context, id);
  const path = context.pathOf(dataset);
  for (let wait = 10; ; wait = Math.min(wait * 2, 5000)) {
    if (await release(context, dataset, path)) break;
    await Bun.sleep(wait);
  }
  removePoint(path);
}

/** Whether it is gone: not as long as it is in use. */
async function release(context: ZfsContext, dataset: string, path: string): Promise<boolean> {
  try {
    await context.mounting.unmount(dataset, path, null);
  } catch (error) {
    if (/busy/i.test(String(error))) return false;
    throw error;
  }
  const args = ["destroy", dataset];
  const outcome = await tryZfs(args, null);
  const complaint = complaintOf(outcome.stderr);
  if (outcome.status === 0 || complaint === "missing") return true;
  if (complaint === "busy") return false;
  throw refusal(args, outcome);
}
