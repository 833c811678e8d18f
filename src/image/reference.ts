// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/** An image in a registry. */
export interface ImageReference {
  readonly user: string | undefined;
  /** `USER:PASSWORD@`, as curl takes it; visible to every user of the machine. */
  readonly password: string | undefined;
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
  /^(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

const shape = "docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]";

/** A URI fit for messages: without the password that some write into it. */
export function withoutPassword(uri: string): string {
  const { rest, user } = takeUser(uri.replace(/^[a-z]+:\/\//, ""));
  if (!user?.includes(":")) return uri;
  return `${/^[a-z]+:\/\//.exec(uri)?.[0] ?? ""}${user.replace(/:.*$/s, "")}@${rest}`;
}

/**
 * Parses `docker://[USER@][REGISTRY#|REGISTRY/]IMAGE[:TAG][@DIGEST]`.
 * @throws EnrootError Usage, saying what is wrong, and how it would be right
 */
export function parseReference(uri: string): ImageReference {
  const parsed = parseParts(uri);
  if (typeof parsed !== "string") return parsed;
  const right = spellings(uri).find((spelling) => typeof parseParts(spelling) !== "string");
  const advice = right === undefined ? parsed : `${parsed}; did you mean ${withoutPassword(right)}?`;
  throw new EnrootError("Usage", `Invalid image reference: ${withoutPassword(uri)}`, { hint: advice });
}

/** What could be meant by a reference that is none. */
function spellings(uri: string): string[] {
  const plain = uri.trim().replace(/^docker:\/*(https?:\/\/)?\/*/i, "docker://");
  const { rest } = takeUser(plain.slice("docker://".length));
  const start = plain.slice(0, plain.length - rest.length);
  const name = rest.replace(/^([^#:]*):(?!\d+[/#])([^#]*\/)/, "$1#$2");
  const tagged = name.replace(/^([^#]*#[^#]*)#/, "$1:").replace(/::+/, ":");
  const lower = tagged.replace(/^[^:@]*(?::\d+[#/][^:@]*)?/, (text) => text.toLowerCase());
  return [plain, start + tagged, start + lower];
}

/** The parts of a reference, or what is wrong with it. */
function parseParts(uri: string): ImageReference | string {
  if (!uri.startsWith("docker://")) return `${shape} is needed`;
  const { rest: afterUser, user: account } = takeUser(uri.slice("docker://".length));
  if (/\p{Cc}/u.test(account ?? "")) return "a user has no control characters";
  const { rest: beforeDigest, digest } = takeDigest(afterUser);
  if (digest !== undefined && !isDigest(digest)) return "a digest is sha256: and 64 lower-case hex digits";
  const { registry, rest } = takeRegistry(beforeDigest);
  if (registry !== undefined && !registryForm.test(registry))
    return `${JSON.stringify(registry)} is no registry`;
  const [, repository = "", tag] = /^([^:]*)(?::(.*))?$/s.exec(rest) ?? [];
  if (tag !== undefined && !tagForm.test(tag)) return `${JSON.stringify(tag)} is no tag`;
  if (!repositoryForm.test(repository))
    return /[A-Z]/.test(repository) ? "image names are lower case" : `${shape} is needed`;
  const [user, password] = splitAccount(account);
  const hub = registry === undefined || hubNames.has(registry.toLowerCase());
  return {
    user,
    password,
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
  return { user: text.slice(0, at), rest: text.slice(at + 1) };
}

/** An empty user is none: a `$oauthtoken` that a shell has made nothing of. */
function splitAccount(account = ""): [user: string | undefined, password: string | undefined] {
  const colon = account.indexOf(":");
  if (colon < 0) return [account || undefined, undefined];
  return [account.slice(0, colon), account.slice(colon + 1)];
}

function takeDigest(text: string): { digest: string | undefined; rest: string } {
  const at = text.indexOf("@");
  if (at < 0) return { digest: undefined, rest: text };
  return { digest: text.slice(at + 1), rest: text.slice(0, at) };
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

const engineForm = /^(?:dockerd|podman):\/\/([\w./:@-]+)$/;

/** The image that `dockerd://IMAGE` or `podman://IMAGE` means to its engine. @throws EnrootError Usage */
export function parseEngineReference(uri: string): string {
  const image = engineForm.exec(uri)?.[1];
  // What begins with a hyphen is an option to the engine's program.
  if (image !== undefined && !image.startsWith("-")) return image;
  throw new EnrootError("Usage", `Invalid image reference: ${uri}`, {
    hint: "dockerd://IMAGE[:TAG] or podman://IMAGE[:TAG] is needed",
  });
}

/** Default name of an image's file or container. Of other schemes none is needed: opening them fails. @throws EnrootError Usage */
export function imageName(uri: string): string {
  if (/^(dockerd|podman):/.test(uri)) return parseEngineReference(uri).replace(/[:/]/g, "+");
  return uri.startsWith("docker://") ? defaultName(parseReference(uri)) : "image";
}

/** Name of the image's file or container: `/` as `+`, then `+TAG` (or `+DIGEST`) when one was given. */
export function defaultName({ registry, repository, tag, digest }: ImageReference): string {
  const name = registry === dockerHub ? repository.replace(/^library\//, "") : repository;
  const version = digest ?? tag;
  return `${name.replaceAll("/", "+")}${version === undefined ? "" : `+${version}`}`;
}
