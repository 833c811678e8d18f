// SPDX-License-Identifier: Apache-2.0
import type { CommandSpec } from "../command.ts";
import { refuse } from "./planned.ts";

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

export const run = refuse("batch");
