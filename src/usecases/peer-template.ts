// SPDX-License-Identifier: Apache-2.0
// The other side of a transfer: what another machine's enroot asks this one about a template, and what it gives and takes.
import { EnrootError } from "../errors.ts";
import { parseContainerName } from "../store/name.ts";
import type { HeldTemplate, Streams } from "../store/store.ts";
import { standardInput } from "../system/standard-input.ts";

/** What is here of a template: `all`, `part TOKEN` or `none`. */
export async function tellHeld(streams: Streams, guid: string): Promise<string> {
  const held = await streams.held(parseGuid(guid));
  if (held === undefined) return "none\n";
  return held.kind === "all" ? "all\n" : `part ${held.token}\n`;
}

/** Reads what `tellHeld` says. */
export function parseHeld(text: string): HeldTemplate | undefined {
  if (text.trim() === "all") return { kind: "all" };
  const token = /^part (\S+)$/m.exec(text)?.[1];
  return token === undefined ? undefined : { kind: "part", token };
}

/** Writes a container's template to the standard output. @param token where to go on @throws EnrootError */
export async function sendTemplate(streams: Streams, name: string, token: string | undefined): Promise<void> {
  await streams.send(parseContainerName(name), { kind: "template", token }, 1);
}

/** Writes to the standard output what a container has changed of its template. @throws EnrootError */
export async function sendChanges(streams: Streams, name: string, guid: string): Promise<void> {
  await streams.send(parseContainerName(name), { kind: "changes", guid: parseGuid(guid) }, 1);
}

/** Makes a template of the standard input. @throws EnrootError */
export async function receiveTemplate(streams: Streams): Promise<void> {
  await streams.receiveTemplate(standardInput());
}

function parseGuid(text: string): string {
  if (/^[1-9]\d{0,19}$/.test(text)) return text;
  throw new EnrootError("Usage", `Invalid guid of a snapshot: ${text}`);
}
