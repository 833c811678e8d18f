// SPDX-License-Identifier: Apache-2.0
import { noteProvenance, tellProvenance } from "../../usecases/provenance.ts";
import type { CommandSpec, Invocation } from "../command.ts";
import { print } from "../output.ts";

/** What `enroot provenance` accepts; another machine's enroot calls it, and no usage mentions it. */
export const spec: CommandSpec = {
  name: "provenance",
  operands: "NAME [KEY=VALUE...]",
  description: "Tell where the image of a container came from, or note it.",
  options: [],
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
};

/** Tells or notes it. */
export async function run({ settings, operands }: Invocation): Promise<number> {
  const [name = "", ...values] = operands;
  if (values.length > 0) await noteProvenance(settings, name, values);
  else print(await tellProvenance(settings, name));
  return 0;
}
