// SPDX-License-Identifier: Apache-2.0
// Image configurations: of registries (OCI, lower case), and as daemons' inspect prints them (upper case).
import { z } from "zod";
import { EnrootError } from "../errors.ts";
import { type DiffId, isDigest } from "./digest.ts";

/** What enroot reads of an image configuration, every field present and of one shape. */
export interface ImageConfig {
  /** Debian or OCI name (`amd64`, `arm64`); empty when the image does not say. */
  readonly architecture: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Absolute path; `/` when none is set. */
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly DiffId[];
  /** RFC 3339 time at which the image was made, if it says. */
  readonly created: string | undefined;
}

/** Largest configuration that is read, in bytes. */
export const configLimit = 8 << 20;

const words = z.union([z.array(z.string()), z.string().transform((text) => [text])]).nullish();
const schema = z.object({
  architecture: z.string().nullish(),
  os: z.string().nullish(),
  created: z.string().nullish(),
  config: z
    .object({
      Env: z.array(z.string()).nullish(),
      Entrypoint: words,
      Cmd: words,
      WorkingDir: z.string().nullish(),
      Volumes: z.record(z.string(), z.unknown()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string().refine(isDigest)).nullish() }).nullish(),
});

/**
 * Parses the configuration of an image.
 * @throws EnrootError Corrupt when it is none, Unsupported for another system than Linux
 */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const parsed = schema.safeParse(parseJson(bytes, what));
  if (!parsed.success)
    throw new EnrootError("Corrupt", `Invalid image configuration: ${what}`, { cause: parsed.error });
  const { architecture, os, config, rootfs, created } = parsed.data;
  if (os && os !== "linux")
    throw new EnrootError("Unsupported", `Image is for ${os}, not for Linux: ${what}`);
  return {
    architecture: architecture ?? "",
    env: config?.Env ?? [],
    entrypoint: config?.Entrypoint ?? [],
    cmd: config?.Cmd ?? [],
    workingDir: config?.WorkingDir || "/",
    volumes: Object.keys(config?.Volumes ?? {}),
    labels: new Map(Object.entries(config?.Labels ?? {})),
    diffIds: rootfs?.diff_ids ?? [],
    created: created ?? undefined,
  };
}

/** Compares an image's layers with its configuration. @throws EnrootError Corrupt when they are not as many */
export function checkLayers(count: number, diffIds: readonly DiffId[], what: string): void {
  if (count === diffIds.length) return;
  throw new EnrootError("Corrupt", `Image has ${count} layers but ${diffIds.length} layer digests: ${what}`);
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new EnrootError("Corrupt", `Invalid image configuration: ${what}`, { cause });
  }
}
