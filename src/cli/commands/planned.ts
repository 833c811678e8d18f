// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";
import type { CommandModule } from "../command.ts";

/** A command of the table that this version does not have: it refuses, whatever it is given. */
export function plannedCommand(name: string): CommandModule {
  return {
    spec: {
      name,
      operands: "[ARG...]",
      description: "Not in this version.",
      options: [],
      minOperands: 0,
      maxOperands: Number.POSITIVE_INFINITY,
    },
    run: async () => {
      throw new EnrootError("Unsupported", `Not in this version: enroot ${name}`);
    },
  };
}
