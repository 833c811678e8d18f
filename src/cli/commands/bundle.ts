// SPDX-License-Identifier: Apache-2.0
import { version } from "../../../package.json";
import { bundleImage } from "../../usecases/bundle.ts";
import type { CommandSpec, Invocation } from "../command.ts";

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

/** Makes the bundle. */
export async function run({ settings, flag, value, operands }: Invocation): Promise<number> {
  await bundleImage({
    settings,
    image: operands[0] ?? "",
    output: value("output"),
    target: value("target"),
    description: value("desc"),
    version,
    all: flag("all") || settings.bundleAll,
    checksum: flag("checksum") || settings.bundleChecksum,
    force: flag("force") || settings.forceOverride,
  });
  return 0;
}
