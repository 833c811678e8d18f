// SPDX-License-Identifier: Apache-2.0
import type { CommandSpec } from "../command.ts";
import { refuse } from "./planned.ts";

/** What `enroot export` accepts. */
export const spec: CommandSpec = {
  name: "export",
  operands: "NAME",
  description: "Make an image of a container as it is now.",
  options: [
    { long: "output", short: "o", value: "FILE", text: 'Image to write (default: "NAME.sqsh")' },
    { long: "format", value: "FORMAT", text: "sqsh, or zfs on the ZFS store" },
    { long: "force", short: "f", text: "Replace a file of that name" },
  ],
  minOperands: 1,
  maxOperands: 1,
};

export const run = refuse("export");
