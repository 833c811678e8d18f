// SPDX-License-Identifier: Apache-2.0
import { type Flattening, readAny } from "./flattening.ts";
import { writeLink, writeMember } from "./member-writer.ts";
import type { PathTable } from "./path-table.ts";
import type { TarEntry } from "./tar-entry.ts";
import type { TarWriter } from "./tar-writer.ts";
import type { NamesByMember, Origin } from "./visible-names.ts";

/** Reads the layers that have the wanted members, and writes these under their names. @throws EnrootError Corrupt */
export async function writeNames(
  flattening: Flattening,
  tar: TarWriter,
  table: PathTable,
  names: NamesByMember,
): Promise<void> {
  const write = async (entry: TarEntry, origin: Origin, data: () => AsyncGenerator<Buffer>) => {
    const [first, ...others] = names.of(origin);
    if (first === undefined) return;
    const path = table.textOf(first);
    await writeMember({ tar, entry, path, data, ...flattening });
    for (const other of others) await writeLink(tar, table.textOf(other), path);
  };
  for (const layer of [...names.layers].sort((a, b) => b - a)) {
    await readAny(flattening, layer, (entry, index, data) => write(entry, { layer, index }, data));
  }
}
