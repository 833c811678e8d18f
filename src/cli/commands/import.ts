// SPDX-License-Identifier: Apache-2.0
import { importImage } from "../../usecases/import.ts";
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
    { long: "format", short: "f", value: "FORMAT", text: "pointer (zfs only) or squashfs" },
  ],
  minOperands: 1,
  maxOperands: 1,
  sections: [imageUris],
};

/** Imports the image. */
export async function run({ settings, value, operands }: Invocation): Promise<number> {
  await importImage({
    settings,
    uri: operands[0] ?? "",
    arch: value("arch"),
    output: value("output"),
    format: value("format"),
  });
  return 0;
}
