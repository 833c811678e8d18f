// SPDX-License-Identifier: Apache-2.0
import { listContainers } from "../../usecases/list.ts";
import type { CommandSpec, Invocation } from "../command.ts";
import { print } from "../output.ts";

/** What `enroot list` accepts. */
export const spec: CommandSpec = {
  name: "list",
  operands: "",
  description: "List the containers.",
  options: [{ long: "fancy", short: "f", text: "Show the processes of each container too" }],
  minOperands: 0,
  maxOperands: 0,
};

/** Prints the names, or the table. */
export async function run({ settings, flag }: Invocation): Promise<number> {
  print(await listContainers({ settings, fancy: flag("fancy") }));
  return 0;
}
