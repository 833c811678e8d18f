// SPDX-License-Identifier: Apache-2.0
import { version } from "../../../package.json";
import type { CommandSpec } from "../command.ts";
import { print } from "../output.ts";

/** What `enroot version` accepts. */
export const spec: CommandSpec = {
  name: "version",
  operands: "",
  description: "Print the version.",
  options: [],
  minOperands: 0,
  maxOperands: 0,
};

/** Prints the version alone. */
export async function run(): Promise<number> {
  print(`${version}\n`);
  return 0;
}
