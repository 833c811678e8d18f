// SPDX-License-Identifier: Apache-2.0
// Pointer files: what import makes on the ZFS store, where the image itself is a template. Lines `KEY=VALUE` after the
// first; bash enroot's ZFS fork has the same format (enroot-zfs-image:v1). Parsed without a library, because a create
// that finds its template reads nothing else.
import { EnrootError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import { pointerMagic } from "./kind.ts";

/** What a pointer file says. */
export interface Pointer {
  /** Digest of the image's configuration, 64 hexadecimal digits: the template's key. */
  readonly key: string;
  /** None for images of a daemon. */
  readonly manifestDigest: Digest | undefined;
  /** OCI name. */
  readonly arch: string;
  /** Where to get the image again, without a user's name. */
  readonly uri: string;
  /** RFC 3339, UTC. */
  readonly imported: string;
}

/** Largest pointer file, in bytes. */
export const pointerLimit = 1024;

/** What each value must look like. */
const forms: Readonly<Record<string, RegExp>> = {
  "image-config-sha256": /^[0-9a-f]{64}$/,
  "manifest-digest": /^sha256:[0-9a-f]{64}$/,
  arch: /^[a-z0-9_-]{1,32}$/,
  uri: /^(docker|dockerd|podman):\/\/[\x21-\x7e]{1,600}$/,
  imported: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
};

/**
 * Parses a pointer file.
 * @param what its name, for messages
 * @throws EnrootError Corrupt
 */
export function parsePointer(text: string, what: string): Pointer {
  const refuse = (why: string): EnrootError =>
    new EnrootError("Corrupt", `Invalid pointer file: ${what}: ${why}`, {
      hint: "delete it and import again",
    });
  if (!text.startsWith(pointerMagic)) throw refuse("it does not begin as one");
  if (Buffer.byteLength(text) > pointerLimit) throw refuse("it is too large");
  const values = new Map<string, string>();
  for (const line of text.slice(pointerMagic.length).split("\n")) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/.exec(line) ?? [];
    // Later versions may say more.
    if (!Object.hasOwn(forms, key)) continue;
    if (!forms[key]?.test(value)) throw refuse(`${key} is not what it should be`);
    if (values.has(key)) throw refuse(`${key} is there twice`);
    values.set(key, value);
  }
  const get = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) throw refuse(`${key} is missing`);
    return value;
  };
  const digest = values.get("manifest-digest");
  return {
    key: get("image-config-sha256"),
    manifestDigest: digest !== undefined && isDigest(digest) ? digest : undefined,
    arch: get("arch"),
    uri: get("uri"),
    imported: get("imported"),
  };
}

/** The text of a pointer file. @throws EnrootError Unsupported when something cannot be written down in one */
export function formatPointer({ key, manifestDigest, arch, uri, imported }: Pointer): string {
  const lines = [
    `image-config-sha256=${key}`,
    ...(manifestDigest === undefined ? [] : [`manifest-digest=${manifestDigest}`]),
    `arch=${arch}`,
    `uri=${uri}`,
    `imported=${imported}`,
  ];
  const text = `${pointerMagic}${lines.join("\n")}\n`;
  try {
    parsePointer(text, uri);
  } catch (cause) {
    throw new EnrootError("Unsupported", `No pointer file can name this image: ${uri}`, {
      hint: "use --format squashfs",
      cause,
    });
  }
  return text;
}
