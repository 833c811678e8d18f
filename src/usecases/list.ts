// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/settings.ts";
import { openStore } from "../store/table.ts";
import { type ContainerProcess, findContainerProcesses } from "../system/container-processes.ts";

/** What `enroot list` is asked for. */
export interface ListRequest {
  readonly settings: Settings;
  readonly fancy: boolean;
}

const header = ["NAME", "PID", "COMM", "STATE", "STARTED", "TIME", "MNTNS", "USERNS", "COMMAND"];

/** The text that `enroot list` prints: names, or a table of names and processes. */
export async function listContainers({ settings, fancy }: ListRequest): Promise<string> {
  const store = await openStore(settings);
  const names: string[] = await store.list();
  if (!fancy) return names.map((name) => `${name}\n`).join("");
  const processes = findContainerProcesses();
  const rows = new Map<string, ContainerProcess[]>(names.map((name) => [name, []]));
  for (const process of processes) {
    const container = store.containerAt(process.root);
    const name = container !== undefined && rows.has(container) ? container : "<unknown>";
    rows.set(name, [...(rows.get(name) ?? []), process]);
  }
  const sorted = [...rows].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return formatTable([header, ...sorted.flatMap(([name, list]) => tableRows(name, list))]);
}

function tableRows(name: string, processes: readonly ContainerProcess[]): string[][] {
  if (processes.length === 0) return [[name]];
  return processes.map((process, index) => [
    index === 0 ? name : "",
    String(process.pid),
    process.comm,
    process.state,
    process.started,
    process.time,
    process.mountNamespace,
    process.userNamespace,
    process.command,
  ]);
}

/** Columns padded to their widest cell, two spaces between them, nothing after the last. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ");
  return rows.map((row) => `${line(row)}\n`).join("");
}
