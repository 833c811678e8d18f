// SPDX-License-Identifier: Apache-2.0
import { createContainer } from "../../usecases/create.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot create` accepts. */
export const spec: CommandSpec = {
  name: "create",
  operands: "IMAGE",
  description: "Unpack an image file as a container.",
  options: [
    {
      long: "name",
      short: "n",
      value: "NAME",
      text: 'Name of the container (default: the file name less ".sqsh")',
    },
    { long: "force", short: "f", text: "Replace a container of that name" },
  ],
  minOperands: 1,
  maxOperands: 1,
};

/** Makes the container. */
export async function run({ settings, flag, value, operands }: Invocation): Promise<number> {
  const force = flag("force") || settings.forceOverride;
  await createContainer({ settings, image: operands[0] ?? "", name: value("name"), force });
  return 0;
}
