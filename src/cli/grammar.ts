// SPDX-License-Identifier: Apache-2.0
// Options stop at the first operand or `--`: what follows belongs to the container's command, untouched.
import type { CommandSpec, OptionSpec } from "./command.ts";

/** What became of a command line. */
export type Parsed =
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly problem: string }
  | {
      readonly kind: "command";
      readonly options: ReadonlyMap<string, readonly string[]>;
      readonly operands: readonly string[];
    };

/** Parses the arguments after the command's name. */
export function parseArguments(spec: CommandSpec, args: readonly string[]): Parsed {
  const options = new Map<string, string[]>();
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      at++;
      break;
    }
    if (!/^-./.test(arg)) break;
    if (arg === "-h" || arg === "--help") return { kind: "help" };
    const { option, attached } = findOption(spec, arg);
    if (!option) return { kind: "usage", problem: `unknown option ${arg}` };
    const value = option.value === undefined ? "" : (attached ?? args[++at]);
    if (option.value !== undefined && !value) {
      const name = attached === undefined ? arg : `--${option.long}`;
      return { kind: "usage", problem: `${name} needs a value` };
    }
    if (option.value === undefined && attached !== undefined) {
      return { kind: "usage", problem: `--${option.long} takes no value` };
    }
    const given = options.get(option.long) ?? [];
    given.push(value ?? "");
    options.set(option.long, given);
  }
  const operands = args.slice(at);
  const least = spec.instead !== undefined && options.has(spec.instead) ? 0 : spec.minOperands;
  if (operands.length < least) return { kind: "usage", problem: "missing operand" };
  if (operands.length > spec.maxOperands) return { kind: "usage", problem: `too many operands` };
  return { kind: "command", options, operands };
}

function findOption(spec: CommandSpec, arg: string): { option: OptionSpec | undefined; attached?: string } {
  if (!arg.startsWith("--")) return { option: spec.options.find(({ short }) => arg === `-${short}`) };
  const equals = arg.indexOf("=");
  const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
  const option = spec.options.find(({ long }) => long === name);
  return equals < 0 ? { option } : { option, attached: arg.slice(equals + 1) };
}
