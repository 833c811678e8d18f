// SPDX-License-Identifier: Apache-2.0
// Settings as text, before they have types: the environment first, then what the files add, then the defaults.
import { hostname } from "node:os";
import { EnrootError } from "../errors.ts";
import { log } from "../log.ts";
import { ownAccount } from "../system/account.ts";
import { runScript } from "../system/shell.ts";
import { type Expansion, expand, UnsetVariable } from "./expand.ts";
import type { Entry } from "./file.ts";
import { isLauncherVariable } from "./launcher.ts";

/** A setting's text, and where it came from in words that fit a message. */
export interface Value {
  readonly text: string;
  readonly origin: string;
}

/** All variables by name. */
export type Values = Map<string, Value>;

/** The caller's environment. The launcher's own variables are none of it. */
export function callerValues(environment: Readonly<Record<string, string | undefined>>): Values {
  const values: Values = new Map();
  for (const [name, text] of Object.entries(environment)) {
    if (text !== undefined && !isLauncherVariable(name))
      values.set(name, { text, origin: "the environment" });
  }
  return values;
}

/**
 * The text of one entry of a configuration file.
 * @returns undefined when it names a variable that is not set: the setting then keeps its default
 * @throws EnrootError Usage, naming file and line, when a shell would not accept it
 */
export function evaluate(entry: Entry, values: Values): string | undefined {
  try {
    return expand(entry.value, expansionOver(values, entry.origin));
  } catch (cause) {
    if (cause instanceof UnsetVariable) {
      log.warn(`${entry.origin}: ${cause.message}, ${entry.name} keeps its default`);
      return undefined;
    }
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new EnrootError("Usage", `Invalid configuration: ${entry.origin}: ${cause.message}`, { cause });
  }
}

/** Base directories of the XDG specification, as they are where the variables are not set. */
const baseDirectories: Readonly<Record<string, string>> = {
  XDG_DATA_HOME: ".local/share",
  XDG_CONFIG_HOME: ".config",
  XDG_CACHE_HOME: ".cache",
};

/** Default of a variable that is not set: what a login would have set. */
function fallback(name: string, home: () => string): string | undefined {
  if (Object.hasOwn(baseDirectories, name)) return `${home()}/${baseDirectories[name]}`;
  if (name === "XDG_RUNTIME_DIR") return "/run";
  if (name === "HOME") return home();
  if (name === "USER" || name === "LOGNAME") return ownAccount().name;
  if (name === "UID" || name === "EUID") return String(process.geteuid?.() ?? 0);
  return name === "HOSTNAME" ? hostname() : undefined;
}

/** How values are expanded over the variables known so far. */
export function expansionOver(values: Values, origin: string): Expansion {
  const variable = (name: string): string | undefined => values.get(name)?.text;
  const home = (): string => variable("HOME") || ownAccount().home;
  return {
    variable,
    home,
    fallback: (name) => fallback(name, home),
    command: (script) => wellKnown(script.trim()) ?? substitute(script, values, origin),
    shell: (value) => echo(value, values),
  };
}

/** Sets the base directories that the caller has not: hooks may rely on them. */
export function setBaseDirectories(values: Values): void {
  const { home } = expansionOver(values, "");
  for (const name of [...Object.keys(baseDirectories), "XDG_RUNTIME_DIR"]) {
    if (!values.get(name)?.text)
      values.set(name, { text: fallback(name, home) ?? "", origin: "the default" });
  }
}

/** The commands that nearly every site has in its enroot.conf, without a process for each. */
function wellKnown(script: string): string | undefined {
  if (script === "id -u") return String(process.geteuid?.() ?? 0);
  if (script === "id -g") return String(process.getegid?.() ?? 0);
  if (script === "id -un" || script === "whoami") return ownAccount().name;
  if (script === "nproc") return String(navigator.hardwareConcurrency);
  return script === "hostname" ? hostname() : undefined;
}

function environmentOf(values: Values): [string, string][] {
  return [...values].map(([name, { text }]) => [name, text]);
}

/** `$(script)`: as in a shell, a failing command gives what it printed. */
function substitute(script: string, values: Values, origin: string): string {
  const { stdout, stderr } = runScript(script, [], environmentOf(values));
  if (stderr.trim()) log.warn(`${origin}: ${lastLine(stderr)}`);
  return stdout.replace(/\n+$/, "");
}

function echo(value: string, values: Values): string {
  const { status, stdout, stderr } = runScript('set -u; eval "echo $1"', [value], environmentOf(values));
  const unset = /(\w+): unbound variable/.exec(stderr)?.[1];
  if (unset) throw new UnsetVariable(unset);
  if (status !== 0) throw new SyntaxError(lastLine(stderr) || `bash exited with return code ${status}`);
  return stdout.replace(/\n+$/, "");
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^\S*: (eval: )?(line \d+: )?/, "") ?? ""
  );
}
