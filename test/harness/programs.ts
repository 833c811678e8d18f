// SPDX-License-Identifier: Apache-2.0
// Programs of other projects that a suite runs and that a machine may lack.

/** Whether a machine has all of `programs`; if not, says which are missing and what is skipped for that. */
export function has(suite: string, ...programs: readonly string[]): boolean {
  const missing = programs.filter(
    (name) => Bun.which(name, { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }) === null,
  );
  if (missing.length > 0)
    console.log(`Skipped: ${suite} needs ${missing.join(" and ")} (scripts/setup --test)`);
  return missing.length === 0;
}
