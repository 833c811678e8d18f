// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { askYesNo } from "../system/terminal.ts";

/** What `enroot remove` is asked for. */
export interface RemoveRequest {
  readonly settings: Settings;
  readonly names: readonly string[];
  readonly force: boolean;
}

/**
 * Deletes containers one after the other, asking for each unless forced.
 * @throws EnrootError at the first that cannot be deleted; all names are checked before anything is
 */
export async function removeContainers({ settings, names, force }: RemoveRequest): Promise<void> {
  const containers = names.map(parseContainerName);
  const store = await openStore(settings);
  for (const name of containers) {
    const rootfs = await store.rootfs(name);
    if (force || confirmed(rootfs)) await store.remove(name);
  }
}

function confirmed(rootfs: string): boolean {
  const answer = askYesNo(`Delete ${rootfs} and everything in it?`);
  if (answer !== undefined) return answer;
  throw new EnrootError("Usage", `Not deleted, since nobody answered: ${rootfs}`, {
    hint: "--force deletes without asking",
  });
}
