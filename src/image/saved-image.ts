// SPDX-License-Identifier: Apache-2.0
// The archive that `docker save` and `podman save` write: manifest.json names the configuration and the layers, which
// are members of the archive (moby, image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format").
import { posix } from "node:path";
import { z } from "zod";
import { EnrootError } from "../errors.ts";

/** A member of the archive, and where its data is. */
export interface SavedMember {
  readonly type: string;
  readonly link: string;
  readonly offset: number;
  readonly size: number;
}

/** The members by name. */
export type SavedMembers = ReadonlyMap<string, SavedMember>;

/** Names of an image's parts. */
export interface SavedManifest {
  readonly config: string;
  /** Bottom layer first. */
  readonly layers: readonly string[];
}

/** Largest manifest.json that is read, in bytes. */
export const savedManifestLimit = 4 << 20;

const schema = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()).nullish() }));

/** Parses manifest.json. @throws EnrootError Corrupt when it is none, or has not one image */
export function parseSavedManifest(bytes: Uint8Array, what: string): SavedManifest {
  const parsed = schema.safeParse(parseJson(bytes));
  const [image, ...others] = parsed.data ?? [];
  if (image === undefined || others.length > 0)
    throw new EnrootError("Corrupt", `Invalid manifest.json of ${what}`, { cause: parsed.error });
  return { config: image.Config, layers: image.Layers ?? [] };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Finds a member; a layer that comes twice is a link the second time. @throws EnrootError Corrupt */
export function findMember(members: SavedMembers, name: string, what: string): SavedMember {
  const member = members.get(name);
  if (member?.type === "file") return member;
  const path = member?.type === "symlink" ? posix.join(posix.dirname(name), member.link) : member?.link;
  const target = path === undefined ? undefined : members.get(path);
  if (target?.type === "file") return target;
  throw new EnrootError("Corrupt", `Missing in ${what}: ${name}`);
}
