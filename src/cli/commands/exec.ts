// SPDX-License-Identifier: Apache-2.0
import type { CommandSpec } from "../command.ts";
import { refuse } from "./planned.ts";

/** What `enroot exec` accepts. */
export const spec: CommandSpec = {
  name: "exec",
  operands: "PID COMMAND [ARG...]",
  description: "Run a command in the running container that a process belongs to.",
  options: [
    {
      long: "env",
      short: "e",
      value: "KEY[=VAL]",
      text: "Set a variable for the command (KEY alone: as it is here)",
    },
  ],
  minOperands: 2,
  maxOperands: Number.POSITIVE_INFINITY,
};

export const run = refuse("exec");
