// SPDX-License-Identifier: Apache-2.0
// Datasets while they are being made, and when they go. One is made under a hidden name with the mark of its maker and
// gets its own name when it is complete, so nobody sees a part of one, and what dead processes have left is known.
import { log } from "../../log.ts";
import { isAbandoned, ownTag } from "../../system/owner.ts";
import { onInterrupt } from "../../system/signals.ts";
import { complaintOf, refusal, tryZfs } from "./command.ts";
import type { ZfsContext } from "./context.ts";
import { removePoint } from "./mounting.ts";
import { templateDataset, templatesName } from "./names.ts";

/** Options of every dataset that is made here: mounted by us alone, and left alone by tools that take snapshots. */
export const quiet = ["-o", "canmount=noauto", "-o", "com.sun:auto-snapshot=false"] as const;

/** Makes a dataset that holds others, unless it is there. @throws EnrootError Tool */
export async function ensureParent(context: ZfsContext, name: string): Promise<void> {
  const args = ["create", "-u", ...quiet, `${context.place.dataset}/${name}`];
  const outcome = await tryZfs(args);
  if (outcome.status !== 0 && complaintOf(outcome.stderr) !== "exists") throw refusal(args, outcome);
}

/** A name that nobody asks for, whose dataset goes with its disposal or with us unless it is kept. */
export interface FreshDataset extends AsyncDisposable {
  /** Its full name; making it is up to the caller. */
  readonly dataset: string;
  /** It has another name now, and stays. */
  keep(): void;
}

/** @param parent name of the dataset that it goes into */
export function freshDataset(context: ZfsContext, parent: string = templatesName): FreshDataset {
  const dataset = `${context.place.dataset}/${parent}/.new.${ownTag()}`;
  let gone: Promise<void> | undefined;
  const discard = (): Promise<void> => {
    gone ??= discardDataset(context, dataset);
    return gone;
  };
  const forget = onInterrupt(discard);
  return {
    dataset,
    keep() {
      gone = Promise.resolve();
      removePoint(context.pathOf(dataset));
    },
    async [Symbol.asyncDispose]() {
      await discard();
      forget();
    },
  };
}

/** Full name for a dataset that is to go as soon as nothing holds it. */
export function goingDataset({ place }: ZfsContext): string {
  return templateDataset(place.dataset, `.old.${ownTag()}`);
}

/** Whether a dataset's last name is the mark of a process that is no more. */
export function isLeftOver(name: string): boolean {
  const tag = /^\.(?:new|old)\.(.+)$/.exec(name)?.[1];
  return tag !== undefined && isAbandoned(tag);
}

/** Gives a dataset its name. Returns false when another has it already. @throws EnrootError Tool */
export async function renameDataset(dataset: string, target: string): Promise<boolean> {
  const args = ["rename", dataset, target];
  const outcome = await tryZfs(args);
  if (complaintOf(outcome.stderr) === "exists") return false;
  if (outcome.status !== 0) throw refusal(args, outcome);
  return true;
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
