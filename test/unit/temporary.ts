// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory that is gone at the end of the block: `using place = temporary()`. */
export function temporary(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "enroot-unit."));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
