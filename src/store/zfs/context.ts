// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { StoreSettings } from "../table.ts";
import { type Mounting, openMounting } from "./mounting.ts";
import { containerOf } from "./names.ts";
import { findPlace, type Place } from "./place.ts";

/** What everything in this store goes by. */
export interface ZfsContext {
  readonly place: Place;
  readonly mounting: Mounting;
  readonly settings: StoreSettings;
  /** Directory of a dataset of the store. */
  pathOf(dataset: string): string;
}

/** Finds the store. @throws EnrootError Usage, Unsupported */
export function openContext(settings: StoreSettings): ZfsContext {
  const place = findPlace(settings.dataPath);
  return {
    place,
    mounting: openMounting(place, settings.helperPath),
    settings,
    pathOf: (dataset) => {
      const container = containerOf(place.dataset, dataset);
      return join(place.path, container ?? dataset.slice(place.dataset.length + 1));
    },
  };
}
