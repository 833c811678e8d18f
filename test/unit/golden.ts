// SPDX-License-Identifier: Apache-2.0
// Golden files: what a text looked like when somebody last read it. `UPDATE_GOLDEN=1 bun test` writes them anew.
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Compares `text` with the golden file of that name. */
export async function expectGolden(name: string, text: string): Promise<void> {
  const path = join(import.meta.dirname, "golden", name);
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(path, text);
  expect(text).toBe(await Bun.file(path).text());
}
