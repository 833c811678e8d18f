// SPDX-License-Identifier: Apache-2.0
// Extended headers of pax archives: `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record in bytes.
import { EnrootError } from "../../errors.ts";

/** Records by keyword; values as latin1 strings. An empty value means "as if there was none". */
export type PaxRecords = Map<string, string>;

/** Splits an extended header. GNU sparse maps of version 0.0 repeat keywords: their values are joined by commas. @throws EnrootError Corrupt */
export function parsePax(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const digits = data.toString("latin1", at, space < 0 ? at : space);
    const length = Number(digits);
    const end = at + length;
    if (!/^\d{1,8}$/.test(digits) || end > data.length || data[end - 1] !== 0x0a) {
      // NULs after the last record are padding of sloppy writers.
      if (data.subarray(at).every((byte) => byte === 0)) break;
      throw new EnrootError("Corrupt", "Invalid layer archive: an extended header is damaged");
    }
    const record = data.toString("latin1", space + 1, end - 1);
    const equals = record.indexOf("=");
    if (equals <= 0) throw new EnrootError("Corrupt", "Invalid layer archive: an extended header is damaged");
    put(records, record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

function put(records: PaxRecords, name: string, value: string): void {
  const old = records.get(name);
  const repeated = name === "GNU.sparse.offset" || name === "GNU.sparse.numbytes";
  records.set(name, repeated && old !== undefined ? `${old},${value}` : value);
}

/** Records with others put over them; an empty value takes one away. */
export function mergeExtended(base: PaxRecords, over: PaxRecords): PaxRecords {
  const merged: PaxRecords = new Map();
  for (const records of [base, over]) {
    for (const [name, value] of records) {
      if (value === "" && !name.startsWith("SCHILY.xattr.")) merged.delete(name);
      else merged.set(name, value);
    }
  }
  return merged;
}
