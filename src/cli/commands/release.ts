// SPDX-License-Identifier: Apache-2.0
import { releaseImage } from "../../usecases/release.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot release` accepts; a start calls it when its container has ended, and no usage mentions it. */
export const spec: CommandSpec = {
  name: "release",
  operands: "ID",
  description: "Take away the root file system of a start of an image, once no process uses it any more.",
  options: [],
  minOperands: 1,
  maxOperands: 1,
};

/** Takes it away. */
export async function run({ settings, operands }: Invocation): Promise<number> {
  await releaseImage(settings, operands[0] ?? "");
  return 0;
}
