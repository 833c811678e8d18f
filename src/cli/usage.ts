// SPDX-License-Identifier: Apache-2.0
import type { CommandSpec, OptionSpec } from "./command.ts";

function optionSyntax({ short, long, value }: OptionSpec): string {
  return `${short ? `-${short}, ` : "    "}--${long}${value ? ` ${value}` : ""}`;
}

function optionLines(options: readonly OptionSpec[]): string[] {
  const help: OptionSpec = { short: "h", long: "help", text: "Show this text" };
  const all = [...options, help];
  const width = Math.max(...all.map((option) => optionSyntax(option).length));
  return all.map((option) => `  ${optionSyntax(option).padEnd(width)}  ${option.text}`);
}

/** The usage text of one command, ending in a newline. */
export function commandUsage(spec: CommandSpec): string {
  const operands = spec.operands ? ` [--] ${spec.operands}` : "";
  const lines = [`Usage: enroot ${spec.name} [options]${operands}`, "", spec.description];
  for (const { title, lines: body } of spec.sections ?? []) {
    lines.push("", `${title}:`, ...body.map((line) => `  ${line}`));
  }
  lines.push("", "Options:", ...optionLines(spec.options));
  return `${lines.join("\n")}\n`;
}

/** The usage text of the whole program: one line a command. */
export function programUsage(commands: readonly (readonly [string, string])[]): string {
  const width = Math.max(...commands.map(([name]) => name.length));
  const lines = commands.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: enroot COMMAND [options] [--] [ARG...]

Turn container images into unprivileged sandboxes, and run commands in them.

Commands:
${lines.join("\n")}

"enroot COMMAND --help" tells more.
`;
}
