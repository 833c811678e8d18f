// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";

/** What a command does that this version accepts but does not have yet: it refuses, and has changed nothing. */
export function refuse(name: string): () => Promise<never> {
  return async () => {
    throw new EnrootError("Unsupported", `Not in this version: enroot ${name}`);
  };
}
