// SPDX-License-Identifier: Apache-2.0
// Where the tests keep what is expensive to make: outside of the checkout, and the same for every run.

/** The cache's directory: `$ENROOT_TEST_CACHE`, else /var/cache/enroot-test. */
export function cacheDirectory(): string {
  const given = process.env["ENROOT_TEST_CACHE"];
  return given === undefined || given === "" ? "/var/cache/enroot-test" : given;
}
