// SPDX-License-Identifier: Apache-2.0
import { executeInContainer } from "../../usecases/exec.ts";
import type { CommandSpec, Invocation } from "../command.ts";

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

/** Writes the plan that the launcher carries out. */
export async function run(invocation: Invocation): Promise<number> {
  const [pid = "", ...command] = invocation.operands;
  executeInContainer({ pid, command, environment: invocation.values("env") });
  return 0;
}
