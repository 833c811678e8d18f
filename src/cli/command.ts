// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";

/** One option of a command. */
export interface OptionSpec {
  readonly long: string;
  readonly short?: string;
  /** Name of the value in the usage; absent for a switch. */
  readonly value?: string;
  readonly text: string;
}

/** A command as its usage shows it and its grammar accepts it. */
export interface CommandSpec {
  readonly name: string;
  /** Operands in the usage line, e.g. `NAME|IMAGE [COMMAND] [ARG...]`. */
  readonly operands: string;
  readonly description: string;
  readonly options: readonly OptionSpec[];
  readonly minOperands: number;
  readonly maxOperands: number;
  /** Long name of a switch that takes the place of the operands. */
  readonly instead?: string;
  /** Further parts of the usage: a title and its lines. */
  readonly sections?: readonly UsageSection[];
}

/** A part of a usage. */
export interface UsageSection {
  readonly title: string;
  readonly lines: readonly string[];
}

/** A command line that fits its grammar. */
export interface Invocation {
  readonly settings: Settings;
  /** Whether a switch was given. */
  flag(long: string): boolean;
  /** The last value given for an option. */
  value(long: string): string | undefined;
  /** All values given for an option, in order. */
  values(long: string): readonly string[];
  readonly operands: readonly string[];
}

/** A command's module: what it accepts, and what it does. `run` resolves with the exit status. */
export interface CommandModule {
  readonly spec: CommandSpec;
  run(invocation: Invocation): Promise<number>;
}
