// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { EnrootError } from "../errors.ts";

declare const brand: unique symbol;

/** `sha256:` and 64 lower-case hex digits: the name of some exact bytes. */
export type Digest = string & { readonly [brand]: "Digest" };

/** `sha256:…` of a layer's uncompressed tar stream, as the image config lists it. */
export type DiffId = Digest;

const form = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` is a well-formed sha256 digest. */
export function isDigest(text: string): text is Digest {
  return form.test(text);
}

/**
 * Parses a digest.
 * @throws EnrootError Corrupt when `text` is not `sha256:` and 64 lower-case hex digits
 */
export function parseDigest(text: string, what = "digest"): Digest {
  if (isDigest(text)) return text;
  throw new EnrootError("Corrupt", `Invalid ${what}: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: "only sha256 digests are supported",
  });
}

/** The digest that some bytes have. */
export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
}

/** The 64 hex digits of a digest: the name of its file in the blob cache. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}
