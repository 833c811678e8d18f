// SPDX-License-Identifier: Apache-2.0
// Archives member by member, wrong ones too: what no tool would write.

/** A member: every field may be anything. */
export interface Member {
  readonly name: string;
  /** Type flag; a file by default. */
  readonly flag?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly mtime?: number;
  readonly data?: string | Uint8Array;
  /** Size in the header when it is not that of the data. */
  readonly size?: number;
  /** Size field as it stands. */
  readonly sizeField?: Uint8Array;
  /** Records of an extended header before it. */
  readonly pax?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

const block = 512;

function padded(data: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(data.length / block) * block);
  whole.set(data);
  return whole;
}

/** One header block. */
function header(member: Member, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number): number =>
    bytes.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  bytes.write(member.name.slice(0, 100), 0, "latin1");
  octal(member.mode ?? (member.flag === "5" ? 0o755 : 0o644), 100, 7);
  octal(member.uid ?? 0, 108, 7);
  octal(0, 116, 7);
  if (member.sizeField) bytes.set(member.sizeField, 124);
  else octal(member.size ?? size, 124, 11);
  octal(member.mtime ?? 1_700_000_000, 136, 11);
  bytes.write(member.flag ?? "0", 156, "latin1");
  bytes.write((member.link ?? "").slice(0, 100), 157, "latin1");
  bytes.write("ustar\x0000", 257, "latin1");
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

/** One record of an extended header. */
export function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`, "latin1");
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${key}=${value}\n`;
}

function memberBytes(member: Member): Uint8Array[] {
  const data = typeof member.data === "object" ? member.data : Buffer.from(member.data ?? "", "latin1");
  const pieces = [header(member, data.length), padded(data)];
  if (!member.pax) return pieces;
  const records = Object.entries(member.pax).map(([key, value]) => paxRecord(key, value));
  const text = Buffer.from(records.join(""), "latin1");
  return [header({ name: "pax", flag: "x" }, text.length), padded(text), ...pieces];
}

/** An archive with its end; `end: false` leaves that out. */
export function archive(members: readonly Member[], end = true): Buffer {
  return Buffer.concat([...members.flatMap(memberBytes), ...(end ? [Buffer.alloc(2 * block)] : [])]);
}
