// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import type { Settings } from "./settings.ts";

/**
 * Makes the cache, data and runtime directories for the caller alone, as far as that is possible: hooks rely on all
 * three. A command that cannot do without one of them says so itself: `list` works where there is no /run/enroot.
 */
export function prepareDirectories({ cachePath, dataPath, runtimePath }: Settings): void {
  for (const path of [cachePath, dataPath, runtimePath]) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch {
      // Whoever needs it names the setting that moves it.
    }
  }
}
