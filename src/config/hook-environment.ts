// SPDX-License-Identifier: Apache-2.0
import { statSync } from "node:fs";
import { isLauncherVariable } from "./launcher.ts";
import type { Settings } from "./settings.ts";

/** A variable to be set, or (undefined) to be taken away. */
export type VariableChange = readonly [name: string, value: string | undefined];

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * What turns the caller's environment into the one that hooks, scripts and `${NAME}` see: the settings in force are set,
 * those switched off are not, our helpers are on PATH, and PWD is the working directory, as in a shell.
 */
export function hookEnvironment(
  settings: Settings,
  caller: Readonly<Record<string, string | undefined>> = process.env,
): VariableChange[] {
  const wanted = new Map(settings.environment);
  wanted.set("PATH", hookPath(settings));
  const directory = workingDirectory(wanted.get("PWD"));
  if (directory !== undefined) wanted.set("PWD", directory);
  const changed: VariableChange[] = [...wanted].filter(([name, value]) => caller[name] !== value);
  const gone = Object.keys(caller).filter((name) => !wanted.has(name) && !isLauncherVariable(name));
  return [...changed, ...gone.map((name): VariableChange => [name, undefined])];
}

function hookPath({ environment, helperPath }: Settings): string {
  const path = environment.get("PATH") || defaultPath;
  return path.split(":").includes(helperPath) ? path : `${helperPath}:${path}`;
}

/** The working directory by the name that the caller has for it, if that is one; undefined when it has none. */
function workingDirectory(named: string | undefined): string | undefined {
  try {
    const here = statSync(".");
    const there = named?.startsWith("/") ? statSync(named, { throwIfNoEntry: false }) : undefined;
    return there?.ino === here.ino && there.dev === here.dev ? named : process.cwd();
  } catch {
    return undefined;
  }
}
