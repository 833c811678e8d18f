// SPDX-License-Identifier: Apache-2.0
import { addDevices } from "../../usecases/devices.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot cdi` accepts; it is for hooks, and no usage mentions it. */
export const spec: CommandSpec = {
  name: "cdi",
  operands: "VENDOR/CLASS=NAME...",
  description: `Make devices visible in the container that is being started, as the specifications of the Container
Device Interface say. For hooks. Exits with status 3 when some device is in no specification.`,
  options: [],
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
};

/** Adds the devices. */
export async function run({ settings, operands }: Invocation): Promise<number> {
  return (await addDevices(settings, operands)) ? 0 : 3;
}
