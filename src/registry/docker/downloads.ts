// SPDX-License-Identifier: Apache-2.0
// Fetching many blobs at once: a limit on connections, several attempts each, and the first failure ends them all.
import type { Settings } from "../../config/settings.ts";
import { EnrootError } from "../../errors.ts";
import type { Digest } from "../../image/digest.ts";
import type { LayerDescriptor } from "../../image/image-source.ts";
import { log } from "../../log.ts";
import { backoff, pause } from "../../system/retry.ts";
import type { Progress } from "../source.ts";
import type { BlobCache } from "./blob-cache.ts";
import { fetchBlob, type Repository } from "./client.ts";
import { openCounter } from "./download-counter.ts";

/** What downloads need. */
export interface DownloadOptions {
  readonly repository: Repository;
  readonly cache: BlobCache;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** The downloads of one image. */
export interface Downloads {
  /** Path of one blob, fetched now unless it is cached. */
  obtain(blob: LayerDescriptor): Promise<string>;
  /** Begins to fetch all layers; the promises are theirs, in order. */
  start(layers: readonly LayerDescriptor[]): readonly Promise<string>[];
  /** Resolves when none is under way any more. */
  settled(): Promise<void>;
}

/** Attempts at one blob in a row that bring it no further. What has come is not fetched again, so one is cheap. */
const fruitlessAttempts = 3;
/** Bytes by which a blob must have grown for an attempt to have been of use. */
const progress = 1 << 20;

/** Prepares downloads. */
export function openDownloads(options: DownloadOptions): Downloads {
  const { cache, settings } = options;
  const limit = openLimit(settings.maxConnections || Number.POSITIVE_INFINITY);
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const running = new Map<Digest, Promise<string>>();
  return {
    obtain: (blob) => attempts(options, blob, () => undefined),
    start: (layers) => {
      const unique = new Map(layers.map((layer) => [layer.digest, layer]));
      const missing = [...unique.values()].filter((layer) => !cache.has(layer));
      if (missing.length > 0) log.info(`Downloading ${missing.length} missing layers...`);
      else log.info("Found all layers in cache");
      const counter = openCounter(missing, options.onProgress);
      // The top comes first, because that is where unpacking begins.
      for (const layer of [...unique.values()].reverse()) {
        const path = limit(() => attempts(options, layer, counter.onBytes(layer)));
        path.then(() => counter.onLayer(layer), fail);
        running.set(layer.digest, path);
      }
      // Whoever waits for the first layer wants to know at once that the last one cannot be had.
      return layers.map(({ digest }) => quiet(Promise.race([failed, running.get(digest) ?? failed])));
    },
    settled: async () => void (await Promise.allSettled(running.values())),
  };
}

/** Nobody may be waiting for a layer when it fails. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

async function attempts(
  { repository, cache, signal }: DownloadOptions,
  blob: LayerDescriptor,
  onBytes: (total: number) => void,
): Promise<string> {
  const { digest } = blob;
  let furthest = 0;
  for (let count = 1; ; count++) {
    let received = 0;
    const add = (bytes: number): void => {
      received += bytes;
      onBytes(received);
    };
    try {
      signal.throwIfAborted();
      return await cache.obtain(blob, (offset) => fetchBlob(repository, { digest, offset }), add);
    } catch (error) {
      if (received >= furthest + progress) count = 1;
      furthest = Math.max(furthest, received);
      const hopeless =
        !(error instanceof EnrootError) || error.kind !== "Registry" || error.hint !== undefined;
      if (hopeless || signal.aborted || count >= fruitlessAttempts) throw error;
      log.debug(`trying again: ${error.message}`);
    }
    await pause(backoff(count - 1) / 4, signal);
  }
}

/** Runs at most `count` tasks at once, in the order in which they come. */
function openLimit(count: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= count) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await task();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
