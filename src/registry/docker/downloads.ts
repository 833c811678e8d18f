// SPDX-License-Identifier: Apache-2.0
// Fetching many blobs at once: a limit on connections, several attempts each, and a count of what has come.
import type { Settings } from "../../config/settings.ts";
import { EnrootError } from "../../errors.ts";
import type { Digest } from "../../image/digest.ts";
import type { LayerDescriptor } from "../../image/image-source.ts";
import { log } from "../../log.ts";
import { backoff, pause } from "../../system/retry.ts";
import type { Progress } from "../source.ts";
import type { BlobCache } from "./blob-cache.ts";
import { fetchBlob, type Repository } from "./client.ts";

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
  start(layers: readonly LayerDescriptor[]): Promise<readonly Promise<string>[]>;
}

/** Attempts at one blob beyond ENROOT_TRANSFER_RETRIES: what has come already is not fetched again, so one is cheap. */
const extraAttempts = 2;

/** Prepares downloads. */
export function openDownloads(options: DownloadOptions): Downloads {
  const { cache, settings } = options;
  const limit = openLimit(settings.maxConnections || Number.POSITIVE_INFINITY);
  return {
    obtain: (blob) => attempts(options, blob, () => undefined),
    start: async (layers) => {
      const unique = new Map(layers.map((layer) => [layer.digest, layer]));
      const missing = [...unique.values()].filter((layer) => !cache.has(layer));
      if (missing.length > 0) log.info(`Downloading ${missing.length} missing layers...`);
      else log.info("Found all layers in cache");
      const counter = openCounter(missing, options.onProgress);
      // The top comes first, because that is where unpacking begins.
      const paths = new Map<Digest, Promise<string>>();
      for (const layer of [...unique.values()].reverse()) {
        const path = limit(() => attempts(options, layer, counter.onBytes(layer)));
        path.then(counter.onLayer, () => undefined);
        paths.set(layer.digest, path);
      }
      return layers.map(({ digest }) => paths.get(digest) ?? Promise.reject(new RangeError(digest)));
    },
  };
}

async function attempts(
  { repository, cache, settings, signal }: DownloadOptions,
  blob: LayerDescriptor,
  onBytes: (total: number) => void,
): Promise<string> {
  const { digest } = blob;
  for (let count = 0; ; count++) {
    let received = 0;
    try {
      return await cache.obtain(
        blob,
        (offset) => fetchBlob(repository, { digest, offset }),
        (bytes) => {
          received += bytes;
          onBytes(received);
        },
      );
    } catch (error) {
      const hopeless =
        !(error instanceof EnrootError) || error.kind !== "Registry" || error.hint !== undefined;
      if (hopeless || signal.aborted || count >= settings.transferRetries + extraAttempts) throw error;
      log.debug(`trying again: ${error.message}`);
    }
    await pause(backoff(count) / 4, signal);
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

interface Counter {
  onBytes(layer: LayerDescriptor): (total: number) => void;
  onLayer(): void;
}

function openCounter(
  missing: readonly LayerDescriptor[],
  report: ((progress: Progress) => void) | undefined,
): Counter {
  const received = new Map<Digest, number>(missing.map(({ digest }) => [digest, 0]));
  const bytesTotal = missing.reduce((sum, { size }) => sum + size, 0);
  let layersDone = 0;
  const tell = (): void => {
    const bytesDone = [...received.values()].reduce((sum, bytes) => sum + bytes, 0);
    report?.({
      bytesDone,
      bytesTotal,
      layersDone: Math.min(layersDone, missing.length),
      layersTotal: missing.length,
    });
  };
  return {
    onBytes:
      ({ digest }) =>
      (total) => {
        if (!received.has(digest)) return;
        received.set(digest, total);
        tell();
      },
    onLayer: () => {
      layersDone++;
      tell();
    },
  };
}
