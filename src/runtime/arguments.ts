// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import type { Step } from "./plan.ts";

/**
 * The step of one `-e KEY[=VAL]` of a start; `KEY` alone takes the caller's value, which only the launcher knows for certain.
 * @throws EnrootError Usage when KEY is no variable name or VAL has several lines: the environment is a file of lines
 */
export function environmentStep(option: string): Step {
  const { name, value } = parseVariable(option);
  if (value?.includes("\n")) throw refusal(option, "--env takes KEY or KEY=VALUE, on one line");
  return value === undefined ? ["environ-variable", name] : ["environ-text", option];
}

/**
 * The step of one `-e KEY[=VAL]` of an exec.
 * @throws EnrootError Usage when KEY is no variable name
 */
export function variableStep(option: string): Step {
  const { name, value } = parseVariable(option);
  return value === undefined ? ["variable", name] : ["variable", name, value];
}

function parseVariable(option: string): { name: string; value: string | undefined } {
  const [, name, , value] = /^([A-Za-z_][A-Za-z0-9_]*)(=(.*))?$/s.exec(option) ?? [];
  if (name === undefined) throw refusal(option, "--env takes KEY or KEY=VALUE");
  return { name, value };
}

function refusal(option: string, hint: string): EnrootError {
  return new EnrootError("Usage", `Invalid argument: ${option}`, { hint });
}

/**
 * The step of one `-m FIELD[:FIELD]…`.
 * @throws EnrootError Usage on white space (which is written \040)
 */
export function mountStep(option: string): Step {
  if (!/^\S+$/.test(option)) {
    throw new EnrootError("Usage", `Invalid argument: ${option}`, {
      hint: "--mount takes fstab fields with colons between them; a space is written \\040",
    });
  }
  return ["mounts-text", option.replaceAll(":", " ")];
}
