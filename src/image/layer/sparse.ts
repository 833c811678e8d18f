// SPDX-License-Identifier: Apache-2.0
// Maps of sparse files: GNU's old headers, and its pax formats 0.0, 0.1 and 1.0 (tar manual, "Storing Sparse Files").
import { EnrootError } from "../../errors.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { PaxRecords } from "./pax.ts";
import { limits, type SparseRun } from "./tar-entry.ts";
import { tarNumber } from "./tar-reader.ts";

const block = 512;

function corrupt(): EnrootError {
  return new EnrootError("Corrupt", "Invalid layer archive: the map of a sparse file is damaged");
}

/** Runs of an old GNU header and of the blocks that continue it. */
export async function readGnuRuns(stream: ByteStream, header: Buffer): Promise<SparseRun[]> {
  const runs = headerRuns(header, 386, 4);
  for (let more = header[482] !== 0; more; ) {
    const extension = await stream.exactly(block);
    if (extension === undefined) throw corrupt();
    runs.push(...headerRuns(extension, 0, 21));
    if (runs.length > limits.runs) throw corrupt();
    more = extension[504] !== 0;
  }
  return runs;
}

function headerRuns(header: Buffer, start: number, count: number): SparseRun[] {
  const runs: SparseRun[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * 24;
    if (header[at] === 0) break;
    runs.push({ offset: tarNumber(header, at, 12), size: tarNumber(header, at + 12, 12) });
  }
  return runs;
}

/** Runs of the records of formats 0.0 (offsets and sizes apart) and 0.1 (one list). */
export function parseSparseHeader(records: PaxRecords): SparseRun[] {
  const map = records.get("GNU.sparse.map");
  if (map !== undefined) return pairs(map.split(","));
  const offsets = (records.get("GNU.sparse.offset") ?? "").split(",");
  const sizes = (records.get("GNU.sparse.numbytes") ?? "").split(",");
  if (offsets.length !== sizes.length) throw corrupt();
  return pairs(offsets.flatMap((offset, index) => [offset, sizes[index] ?? ""]));
}

function pairs(numbers: readonly string[]): SparseRun[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * limits.runs) throw corrupt();
  const values = numbers.map((text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw corrupt();
    return value;
  });
  const runs: SparseRun[] = [];
  for (let at = 0; at < values.length; at += 2)
    runs.push({ offset: values[at] ?? 0, size: values[at + 1] ?? 0 });
  return runs;
}

/** Format 1.0: the map stands before the data, in decimal lines, filled up to whole blocks. */
export async function parseSparseText(
  stream: ByteStream,
  stored: number,
): Promise<{ runs: SparseRun[]; length: number }> {
  let text = "";
  let length = 0;
  for (;;) {
    const lines = text.split("\n");
    const count = Number(lines[0]);
    if (lines.length > 1 && !/^\d+$/.test(lines[0] ?? "")) throw corrupt();
    if (lines.length > 1 && count > limits.runs) throw corrupt();
    if (lines.length > 1 && lines.length >= 2 * count + 2)
      return { runs: pairs(lines.slice(1, 2 * count + 1)), length };
    const next = length + block <= stored ? await stream.exactly(block) : undefined;
    if (next === undefined || length > limits.runs * 48) throw corrupt();
    text += next.toString("latin1");
    length += block;
  }
}

/** Bytes of all runs together. @throws EnrootError Corrupt when they overlap, or leave the file */
export function runSizes(runs: readonly SparseRun[], size: number): number {
  let end = 0;
  let total = 0;
  for (const run of runs) {
    if (run.offset < end || run.size < 0 || run.offset + run.size > size) throw corrupt();
    end = run.offset + run.size;
    total += run.size;
  }
  return total;
}
