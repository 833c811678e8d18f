// SPDX-License-Identifier: Apache-2.0
// Where images come from: one function for each scheme of URIs. May import: image, config (types), system, errors, log.
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import type { ImageSource } from "../image/image-source.ts";
import { withoutPassword } from "../image/reference.ts";

/** How far a download is. Bytes are those on the wire. */
export interface Progress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly layersDone: number;
  readonly layersTotal: number;
}

/** An image that is wanted. */
export interface ImageRequest {
  readonly uri: string;
  /** OCI name of the architecture. */
  readonly arch: string;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

function schemeOf(uri: string): string {
  return /^([a-z][a-z0-9+.-]*):\/\//.exec(uri)?.[1] ?? "";
}

function refuseScheme(uri: string): EnrootError {
  const scheme = schemeOf(uri);
  if (["dockerd", "podman"].includes(scheme))
    return new EnrootError("Unsupported", `Images of ${scheme}:// have no manifest digest: ${uri}`);
  const name = withoutPassword(uri.replace(/^([a-z]+:\/*)?/i, "docker://"));
  return new EnrootError("Usage", `Invalid argument: ${withoutPassword(uri)}`, {
    hint: `a URI such as ${name} is needed`,
  });
}

/**
 * Finds an image.
 * @throws EnrootError Usage, NotFound, Registry, Corrupt, Unsupported
 */
export async function openImage(request: ImageRequest): Promise<ImageSource> {
  const scheme = schemeOf(request.uri);
  if (scheme === "dockerd" || scheme === "podman")
    return (await import("./engine/engine-image.ts")).openEngineImage(scheme, request);
  if (scheme !== "docker") throw refuseScheme(request.uri);
  return (await import("./docker/docker-image.ts")).openDockerImage(request);
}

/**
 * What an image's configuration digest probably is, in hexadecimal, where that can be had for less than the image.
 * @throws EnrootError Usage, Tool
 */
export async function recogniseImage(request: ImageRequest): Promise<string | undefined> {
  const scheme = schemeOf(request.uri);
  if (scheme !== "dockerd" && scheme !== "podman") return undefined;
  return (await import("./engine/engine-image.ts")).recogniseEngineImage(scheme, request);
}

/** Digest of an image's manifest for an architecture. @throws EnrootError as `openImage` */
export async function resolveDigest(request: ImageRequest): Promise<Digest> {
  if (schemeOf(request.uri) !== "docker") throw refuseScheme(request.uri);
  return (await import("./docker/docker-image.ts")).resolveDockerDigest(request);
}
