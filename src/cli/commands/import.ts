// SPDX-License-Identifier: Apache-2.0
import { importImage, receiveContainer } from "../../usecases/import.ts";
import type { CommandSpec, Invocation } from "../command.ts";
import { imageUris } from "../image-uris.ts";

/** What `enroot import` accepts. */
export const spec: CommandSpec = {
  name: "import",
  operands: "URI",
  description: "Make an image file of a container image.",
  options: [
    { long: "arch", short: "a", value: "ARCH", text: "Architecture of the image (default: this machine's)" },
    { long: "output", short: "o", value: "FILE", text: "Image file to write (default: made from the URI)" },
    {
      long: "zfs-recv",
      text: "Make the container NAME of a stream on stdin (how another enroot calls this one)",
    },
    { long: "name", short: "n", value: "NAME", text: "Name of that container" },
    { long: "format", short: "f", value: "FORMAT", text: "pointer (zfs only) or squashfs" },
  ],
  minOperands: 1,
  maxOperands: 1,
  instead: "zfs-recv",
  sections: [imageUris],
};

/** Imports the image. */
export async function run({ settings, flag, value, operands }: Invocation): Promise<number> {
  if (flag("zfs-recv")) {
    await receiveContainer(settings, value("name"));
    return 0;
  }
  await importImage({
    settings,
    uri: operands[0] ?? "",
    arch: value("arch"),
    output: value("output"),
    format: value("format"),
  });
  return 0;
}
