// SPDX-License-Identifier: Apache-2.0
// What the launcher (native/enroot.c) tells the engine, in variables that are nobody else's business.

/** Descriptor on which the launcher waits for a start plan; undefined when the engine was started by hand. */
export function planDescriptor(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): number | undefined {
  const text = environment["ENROOT_PLAN_FD"];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether a variable is the launcher's, not the caller's. */
export function isLauncherVariable(name: string): boolean {
  return name === "ENROOT_PLAN_FD" || name.startsWith("BUN_JSC_");
}
