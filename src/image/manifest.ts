// SPDX-License-Identifier: Apache-2.0
// Manifests of the Docker registry protocol (schema 2) and of the OCI image specification.
import { z } from "zod";
import { EnrootError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import type { LayerDescriptor } from "./image-source.ts";

const dockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
const ociIndex = "application/vnd.oci.image.index.v1+json";
const ociManifest = "application/vnd.oci.image.manifest.v1+json";

const kinds: ReadonlyMap<string, "index" | "image"> = new Map([
  [ociIndex, "index"],
  [dockerList, "index"],
  [ociManifest, "image"],
  [dockerManifest, "image"],
]);

/** What to accept: one question answers for lists and single manifests of both kinds. */
export const acceptedTypes = [ociIndex, dockerList, ociManifest, dockerManifest].join(", ");

/** Largest manifest that is read, in bytes (the limit of the distribution project's registry). */
export const manifestLimit = 4 << 20;

const digest = z.string().refine(isDigest);
const platform = z.object({
  architecture: z.string().default(""),
  os: z.string().default(""),
  variant: z.string().nullish(),
});
const descriptor = z.object({
  mediaType: z.string().default(""),
  digest,
  size: z.number().int().nonnegative(),
  platform: platform.nullish(),
});
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const index = z.object({ manifests: z.array(descriptor) });
const envelope = z.looseObject({
  schemaVersion: z.unknown(),
  mediaType: z.string().optional(),
  layers: z.unknown().optional(),
  manifests: z.unknown().optional(),
  config: z.unknown().optional(),
});

/** One entry of an index. */
export interface PlatformManifest {
  readonly digest: Digest;
  /** Empty when the entry does not say. */
  readonly architecture: string;
  readonly os: string;
  readonly variant: string | undefined;
}

/** A manifest of either kind. */
export type Manifest =
  | { readonly kind: "index"; readonly manifests: readonly PlatformManifest[] }
  | { readonly kind: "image"; readonly config: LayerDescriptor; readonly layers: readonly LayerDescriptor[] };

/**
 * Parses the bytes of a manifest.
 * @param what names the image in messages
 * @throws EnrootError Corrupt when it is none, or could be two; Unsupported for kinds that are no image
 */
export function parseManifest(bytes: Uint8Array, what: string): Manifest {
  const outer = parseJson(bytes, what);
  if (outer.schemaVersion === 1) {
    throw new EnrootError("Unsupported", `Image has a schema 1 manifest: ${what}`, {
      hint: "push it again with a current tool",
    });
  }
  const isIndex = outer.manifests !== undefined;
  const isImage = outer.layers !== undefined || outer.config !== undefined;
  const claims = kinds.get(outer.mediaType ?? "");
  // What another program could read in another way is nothing to rely on (CVE-2021-41190).
  if ((isIndex && isImage) || (isIndex && claims === "image") || (isImage && claims === "index")) {
    throw new EnrootError("Corrupt", `Ambiguous manifest, both an image and an index: ${what}`);
  }
  return isIndex ? parseIndex(outer, what) : parseImage(outer, what);
}

function parseJson(bytes: Uint8Array, what: string): z.infer<typeof envelope> {
  try {
    return envelope.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new EnrootError("Corrupt", `Invalid manifest: ${what}`, { cause });
  }
}

function parseIndex(outer: unknown, what: string): Manifest {
  const parsed = index.safeParse(outer);
  if (!parsed.success)
    throw new EnrootError("Corrupt", `Invalid manifest list: ${what}`, { cause: parsed.error });
  const images = parsed.data.manifests.filter(({ mediaType }) => mediaType === "" || kinds.has(mediaType));
  const manifests = images.map(({ digest: child, platform: on }) => ({
    digest: child,
    architecture: on?.architecture ?? "",
    os: on?.os ?? "",
    variant: on?.variant ?? undefined,
  }));
  return { kind: "index", manifests };
}

function parseImage(outer: unknown, what: string): Manifest {
  const parsed = manifest.safeParse(outer);
  if (!parsed.success)
    throw new EnrootError("Corrupt", `Invalid image manifest: ${what}`, { cause: parsed.error });
  const { config, layers } = parsed.data;
  if (!/^$|image\.(config\.)?v1\+json$|container\.image\.v1\+json$|octet-stream$/.test(config.mediaType)) {
    throw new EnrootError("Unsupported", `Not a container image but ${config.mediaType}: ${what}`);
  }
  for (const layer of layers) refuseUnreadable(layer.mediaType, what);
  return { kind: "image", config, layers };
}

function refuseUnreadable(mediaType: string, what: string): void {
  if (/\+encrypted$/.test(mediaType)) {
    throw new EnrootError("Unsupported", `Image has encrypted layers: ${what}`);
  }
  if (!/^$|tar|octet-stream/.test(mediaType)) {
    throw new EnrootError("Unsupported", `Image has layers of an unknown type (${mediaType}): ${what}`);
  }
}

/** How well an entry serves an architecture; higher is better, -1 not at all. */
function fitness(entry: PlatformManifest, architecture: string): number {
  // One that says nothing may be for any; the image's configuration tells.
  if (entry.architecture === "" && entry.os === "") return 0;
  if (entry.architecture !== architecture || (entry.os !== "linux" && entry.os !== "")) return -1;
  if (entry.variant === undefined || entry.variant === "") return 3;
  const baseline: Readonly<Record<string, string>> = { arm64: "v8", amd64: "v1" };
  return entry.variant === baseline[architecture] ? 2 : 1;
}

/**
 * Chooses the manifest of an index for an architecture: a plain or baseline variant before special ones.
 * @throws EnrootError NotFound, listing what there is
 */
export function selectPlatform(
  manifests: readonly PlatformManifest[],
  architecture: string,
  what: string,
): Digest {
  const rated = manifests.map((entry) => ({ entry, rate: fitness(entry, architecture) }));
  const best = rated.filter(({ rate }) => rate >= 0).sort((a, b) => b.rate - a.rate)[0];
  if (best) return best.entry.digest;
  const known = manifests.filter(({ os }) => os !== "unknown");
  const names = [
    ...new Set(
      known.map(({ os, architecture: name, variant }) => [os, name, variant].filter(Boolean).join("/")),
    ),
  ];
  throw new EnrootError("NotFound", `No image for ${architecture}: ${what}`, {
    hint: `it exists for ${names.join(", ") || "nothing"}`,
  });
}
