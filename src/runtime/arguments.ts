// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import type { Step } from "./plan.ts";

/**
 * The step of one `-e KEY[=VAL]`; `KEY` alone takes the caller's value, which only the launcher knows for certain.
 * @throws EnrootError Usage when KEY is no variable name or VAL has several lines: the environment is a file of lines
 */
export function environmentStep(option: string): Step {
  const [, name, assignment] = /^([A-Za-z_][A-Za-z0-9_]*)(=[^\n]*)?$/.exec(option) ?? [];
  if (name === undefined) {
    throw new EnrootError("Usage", `Invalid argument: ${option}`, {
      hint: "--env takes KEY or KEY=VALUE, on one line",
    });
  }
  return assignment === undefined ? ["environ-variable", name] : ["environ-text", option];
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
