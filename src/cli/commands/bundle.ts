// SPDX-License-Identifier: Apache-2.0
import type { CommandSpec } from "../command.ts";
import { refuse } from "./planned.ts";

/** What `enroot bundle` accepts. */
export const spec: CommandSpec = {
  name: "bundle",
  operands: "IMAGE",
  description: "Make a bundle of an image: one file that extracts and runs itself.",
  options: [
    { long: "all", short: "a", text: "Take the user's configuration into it too" },
    { long: "checksum", short: "c", text: "Put a checksum into it" },
    { long: "desc", short: "d", value: "TEXT", text: "Describe it" },
    { long: "output", short: "o", value: "FILE", text: 'Bundle to write (default: "IMAGE.run")' },
    {
      long: "target",
      short: "t",
      value: "DIR",
      text: "Where its --keep leaves the files (default: named like it)",
    },
    { long: "force", short: "f", text: "Replace a file of that name" },
  ],
  minOperands: 1,
  maxOperands: 1,
};

export const run = refuse("bundle");
