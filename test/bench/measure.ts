// SPDX-License-Identifier: Apache-2.0
// What one run of a command costs.

import { join } from "node:path";
import type { RunOptions, Sandbox } from "../harness/index.ts";

/** Seconds and bytes of one run. */
export interface Cost {
  readonly wall: number;
  readonly cpu: number;
  /** Peak of the largest process. */
  readonly memory: number;
  /** Peak of what was on disk in between and is gone at the end. */
  readonly disk: number;
}

interface Measured extends Cost {
  readonly status: number;
}

/** How to measure. */
export interface MeasureOptions extends RunOptions {
  /** How often to run; the mean is returned. Once by default. */
  readonly times?: number;
  /** The directory to watch for temporary files; none by default. */
  readonly watch?: string;
}

/** Runs a command in a sandbox and returns its mean cost. */
export async function measure(
  box: Sandbox,
  argv: readonly string[],
  { times = 1, watch = "", ...options }: MeasureOptions = {},
): Promise<Cost> {
  const script = join(import.meta.dir, "measure.py");
  // The descriptors and signals of Bun are put right outside, so that they are not a part of what is measured.
  const result = await box.run(["/usr/bin/python3", script, String(times), watch, ...argv], options);
  if (result.status !== 0) throw new Error(`measuring ${argv.join(" ")}:\n${result.stderr}`);
  const { status, ...cost } = JSON.parse(result.stdout) as Measured;
  if (status !== 0) throw new Error(`${argv.join(" ")}: status ${status}\n${result.stderr}`);
  return cost;
}

/** The sum of the costs of things done one after the other. */
export function sum(costs: readonly Cost[]): Cost {
  return costs.reduce(
    (one, other) => ({
      wall: one.wall + other.wall,
      cpu: one.cpu + other.cpu,
      memory: Math.max(one.memory, other.memory),
      disk: Math.max(one.disk, other.disk),
    }),
    { wall: 0, cpu: 0, memory: 0, disk: 0 },
  );
}
