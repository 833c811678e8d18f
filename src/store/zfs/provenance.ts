// SPDX-License-Identifier: Apache-2.0
// Where a container's image came from: user properties of its template.
import {
  formatProvenance,
  type Provenance,
  parseProvenance,
  provenanceKeys,
} from "../../image/provenance.ts";
import type { ContainerName } from "../store.ts";
import { zfs } from "./command.ts";
import { containerNamed } from "./containers.ts";
import type { ZfsContext } from "./context.ts";

/** Reads it. @throws EnrootError NotFound */
export async function readProvenance(context: ZfsContext, name: ContainerName): Promise<Provenance> {
  const template = await templateOf(context, name);
  if (template === undefined) return {};
  const names = provenanceKeys.map((key) => `enroot:${key}`).join(",");
  const text = await zfs(["get", "-H", "-o", "property,value", names, template]);
  return parseProvenance(text.split("\n").map((line) => line.replace(/^enroot:([^\t]*)\t/, "$1=")));
}

/** Writes it; what is not said stays. @throws EnrootError NotFound */
export async function writeProvenance(
  context: ZfsContext,
  name: ContainerName,
  provenance: Provenance,
): Promise<void> {
  const values = formatProvenance(provenance).map((line) => `enroot:${line}`);
  const template = await templateOf(context, name);
  if (template !== undefined && values.length > 0) await zfs(["set", ...values, template]);
}

async function templateOf(context: ZfsContext, name: ContainerName): Promise<string | undefined> {
  const dataset = await containerNamed(context, name);
  const origin = (await zfs(["get", "-H", "-o", "value", "origin", dataset])).trim();
  return origin === "-" ? undefined : origin.replace(/@.*$/, "");
}
