// SPDX-License-Identifier: Apache-2.0
// The distribution protocol (OCI distribution specification 1.1): manifests and blobs of one repository.
import { EnrootError } from "../../errors.ts";
import { type Digest, digestOf, isDigest } from "../../image/digest.ts";
import { acceptedTypes, manifestLimit } from "../../image/manifest.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../system/http.ts";
import type { Authenticator } from "./auth.ts";
import { readBody } from "./body.ts";

/** One repository of one registry. */
export interface Repository {
  readonly http: HttpClient;
  readonly auth: Authenticator;
  readonly registry: string;
  readonly name: string;
  readonly allowHttp: boolean;
}

/** A manifest's exact bytes and the digest that they have. */
export interface ManifestBytes {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

function urlOf({ registry, name, allowHttp }: Repository, path: string): string {
  return `${allowHttp ? "http" : "https"}://${registry}/v2/${name}/${path}`;
}

/** One request, authenticated as the registry asks: at first, and once more for a token that has run out. */
async function authorized(repository: Repository, request: HttpRequest): Promise<HttpResponse> {
  let authorization = await repository.auth.header();
  for (let attempt = 0; ; attempt++) {
    const response = await repository.http({ ...request, authorization });
    // Another site to which a redirect leads has no say in how we authenticate here.
    if (response.status !== 401 || attempt >= 2 || !isRegistry(repository, response)) return response;
    await response.body?.cancel();
    await repository.auth.renew(response, authorization);
    authorization = await repository.auth.header();
  }
}

/** An image as messages name it, without its registry. */
function nameOf({ name }: Repository, reference: string): string {
  return `${name}${isDigest(reference) ? "@" : ":"}${reference}`;
}

function isRegistry({ registry }: Repository, { url }: HttpResponse): boolean {
  return new URL(url).hostname === new URL(`https://${registry}`).hostname;
}

/**
 * Fetches a manifest.
 * @param reference a tag or a digest; the bytes are checked against a digest
 * @throws EnrootError NotFound, Registry, Corrupt
 */
export async function fetchManifest(repository: Repository, reference: string): Promise<ManifestBytes> {
  const url = urlOf(repository, `manifests/${reference}`);
  const response = await authorized(repository, { url, headers: { Accept: acceptedTypes } });
  const bytes = await readBody(response, manifestLimit);
  if (response.status !== 200)
    throw refusal(repository, response, `image ${nameOf(repository, reference)}`, bytes);
  const digest = digestOf(bytes);
  if (isDigest(reference) && digest !== reference) {
    throw new EnrootError(
      "Corrupt",
      `Digest mismatch: the manifest ${reference} of ${repository.registry} is ${digest}`,
    );
  }
  return { bytes, digest };
}

/** A blob, and the byte that it is wanted from. */
export interface BlobRequest {
  readonly digest: Digest;
  readonly offset: number;
}

/**
 * Asks for a blob.
 * @returns the response: 200 with all of it, 206 with a part, or another when there is none from that byte on
 * @throws EnrootError NotFound, Registry
 */
export async function fetchBlob(
  repository: Repository,
  { digest, offset }: BlobRequest,
): Promise<HttpResponse> {
  const url = urlOf(repository, `blobs/${digest}`);
  const headers = offset > 0 ? { Range: `bytes=${offset}-` } : {};
  const response = await authorized(repository, { url, headers });
  // Some answer 400 or 412 to a range that they cannot serve.
  if ([200, 206, 416].includes(response.status) || (offset > 0 && [400, 412].includes(response.status)))
    return response;
  const body = await readBody(response, 1 << 20);
  // Stores behind registries refuse ranges and addresses that have run out in many ways; the registry knows another.
  if (!isRegistry(repository, response)) throw unexpected(response, body);
  throw refusal(repository, response, `blob ${digest}`, body);
}

/** What the registry itself says, in one line without control characters. */
function serverWords(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 4096));
  const words = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? "";
  const plain = words.replace(/\\./g, " ");
  return plain.replace(/[\p{Cc}]/gu, " ").slice(0, 200);
}

function refusal(
  repository: Repository,
  response: HttpResponse,
  what: string,
  body: Uint8Array,
): EnrootError {
  const { status, headers } = response;
  const words = serverWords(body);
  const where = `${what} in ${repository.registry}`;
  if (status === 404)
    return new EnrootError("NotFound", `No such ${where}`, { hint: "check its name, tag and registry" });
  if (status === 401 || status === 403) {
    return new EnrootError("Registry", `Access denied to ${where}${words ? `: ${words}` : ""}`, {
      hint: `it may not exist, or need ${repository.auth.needed()}`,
    });
  }
  if (status === 429) return tooMany(repository, headers, words);
  return unexpected(response, body);
}

function unexpected({ status, url }: HttpResponse, body: Uint8Array): EnrootError {
  const words = serverWords(body);
  return new EnrootError("Registry", `URL ${url} returned error code: ${status}${words ? ` ${words}` : ""}`);
}

function tooMany({ registry }: Repository, headers: Headers, words: string): EnrootError {
  // Docker Hub: `100;w=21600`, so many in so many seconds.
  const [, count, seconds] = /^(\d+);w=(\d+)$/.exec(headers.get("ratelimit-limit") ?? "") ?? [];
  const limit =
    count && seconds ? `the limit is ${count} in ${Math.round(Number(seconds) / 60)} minutes; ` : "";
  return new EnrootError("Registry", `Too many requests to ${registry}${words ? `: ${words}` : ""}`, {
    hint: `${limit}wait, or log in; ENROOT_TRANSFER_RETRIES makes enroot try again`,
  });
}
