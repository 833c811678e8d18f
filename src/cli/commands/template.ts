// SPDX-License-Identifier: Apache-2.0
import { requireStreams } from "../../usecases/peer.ts";
import { receiveTemplate, sendChanges, sendTemplate, tellHeld } from "../../usecases/peer-template.ts";
import type { CommandSpec, Invocation } from "../command.ts";
import { print } from "../output.ts";

/** What `enroot template` accepts; another machine's enroot calls it, and no usage mentions it. */
export const spec: CommandSpec = {
  name: "template",
  operands: "held GUID | send NAME [TOKEN] | changes NAME GUID | receive",
  description: "Tell, send or receive what a container is a clone of.",
  options: [],
  minOperands: 1,
  maxOperands: 3,
};

/** Does one of these. */
export async function run({ settings, operands }: Invocation): Promise<number> {
  const [verb, first = "", second] = operands;
  const streams = await requireStreams(settings);
  if (verb === "held") print(await tellHeld(streams, first));
  else if (verb === "send") await sendTemplate(streams, first, second);
  else if (verb === "changes") await sendChanges(streams, first, second ?? "");
  else if (verb === "receive") await receiveTemplate(streams);
  else return 1;
  return 0;
}
