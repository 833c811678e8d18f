// SPDX-License-Identifier: Apache-2.0
import { loadImage } from "../../usecases/load.ts";
import type { CommandSpec, Invocation } from "../command.ts";
import { imageUris } from "../image-uris.ts";

/** What `enroot load` accepts. */
export const spec: CommandSpec = {
  name: "load",
  operands: "URI",
  description: "Make a container of an image in a registry, without an image file between them.",
  options: [
    {
      long: "arch",
      short: "a",
      value: "ARCH",
      text: "Architecture of the image (default: this machine's)",
    },
    { long: "name", short: "n", value: "NAME", text: "Name of the container (default: made from the URI)" },
    { long: "force", short: "f", text: "Replace a container of that name" },
  ],
  minOperands: 1,
  maxOperands: 1,
  sections: [imageUris],
};

/** Loads the image. */
export async function run(invocation: Invocation): Promise<number> {
  const { settings, operands } = invocation;
  await loadImage({
    settings,
    uri: operands[0] ?? "",
    arch: invocation.value("arch"),
    name: invocation.value("name"),
    force: invocation.flag("force") || settings.forceOverride,
  });
  return 0;
}
