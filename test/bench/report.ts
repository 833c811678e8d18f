// SPDX-License-Identifier: Apache-2.0
// The numbers as lines that can be read.

import type { Cost } from "./measure.ts";

const widths = [34, 10, 10, 10, 10] as const;

function line(label: string, cells: readonly string[], note: string): void {
  const columns = [
    label.padEnd(widths[0]),
    ...cells.map((cell, index) => cell.padStart(widths[index + 1] ?? 10)),
  ];
  console.log(`${columns.join("")}  ${note}`.trimEnd());
}

function milliseconds(seconds: number): string {
  return seconds >= 1 ? `${(seconds * 1000).toFixed(0)} ms` : `${(seconds * 1000).toFixed(1)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** Prints a heading and the names of the columns. */
export function heading(text: string): void {
  console.log();
  line(text, ["wall", "CPU", "memory", "disk"], "");
}

/** Prints what something costs, and how many times the floor's cost that is, where there is a floor. */
export function report(label: string, cost: Cost, floor?: Cost): void {
  const cells = [
    milliseconds(cost.wall),
    milliseconds(cost.cpu),
    megabytes(cost.memory),
    megabytes(cost.disk),
  ];
  const ratio = (kind: "wall" | "cpu"): string => (cost[kind] / (floor?.[kind] ?? 1)).toFixed(1);
  line(label, cells, floor === undefined ? "" : `${ratio("wall")}x wall, ${ratio("cpu")}x CPU of the floor`);
}
