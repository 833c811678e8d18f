// SPDX-License-Identifier: Apache-2.0
import { findDigest } from "../../usecases/digest.ts";
import type { CommandSpec, Invocation } from "../command.ts";
import { print } from "../output.ts";

/** What `enroot digest` accepts. */
export const spec: CommandSpec = {
  name: "digest",
  operands: "URI",
  description: "Print the sha256 digest of an image in a registry, as chosen for an architecture.",
  options: [
    { long: "arch", short: "a", value: "ARCH", text: "Architecture of the image (default: this machine's)" },
  ],
  minOperands: 1,
  maxOperands: 1,
  sections: [{ title: "URI", lines: ["docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]"] }],
};

/** Prints the digest alone. */
export async function run({ settings, value, operands }: Invocation): Promise<number> {
  print(`${await findDigest({ settings, uri: operands[0] ?? "", arch: value("arch") })}\n`);
  return 0;
}
