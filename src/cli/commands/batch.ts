// SPDX-License-Identifier: Apache-2.0
import { startContainer } from "../../usecases/start.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot batch` accepts. */
export const spec: CommandSpec = {
  name: "batch",
  operands: "CONFIG [COMMAND] [ARG...]",
  description: `Start the container that a configuration script names: "enroot start -c CONFIG" with the
root file system of its line "#ENROOT_ROOTFS=NAME|IMAGE". Serves as the interpreter of such scripts.`,
  options: [],
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
};

/** Writes the start plan that the launcher carries out. */
export async function run(invocation: Invocation): Promise<number> {
  const [config, ...command] = invocation.operands;
  await startContainer({
    settings: invocation.settings,
    target: undefined,
    command,
    config,
    rc: undefined,
    mounts: [],
    environment: [],
    switches: new Set(),
  });
  return 0;
}
