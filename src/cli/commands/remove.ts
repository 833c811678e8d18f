// SPDX-License-Identifier: Apache-2.0
import { removeContainers } from "../../usecases/remove.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot remove` accepts. */
export const spec: CommandSpec = {
  name: "remove",
  operands: "NAME...",
  description: "Delete containers and all that is in them.",
  options: [{ long: "force", short: "f", text: "Do not ask" }],
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
};

/** Deletes the containers named, asking for each unless forced. */
export async function run({ settings, flag, operands }: Invocation): Promise<number> {
  await removeContainers({ settings, names: operands, force: flag("force") || settings.forceOverride });
  return 0;
}
