// SPDX-License-Identifier: Apache-2.0
import { realpathSync } from "node:fs";
import { type Mount, readMounts } from "../../system/mounts.ts";
import type { RootMount } from "../store.ts";

/** Name below `data` of what is mounted as some process' root; undefined when that is not below it. */
export function nameBelow(data: string, { device, root }: RootMount): string | undefined {
  const place = locate(data);
  if (place?.device !== device || !root.startsWith(place.prefix)) return undefined;
  return root.slice(place.prefix.length);
}

/** Where the store's directory is inside its file system: device and path, as mountinfo's root field would have it. */
function locate(data: string): { device: string; prefix: string } | undefined {
  const path = realpathSync(data);
  const holds = ({ point }: Mount): boolean =>
    point === "/" || path === point || path.startsWith(`${point}/`);
  const mount = readMounts("self")
    .filter(holds)
    .reduce<Mount | undefined>(
      (best, next) => (best && best.point.length > next.point.length ? best : next),
      undefined,
    );
  if (!mount) return undefined;
  const below = mount.point === "/" ? path : path.slice(mount.point.length);
  return { device: mount.device, prefix: `${mount.root}/${below}/`.replace(/\/{2,}/g, "/") };
}
