// SPDX-License-Identifier: Apache-2.0
import { exportContainer, sendContainer } from "../../usecases/export.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot export` accepts. */
export const spec: CommandSpec = {
  name: "export",
  operands: "NAME [zfs://[USER@]HOST[/NAME]]",
  description: "Make an image of a container as it is now.",
  options: [
    { long: "output", short: "o", value: "FILE", text: 'Image to write (default: "NAME.sqsh")' },
    { long: "format", value: "FORMAT", text: "sqsh, or zfs on the ZFS store" },
    { long: "zfs-send", text: "Write a stream of it to stdout (how another enroot calls this one)" },
    { long: "force", short: "f", text: "Replace a file of that name" },
  ],
  minOperands: 1,
  maxOperands: 2,
};

/** Writes the image. */
export async function run({ settings, flag, value, operands }: Invocation): Promise<number> {
  const [name = "", peer] = operands;
  if (flag("zfs-send")) {
    await sendContainer(settings, name);
    return 0;
  }
  await exportContainer({
    settings,
    name,
    peer,
    output: value("output"),
    format: value("format"),
    force: flag("force") || settings.forceOverride,
  });
  return 0;
}
