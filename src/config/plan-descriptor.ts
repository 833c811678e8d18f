// SPDX-License-Identifier: Apache-2.0

/** Descriptor on which the launcher waits for a start plan; undefined when the engine was started by hand. */
export function planDescriptor(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): number | undefined {
  const text = environment["ENROOT_PLAN_FD"];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
