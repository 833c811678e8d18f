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

/**
 * The line that says which template a container is a clone of.
 * @param guid of the template's snapshot, in decimal (zfsprops(7))
 */
export function formatTemplate(guid: string | undefined): string[] {
  return guid === undefined ? [] : [`template=${guid}`];
}

/** The template that lines name, if they do. */
export function parseTemplate(lines: readonly string[]): string | undefined {
  return lines.flatMap((line) => /^template=(\d{1,20})$/.exec(line)?.[1] ?? [])[0];
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
