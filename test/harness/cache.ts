// SPDX-License-Identifier: Apache-2.0
// Where the tests keep what is expensive to make: outside of the checkout, and the same for every run.

import { utimes } from "node:fs/promises";

/** The cache's directory: `$ENROOT_TEST_CACHE`, else /var/cache/enroot-test. */
export function cacheDirectory(): string {
  const given = process.env["ENROOT_TEST_CACHE"];
  return given === undefined || given === "" ? "/var/cache/enroot-test" : given;
}

/** Marks something in the cache as still in use, and returns it: what nobody uses for long is swept. */
export async function used(path: string): Promise<string> {
  const now = new Date();
  await utimes(path, now, now);
  return path;
}
