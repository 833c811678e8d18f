// SPDX-License-Identifier: Apache-2.0
// The plan of a start or of an exec as data (docs/plan.md), and its two written forms. May import: errors, image, store (types), system.
import { toBytes } from "../system/raw-text.ts";

/** One step: its name and its arguments. */
export type Step = readonly [name: StepName, ...args: string[]];

/** The steps that the launcher knows. */
export type StepName =
  | "setenv"
  | "unsetenv"
  | "afterwards"
  | "unshare"
  | "runtime"
  | "image"
  | "rootfs"
  | "prepare"
  | "lock"
  | "config"
  | "config-text"
  | "environ-rootfs"
  | "environ-file"
  | "environ-text"
  | "environ-variable"
  | "environ-format"
  | "mounts-rootfs"
  | "mounts-file"
  | "mounts-text"
  | "function"
  | "mount"
  | "hooks-begin"
  | "hook"
  | "hooks-end"
  | "rc-file"
  | "rc-function"
  | "readonly"
  | "protect"
  | "command"
  | "variable"
  | "join"
  | "execute";

const header = "enroot-plan 1";

/** A plan as the launcher reads it: NUL-terminated strings. */
export function encodePlan(steps: readonly Step[]): Uint8Array {
  const words = steps.flatMap(([name, ...args]) => [name, String(args.length), ...args]);
  return toBytes(`${[header, ...words].join("\0")}\0`);
}

/** A plan for people: one step a line, arguments quoted. */
export function printPlan(steps: readonly Step[]): string {
  const lines = steps.map(([name, ...args]) => [name, ...args.map((arg) => JSON.stringify(arg))].join(" "));
  return `${lines.join("\n")}\n`;
}
