// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/** An image in a registry. */
export interface ImageReference {
  readonly user: string | undefined;
  /** Host, with a port if one was given. */
  readonly registry: string;
  /** Path of the repository, `library/` included. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** The host that serves Docker Hub (all its names mean this one). */
export const dockerHub = "registry-1.docker.io";
const hubNames = new Set(["docker.io", "index.docker.io", dockerHub]);

// Grammar of the distribution project (reference.go), with what bash enroot accepted besides (`.-_` runs).
const repositoryForm = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;
const tagForm = /^\w[\w.-]{0,127}$/;
const registryForm =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

function invalid(uri: string, why: string): EnrootError {
  return new EnrootError("Usage", `Invalid image reference: ${uri}`, { hint: why });
}

/**
 * Parses `docker://[USER@][REGISTRY#|REGISTRY/]IMAGE[:TAG][@DIGEST]`.
 * @throws EnrootError Usage, saying what is wrong
 */
export function parseReference(uri: string): ImageReference {
  const shape = "docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]";
  if (!uri.startsWith("docker://")) throw invalid(uri, `${shape} is needed`);
  const { rest: afterUser, user } = takeUser(uri.slice("docker://".length));
  const { rest: beforeDigest, digest } = takeDigest(afterUser, uri);
  const { registry, rest } = takeRegistry(beforeDigest);
  if (registry !== undefined && !registryForm.test(registry))
    throw invalid(uri, `${registry} is no registry`);
  const colon = rest.indexOf(":");
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !tagForm.test(tag)) throw invalid(uri, `${JSON.stringify(tag)} is no tag`);
  if (!repositoryForm.test(repository)) {
    throw invalid(uri, /[A-Z]/.test(repository) ? "image names are lower case" : `${shape} is needed`);
  }
  const hub = registry === undefined || hubNames.has(registry.toLowerCase());
  return {
    user,
    registry: hub ? dockerHub : (registry ?? dockerHub),
    repository: hub && !repository.includes("/") ? `library/${repository}` : repository,
    tag,
    digest,
  };
}

/** A user may contain anything but what separates it: the digest's @ comes after a colon and `sha256`. */
function takeUser(text: string): { user: string | undefined; rest: string } {
  const at = text.replace(/@sha\d+:[^@]*$/, "").lastIndexOf("@");
  if (at < 0) return { user: undefined, rest: text };
  return { user: text.slice(0, at) || undefined, rest: text.slice(at + 1) };
}

function takeDigest(text: string, uri: string): { digest: Digest | undefined; rest: string } {
  const at = text.indexOf("@");
  if (at < 0) return { digest: undefined, rest: text };
  const digest = text.slice(at + 1);
  if (!isDigest(digest)) throw invalid(uri, "a digest is sha256: and 64 lower-case hex digits");
  return { digest, rest: text.slice(0, at) };
}

/** `REGISTRY#` always is one; `REGISTRY/` only with a dot or a port, else it is a part of the image's name. */
function takeRegistry(text: string): { registry: string | undefined; rest: string } {
  const hash = text.indexOf("#");
  if (hash >= 0) return { registry: text.slice(0, hash), rest: text.slice(hash + 1) };
  const slash = text.indexOf("/");
  const first = text.slice(0, slash);
  if (slash > 0 && /[.:]/.test(first)) return { registry: first, rest: text.slice(slash + 1) };
  return { registry: undefined, rest: text };
}

/** What to ask a registry for: the digest if there is one, else the tag, else `latest`. */
export function referenceOf({ digest, tag }: ImageReference): string {
  return digest ?? tag ?? "latest";
}

/** The reference as text, without the user: what provenance records. */
export function canonicalUri(reference: ImageReference): string {
  const separator = reference.digest === undefined ? ":" : "@";
  return `docker://${reference.registry}#${reference.repository}${separator}${referenceOf(reference)}`;
}

/** Name of the image's file or container: `/` as `+`, then `+TAG` (or `+DIGEST`) when one was given. */
export function defaultName({ registry, repository, tag, digest }: ImageReference): string {
  const name = registry === dockerHub ? repository.replace(/^library\//, "") : repository;
  const version = digest ?? tag;
  return `${name.replaceAll("/", "+")}${version === undefined ? "" : `+${version}`}`;
}
