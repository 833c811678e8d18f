// SPDX-License-Identifier: Apache-2.0
import { writeSync } from "node:fs";
import { planDescriptor } from "../config/launcher.ts";
import { log } from "../log.ts";
import { encodePlan, printPlan, type Step } from "../runtime/plan.ts";

/** Hands a plan to the launcher, which carries it out; prints it when the engine was started by hand. */
export function deliverPlan(steps: readonly Step[]): void {
  log.debug(`plan:\n${printPlan(steps)}`);
  const descriptor = planDescriptor();
  if (descriptor === undefined) {
    process.stdout.write(printPlan(steps));
    return;
  }
  const plan = encodePlan(steps);
  for (let at = 0; at < plan.length; ) at += writeSync(descriptor, plan, at);
}
