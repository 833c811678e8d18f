// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import { variableStep } from "../runtime/arguments.ts";
import { deliverPlan } from "./plan-delivery.ts";

/** What `enroot exec` is asked for. */
export interface ExecRequest {
  /** A process of the container. */
  readonly pid: string;
  readonly command: readonly string[];
  /** `KEY[=VAL]` in the order of the command line. */
  readonly environment: readonly string[];
}

/**
 * Hands the plan of an exec to the launcher, which carries it out.
 * @throws EnrootError Usage before anything has been changed
 */
export function executeInContainer({ pid, command, environment }: ExecRequest): void {
  // Linux has no process with a larger number: PID_MAX_LIMIT.
  if (!/^[1-9]\d{0,6}$/.test(pid)) throw new EnrootError("Usage", `Invalid process: ${pid}`);
  deliverPlan([...environment.map(variableStep), ["join", pid], ["execute", ...command]]);
}
