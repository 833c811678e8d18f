// SPDX-License-Identifier: Apache-2.0
// docker://: an image of a registry as an ImageSource.
import { readFileSync } from "node:fs";
import type { Settings } from "../../config/settings.ts";
import { EnrootError } from "../../errors.ts";
import { type Digest, digestOf, isDigest } from "../../image/digest.ts";
import type { ImageSource, LayerDescriptor } from "../../image/image-source.ts";
import { type Manifest, parseManifest, selectPlatform } from "../../image/manifest.ts";
import { checkLayers, configLimit, parseImageConfig } from "../../image/oci-config.ts";
import { canonicalUri, parseReference, referenceOf } from "../../image/reference.ts";
import { log } from "../../log.ts";
import { openHttp } from "../../system/http.ts";
import { readCredentials } from "../credentials.ts";
import type { ImageRequest } from "../source.ts";
import { openAuth } from "./auth.ts";
import { openBlobCache } from "./blob-cache.ts";
import { fetchManifest, type Repository } from "./client.ts";
import { type Downloads, openDownloads } from "./downloads.ts";

/** How deep indexes may stand in indexes. */
const nesting = 3;

interface Resolved {
  readonly digest: Digest;
  readonly image: Extract<Manifest, { kind: "image" }>;
}

async function openRepository(uri: string, settings: Settings, signal: AbortSignal): Promise<Repository> {
  const { registry, repository, user, password } = parseReference(uri);
  const { environment, allowHttp, configPath } = settings;
  if (password !== undefined) log.warn("A password in a URI can be read by all users of this machine");
  if (uri.startsWith("docker://@"))
    log.warn("No user in the URI: a shell takes $oauthtoken away unless it is quoted");
  const http = await openHttp({
    connectTimeout: settings.connectTimeout,
    transferTimeout: settings.transferTimeout,
    retries: settings.transferRetries,
    allowHttp,
    environment,
    signal,
  });
  const file = readCredentials(configPath, environment);
  const auth = openAuth({ http, registry, repository, user, password, file, allowHttp });
  return { http, auth, registry, name: repository, allowHttp };
}

async function resolveManifest(repository: Repository, reference: string, arch: string): Promise<Resolved> {
  const what = `${repository.registry}/${repository.name}${isDigest(reference) ? "@" : ":"}${reference}`;
  let wanted = reference;
  log.info("Querying registry for permission grant");
  for (let depth = 0; depth <= nesting; depth++) {
    const { bytes, digest } = await fetchManifest(repository, wanted);
    if (depth === 0 && !repository.auth.asked()) log.info("Permission granted");
    if (depth === 0) log.info("Fetching image manifest");
    const manifest = parseManifest(bytes, what);
    if (manifest.kind === "image") return { digest, image: manifest };
    wanted = selectPlatform(manifest.manifests, arch, what);
  }
  throw new EnrootError("Corrupt", `Too many indexes within each other: ${what}`);
}

/** Digest of the manifest that a docker:// URI means for an architecture. */
export async function resolveDockerDigest({ uri, arch, settings, signal }: ImageRequest): Promise<Digest> {
  const repository = await openRepository(uri, settings, signal);
  return (await resolveManifest(repository, referenceOf(parseReference(uri)), arch)).digest;
}

/** Resolves a docker:// URI. Its layers are fetched from the first time on that one is asked for. */
export async function openDockerImage(request: ImageRequest): Promise<ImageSource> {
  const { uri, arch, settings } = request;
  const reference = parseReference(uri);
  const what = canonicalUri(reference);
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  const repository = await openRepository(uri, settings, signal);
  const { digest, image } = await resolveManifest(repository, referenceOf(reference), arch);
  const cache = openBlobCache(settings.cachePath, signal);
  const downloads = openDownloads({ repository, cache, settings, signal, onProgress: request.onProgress });
  if (image.config.size > configLimit)
    throw new EnrootError("Corrupt", `Image configuration is too large: ${what}`);
  const config = parseImageConfig(await readConfig(downloads, image.config), what);
  checkLayers(image.layers.length, config.diffIds, what);
  if (config.architecture !== "" && config.architecture !== arch) {
    log.warn(`Image architecture doesn't match the requested one: ${config.architecture} != ${arch}`);
  }
  // Whoever finds that it has the image already needs none of them.
  let files: readonly Promise<string>[] = [];
  let first = Number.POSITIVE_INFINITY;
  let skipped = 0;
  return {
    uri: what,
    manifestDigest: digest,
    configDigest: image.config.digest,
    config,
    layers: image.layers,
    layerFile: async (index) => {
      if (index < first) {
        first = Math.min(skipped, index);
        files = downloads.start(image.layers.slice(first));
      }
      return { path: await (files[index - first] ?? noLayer(index)) };
    },
    skipLayers: (count) => {
      skipped = count;
    },
    close: async () => {
      stop.abort(new Error("not needed any more"));
      await downloads.settled();
    },
  };
}

function noLayer(index: number): never {
  throw new RangeError(`no layer ${index}`);
}

/** The configuration's bytes, which are those of its digest even where others may write to the cache. */
async function readConfig(downloads: Downloads, blob: LayerDescriptor): Promise<Uint8Array> {
  const bytes = readFileSync(await downloads.obtain(blob));
  if (digestOf(bytes) === blob.digest) return bytes;
  throw new EnrootError("Corrupt", `The image configuration ${blob.digest} changed in the cache`);
}
