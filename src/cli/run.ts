// SPDX-License-Identifier: Apache-2.0
// From the words of the command line to a command's exit status. May import: config, errors, log, the commands.
import { type CommandDef, defineCommand, runCommand } from "citty";
import { prepareDirectories } from "../config/directories.ts";
import { loadSettings } from "../config/settings.ts";
import { log } from "../log.ts";
import type { CommandModule } from "./command.ts";
import { parseArguments } from "./grammar.ts";
import { print } from "./output.ts";
import { internalTable, type Row, table } from "./table.ts";
import { commandUsage, programUsage } from "./usage.ts";

function help(status: number): number {
  print(programUsage(Object.entries(table).map(([name, { summary }]) => [name, summary])));
  return status;
}

function rowOf(name: string): Row | undefined {
  return [table, internalTable].find((rows) => Object.hasOwn(rows, name))?.[name];
}

async function perform({ spec, run }: CommandModule, args: readonly string[]): Promise<number> {
  const parsed = parseArguments(spec, args);
  if (parsed.kind === "help") {
    print(commandUsage(spec));
    return 0;
  }
  if (parsed.kind === "usage") {
    log.error(`enroot ${spec.name}: ${parsed.problem}`);
    print(commandUsage(spec));
    return 1;
  }
  const { options, operands } = parsed;
  const settings = await loadSettings();
  prepareDirectories(settings);
  return run({
    settings,
    flag: (long) => options.has(long),
    value: (long) => options.get(long)?.at(-1),
    values: (long) => options.get(long) ?? [],
    operands,
  });
}

/**
 * Runs one command line.
 * @param args the words after the program's name
 * @returns the exit status
 * @throws whatever the command throws
 */
export async function runEnroot(args: readonly string[]): Promise<number> {
  const name = args[0];
  if (name === undefined) return help(1);
  if (name === "help" || name === "-h" || name === "--help") return help(0);
  if (name === "--version") return runEnroot(["version"]);
  const row = rowOf(name);
  if (!row) {
    log.error(`Unknown command: ${name}`);
    return help(1);
  }
  const module = await row.load();
  let status = 1;
  const command: CommandDef = defineCommand({
    meta: { name, description: row.summary },
    run: async ({ rawArgs }) => {
      status = await perform(module, rawArgs);
    },
  });
  await runCommand(command, { rawArgs: args.slice(1) });
  return status;
}
