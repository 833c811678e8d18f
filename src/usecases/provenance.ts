// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { formatProvenance, formatTemplate, parseProvenance } from "../image/provenance.ts";
import { parseContainerName } from "../store/name.ts";
import { requireStreams } from "./peer.ts";

/** Where a container's image came from, and its template: a line for each thing known. @throws EnrootError NotFound, Unsupported */
export async function tellProvenance(settings: Settings, name: string): Promise<string> {
  const streams = await requireStreams(settings);
  const container = parseContainerName(name);
  const lines = [
    ...formatProvenance(await streams.provenance(container)),
    ...formatTemplate(await streams.templateGuid(container)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** Notes where a container's image came from; what is not of its form is left out. @throws EnrootError */
export async function noteProvenance(
  settings: Settings,
  name: string,
  lines: readonly string[],
): Promise<void> {
  const streams = await requireStreams(settings);
  await streams.describe(parseContainerName(name), parseProvenance(lines));
}
