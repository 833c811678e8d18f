// SPDX-License-Identifier: Apache-2.0
// zfs://[USER@]HOST[/NAME]: a container in the ZFS store of another machine.
import { EnrootError } from "../errors.ts";

/** What the URI says. */
export interface PeerUri {
  readonly user: string | undefined;
  /** A name or an address, which nobody can take for an option. */
  readonly host: string;
  /** Undefined: none was given. */
  readonly name: string | undefined;
}

const form = /^zfs:\/\/(?:(\w[\w.-]*)@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?:\/(.*))?$/;

/** Whether a text means to be such a URI. */
export function isPeerUri(text: string): boolean {
  return text.startsWith("zfs:");
}

/** Parses the URI. @throws EnrootError Usage */
export function parsePeerUri(uri: string): PeerUri {
  const found = form.exec(uri);
  if (found === null) {
    throw new EnrootError("Usage", `Invalid URI: ${uri}`, { hint: "zfs://[USER@]HOST/NAME is needed" });
  }
  const [, user, host = "", name] = found;
  return { user, host: host.replace(/^\[|\]$/g, ""), name: name || undefined };
}
