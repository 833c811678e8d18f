// SPDX-License-Identifier: Apache-2.0
// Tests of what is better here than in bash enroot 4.1.2, which was seen to fail each of them. They stand among the
// others; of another enroot they are skipped, and the name then says why.
import { test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { enrootBinary } from "../harness/index.ts";

/** What `enroot version` has to print: the checkout's version, or whatever another enroot says. */
export const expectedVersion = process.env["ENROOT"] ? printedVersion() : version;

/** Whether the enroot under test is another one. */
export const foreign = expectedVersion !== version;

function printedVersion(): string {
  const home = mkdtempSync(join(tmpdir(), "enroot-version."));
  const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: home, XDG_RUNTIME_DIR: home };
  const { stdout } = Bun.spawnSync([enrootBinary(), "version"], { env });
  rmSync(home, { recursive: true });
  return stdout.toString().trim();
}

/** A test that another enroot need not pass, because of `why`, in one line. */
export function improvement(why: string, name: string, body: () => Promise<void>, timeout?: number): void {
  if (foreign) test.skip(`${name} (${why})`, body);
  else test(name, body, timeout);
}

/** `test.each` of such tests. */
improvement.each = <Row extends readonly [unknown, ...unknown[]]>(why: string, rows: readonly Row[]) => {
  const each = (foreign ? test.skip : test).each(rows);
  return (name: string, body: Parameters<typeof each>[1], timeout?: number): void =>
    each(foreign ? `${name} (${why})` : name, body, timeout);
};

/** `test.each` of `rows`, and of those that are better here. */
improvement.among = <Row extends readonly [unknown, ...unknown[]]>(
  rows: readonly Row[],
  why: string,
  better: readonly Row[],
) => {
  const each = test.each(rows);
  const improved = improvement.each(why, better);
  return (name: string, body: Parameters<typeof each>[1] & Parameters<typeof improved>[1]): void => {
    each(name, body);
    improved(name, body);
  };
};
