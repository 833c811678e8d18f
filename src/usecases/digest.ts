// SPDX-License-Identifier: Apache-2.0
import { machine } from "node:os";
import type { Settings } from "../config/settings.ts";
import { parseArchitecture } from "../image/architecture.ts";
import type { Digest } from "../image/digest.ts";
import { resolveDigest } from "../registry/source.ts";
import { abortSignal } from "../system/signals.ts";

/** What `enroot digest` is asked for. */
export interface DigestRequest {
  readonly settings: Settings;
  readonly uri: string;
  readonly arch: string | undefined;
}

/** Digest of the manifest chosen for the architecture (default: this machine's). @throws EnrootError */
export async function findDigest({ settings, uri, arch }: DigestRequest): Promise<Digest> {
  return resolveDigest({ settings, uri, arch: parseArchitecture(arch ?? machine()), signal: abortSignal() });
}
