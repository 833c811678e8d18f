// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";

/**
 * The environment line of one `-e KEY[=VAL]`; `KEY` alone takes the caller's value.
 * A value ends at its first newline: the container's environment file has one variable a line.
 * @throws EnrootError Usage when KEY is no variable name
 */
export function environmentLine(option: string, caller: ReadonlyMap<string, string>): string {
  const form = /^([A-Za-z_][A-Za-z0-9_]*)(?:=([\s\S]*))?$/.exec(option);
  const name = form?.[1];
  if (name === undefined)
    throw new EnrootError("Usage", `Invalid argument: ${option} (KEY or KEY=VALUE is needed)`);
  const value = form?.[2] ?? caller.get(name) ?? "";
  return `${name}=${value.split("\n", 1)[0] ?? ""}`;
}

/**
 * The fstab line of one `-m FIELD[:FIELD]…`.
 * @throws EnrootError Usage on an empty field or white space (which is written \040)
 */
export function mountLine(option: string): string {
  if (!/^[^\s:]+(:[^\s:]+)*$/.test(option)) {
    throw new EnrootError("Usage", `Invalid argument: ${option}`, {
      hint: "fstab fields between colons; a space is written \\040",
    });
  }
  return option.replaceAll(":", " ");
}
