// SPDX-License-Identifier: Apache-2.0
import type { Digest } from "../../image/digest.ts";
import type { LayerDescriptor } from "../../image/image-source.ts";
import type { Progress } from "../source.ts";

/** Counts what has come of the layers that were missing. */
export interface Counter {
  /** Takes how much of a layer is there. */
  onBytes(layer: LayerDescriptor): (total: number) => void;
  /** Takes that a layer is complete. */
  onLayer(layer: LayerDescriptor): void;
}

/** Makes a counter that reports after every change. */
export function openCounter(
  missing: readonly LayerDescriptor[],
  report: ((progress: Progress) => void) | undefined,
): Counter {
  const received = new Map<Digest, number>(missing.map(({ digest }) => [digest, 0]));
  const complete = new Set<Digest>();
  const bytesTotal = missing.reduce((sum, { size }) => sum + size, 0);
  let bytesDone = 0;
  const set = (digest: Digest, total: number): void => {
    const before = received.get(digest);
    // A layer of the cache counts only once it turns out to be damaged, and then it is too late.
    if (before === undefined) return;
    received.set(digest, total);
    bytesDone += total - before;
    report?.({ bytesDone, bytesTotal, layersDone: complete.size, layersTotal: missing.length });
  };
  return {
    onBytes:
      ({ digest }) =>
      (total) =>
        set(digest, total),
    onLayer: ({ digest, size }) => {
      if (received.has(digest)) complete.add(digest);
      set(digest, size);
    },
  };
}
