// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";
import { isConfigurable } from "./keys.ts";

/** One setting as a file has it, before expansion. */
export interface Entry {
  readonly name: string;
  readonly value: string;
  /** `FILE:LINE`, for messages. */
  readonly origin: string;
}

/** Splits the text of a configuration file; lines that set nothing we know are passed over. */
export function parseConfiguration(text: string, file: string): Entry[] {
  const entries: Entry[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const form = /^[ \t]*([^ \t=]+)(?:[ \t]*=[ \t]*|[ \t]+|$)(.*?)[ \t\r]*$/.exec(line);
    const name = form?.[1] ?? "";
    if (isConfigurable(name)) entries.push({ name, value: form?.[2] ?? "", origin: `${file}:${index + 1}` });
  }
  return entries;
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(cause) ?? "")) return undefined;
    throw new EnrootError("Usage", `Could not read configuration file ${file}: ${describeErrno(cause)}`, {
      cause,
    });
  }
}

/** Entries of `file`, then of `file.d/*.conf` in name order. Absent files count as empty. */
export function readConfiguration(file: string): Entry[] {
  const entries = parseConfiguration(readIfPresent(file) ?? "", file);
  for (const name of dropins(`${file}.d`)) {
    const path = `${file}.d/${name}`;
    entries.push(...parseConfiguration(readIfPresent(path) ?? "", path));
  }
  return entries;
}

function dropins(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(".conf") && !name.startsWith("."))
      .sort();
  } catch {
    return [];
  }
}
