// SPDX-License-Identifier: Apache-2.0
// Which snapshots have clones.
import { tryZfs } from "./command.ts";

/**
 * The clones of snapshots, by the snapshots' names. What is not there is left out.
 * @param which arguments of `zfs list` that choose the snapshots
 */
export async function listClones(which: readonly string[]): Promise<Map<string, string[]>> {
  const { stdout } = await tryZfs(["list", "-H", "-t", "snapshot", "-o", "name,clones", ...which]);
  const rows = stdout.split("\n").map((line) => line.split("\t"));
  return new Map(
    rows.map(([name = "", clones = ""]) => [
      name,
      clones.split(",").filter((clone) => clone !== "" && clone !== "-"),
    ]),
  );
}
