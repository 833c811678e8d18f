// SPDX-License-Identifier: Apache-2.0
import { expect } from "bun:test";
import type { Result } from "../harness/index.ts";

/** Checks that a command failed as every command has to: exit status 1, nothing on stdout, one line. Returns the line. */
export function refusal(result: Result): string {
  const errors = result.stderr.split("\n").filter((line) => line !== "" && !/^\[(INFO|WARN)\] /.test(line));
  expect({ status: result.status, signal: result.signal, stdout: result.stdout, errors }).toEqual({
    status: 1,
    signal: null,
    stdout: "",
    errors: [expect.stringMatching(/^\[ERROR\] ./)],
  });
  return errors[0] ?? "";
}
