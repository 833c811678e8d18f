// SPDX-License-Identifier: Apache-2.0
// Where a template came from, as lines `KEY=VALUE`: what one enroot tells another. Nothing else is believed of it.
const forms: Readonly<Record<keyof Provenance, RegExp>> = {
  imported: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  uri: /^(docker|dockerd|podman):\/\/[\x21-\x7e]{1,600}$/,
  "manifest-digest": /^sha256:[0-9a-f]{64}$/,
  arch: /^[a-z0-9_-]{1,32}$/,
};

/** What a template says of itself. Keys are those of its ZFS properties, less `enroot:`. */
export interface Provenance {
  readonly imported?: string;
  readonly uri?: string;
  readonly "manifest-digest"?: string;
  readonly arch?: string;
}

/** Names of what there is to say. */
export const provenanceKeys = ["imported", "uri", "manifest-digest", "arch"] as const;

/** Reads lines; whatever is not of its form is left out. */
export function parseProvenance(lines: readonly string[]): Provenance {
  const pairs = lines.map((line) => /^([^=]*)=(.*)$/.exec(line)?.slice(1) ?? []);
  const good = provenanceKeys.flatMap((key) => {
    const value = pairs.find(([name]) => name === key)?.[1];
    return value !== undefined && forms[key].test(value) ? [[key, value] as const] : [];
  });
  return Object.fromEntries(good);
}

/** The lines. */
export function formatProvenance(provenance: Provenance): string[] {
  return provenanceKeys.flatMap((key) => {
    const value = provenance[key];
    return value === undefined ? [] : [`${key}=${value}`];
  });
}
