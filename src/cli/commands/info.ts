// SPDX-License-Identifier: Apache-2.0
import { version } from "../../../package.json";
import type { CommandSpec, Invocation } from "../command.ts";
import { print } from "../output.ts";

/** What `enroot info` accepts. */
export const spec: CommandSpec = {
  name: "info",
  operands: "",
  description: "Show the version, the configuration file and all settings in force.",
  options: [],
  minOperands: 0,
  maxOperands: 0,
};

/** Prints the configuration. */
export async function run({ settings }: Invocation): Promise<number> {
  const lines = [...settings.exported].map(([name, value]) => `  ${name}=${value}`);
  print(
    `Enroot version: ${version}\nConfig file: ${settings.configFile}\n\nEnvironment variables:\n${lines.join("\n")}\n`,
  );
  return 0;
}
