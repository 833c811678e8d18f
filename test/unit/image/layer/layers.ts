// SPDX-License-Identifier: Apache-2.0
// Layers from members, flattened in memory, and what the archive that comes out holds.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { parseDigest } from "../../../../src/image/digest.ts";
import { openByteStream } from "../../../../src/image/layer/byte-stream.ts";
import { writeExact, writeFirst } from "../../../../src/image/layer/flatten.ts";
import type { Flattening } from "../../../../src/image/layer/flattening.ts";
import type { LayerSource } from "../../../../src/image/layer/layer-source.ts";
import type { TarEntry } from "../../../../src/image/layer/tar-entry.ts";
import { openTar } from "../../../../src/image/layer/tar-reader.ts";
import { archive, type Member } from "../../../registry/archive.ts";

/** A layer of members. */
export function layerOf(members: readonly Member[]): LayerSource {
  const tar = archive(members);
  const diffId = parseDigest(`sha256:${createHash("sha256").update(tar).digest("hex")}`);
  return { diffId, open: async () => ({ blob: Readable.from([tar]), head: tar.subarray(0, 8) }) };
}

/** A member as it is read back. */
export interface Read extends TarEntry {
  readonly data: string;
}

/** Reads an archive whole, `chunk` bytes at a time. */
export async function readArchive(tar: Uint8Array, chunk = 4096): Promise<Read[]> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < tar.length; at += chunk) yield tar.subarray(at, at + chunk);
  }
  const reader = openTar(openByteStream(pieces()));
  const found: Read[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const parts: Buffer[] = [];
    for await (const piece of reader.data()) parts.push(Buffer.from(piece));
    found.push({ ...entry, data: Buffer.concat(parts).toString("latin1") });
  }
  return found;
}

/** What flattening gives: the first pass' archive when it was right, and always the exact one. */
export interface Flattened {
  readonly first: Read[] | undefined;
  readonly exact: Read[];
}

/** Flattens layers, bottom first. */
export async function flatten(
  layers: readonly (readonly Member[])[],
  more: Partial<Flattening> = {},
): Promise<Flattened> {
  const sources = layers.map(layerOf);
  const flattening = {
    ...{ layers: sources, added: [], directories: [], time: 0, fixedTime: undefined, modeMask: 0o7777 },
    ...more,
  };
  const gather = (into: Buffer[]) => async (piece: Uint8Array) => void into.push(Buffer.from(piece));
  const first: Buffer[] = [];
  const exact: Buffer[] = [];
  const pass = await writeFirst(flattening, gather(first));
  await writeExact(flattening, pass, gather(exact));
  return {
    first: pass.exact ? await readArchive(Buffer.concat(first)) : undefined,
    exact: await readArchive(Buffer.concat(exact)),
  };
}
