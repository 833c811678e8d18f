// SPDX-License-Identifier: Apache-2.0
// Where containers live: dir/ (plain directories) and zfs/ (datasets, cloned from templates).
// May import: image, system, errors.

import type { Digest } from "../image/digest.ts";
import type { Provenance } from "../image/provenance.ts";

declare const brand: unique symbol;

/** A container's name: no slash, no leading dot, no control characters, at most 255 bytes. */
export type ContainerName = string & { readonly [brand]: "ContainerName" };

/** What an image is known by where images are kept, and where it came from. */
export interface TemplateIdentity {
  /** 64 hexadecimal digits: the sha256 of an image file, or of a configuration that a registry's image is named by. */
  readonly key: string;
  /** Where it came from, without a user's name. */
  readonly uri?: string | undefined;
  /** `sha256:…` of its manifest. */
  readonly manifestDigest?: Digest | undefined;
  /** OCI name. */
  readonly arch?: string | undefined;
}

/** The layers that a content consists of, each over the tree of those below. */
export interface LayerChain {
  /** What is known by 64 hexadecimal digits: each layer together with all below it, bottom first. */
  readonly ids: readonly string[];
  /** Says that the lowest `count` layers are there already. */
  skip(count: number): void;
  /** Applies a layer to the tree of those below, which it may leave half done. @throws EnrootError */
  apply(index: number, directory: string): Promise<void>;
  /** Adds what is in no layer. @throws EnrootError */
  complete(directory: string): Promise<void>;
}

/** Something that containers are made of. */
export interface Content {
  /** What it is known by: asked only by a store that keeps templates, and before `fill`. */
  identify(): Promise<TemplateIdentity>;
  /** What it is probably known by, for less: it is, if there is such a template. */
  recognise?(): Promise<TemplateIdentity | undefined>;
  /** Writes the root file system into an empty directory; a second time if there was no space for the first. */
  fill(directory: string): Promise<void>;
  /** Its layers one by one, if they are to be kept apart: used instead of `fill`. */
  layers?(): Promise<LayerChain | undefined>;
  /** A file with a stream of the root file system, which a store that can receives instead. */
  readonly stream?: string;
  /** Lets go of what it holds. */
  close?(): Promise<void>;
}

/** What `create` is told about the container to make. */
export interface CreateOptions {
  readonly name: ContainerName;
  /** Replace a container of that name. */
  readonly force: boolean;
  readonly content: Content;
}

/** What the root of a process' mount namespace is. */
export interface RootMount {
  /** Numbers of the file system. */
  readonly device: string;
  /** What of the file system is mounted. */
  readonly root: string;
  /** What the file system is made of. */
  readonly source: string;
}

/** A root file system that is there for one start. */
export interface Ephemeral {
  readonly path: string;
  /** What `release` needs to know. */
  readonly id: string;
}

/** Images that are kept, and that containers are cloned from. Each verb is safe under concurrent callers. */
export interface Templates {
  /**
   * Whether it is there now.
   * @param key of its identity
   */
  has(key: string): Promise<boolean>;
  /**
   * Makes the template unless it is there.
   * @throws whatever the content throws, with nothing left behind
   */
  ensure(content: Content): Promise<{ readonly identity: TemplateIdentity; readonly had: boolean }>;
  /**
   * Makes a root file system for one start.
   * @param owner process that it is for: once that is gone, the next change of the store takes away what is left
   */
  clone(content: Content, owner: number): Promise<Ephemeral>;
  /** Takes away a root file system of `clone` once no process uses it any more. */
  release(id: string): Promise<void>;
}

/** A container to make of a stream. */
export interface ReceiveOptions {
  readonly name: ContainerName;
  /** Replace a container of that name. */
  readonly force: boolean;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** What is sent of a container: all of it, its template, or what it has changed since it was a clone of that. */
export type StreamPart =
  | { readonly kind: "whole" }
  /** `token`: from where on, as `Streams.held` says it at the receiving end. */
  | { readonly kind: "template"; readonly token?: string | undefined }
  /** `guid`: of the template's snapshot, which has to be the right one. */
  | { readonly kind: "changes"; readonly guid: string };

/** How much of a template is there: all, or so much that the rest will do. */
export type HeldTemplate = { readonly kind: "all" } | { readonly kind: "part"; readonly token: string };

/** Containers as streams. */
export interface Streams {
  /**
   * Writes a container as it is now into a file, which is there and empty, or a descriptor.
   * @throws EnrootError NotFound, Usage, Tool, NoSpace
   */
  send(name: ContainerName, part: StreamPart, output: string | number): Promise<void>;
  /** The same piece by piece. */
  chunks(name: ContainerName, part: StreamPart): AsyncGenerator<Uint8Array>;
  /**
   * Makes a container of a stream: of a whole one, or of changes to a template that is there.
   * @throws EnrootError Exists unless `force`, Corrupt, Unsupported, Tool, NoSpace
   */
  receive(options: ReceiveOptions): Promise<void>;
  /** Makes a template of a stream; when that ends early, what has come is kept. @throws EnrootError as `receive` */
  receiveTemplate(chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Refuses a name that a container has. @throws EnrootError Exists */
  refuseTaken(name: ContainerName): Promise<void>;
  /** The template that a container is a clone of, if any: the guid of its snapshot. @throws EnrootError NotFound */
  templateGuid(name: ContainerName): Promise<string | undefined>;
  /** What is there of a template with that guid. */
  held(guid: string): Promise<HeldTemplate | undefined>;
  /** Has a stream's root file system there while it is used. @throws EnrootError as `receive` */
  withReceived(chunks: AsyncIterable<Uint8Array>, use: (rootfs: string) => Promise<void>): Promise<void>;
  /** Where a container's image came from. @throws EnrootError NotFound */
  provenance(name: ContainerName): Promise<Provenance>;
  /** Records where a container's image came from. @throws EnrootError NotFound */
  describe(name: ContainerName, provenance: Provenance): Promise<void>;
}

/** A place that holds containers. Each verb is safe under concurrent callers. */
export interface Store {
  /** Names of all containers, sorted bytewise. */
  list(): Promise<ContainerName[]>;
  /** Path of an existing container's root file system. @throws EnrootError NotFound */
  rootfs(name: ContainerName): Promise<string>;
  /**
   * Makes a container: the name appears only when it is complete.
   * @throws EnrootError Exists unless `force`; whatever the content throws, with nothing left behind
   */
  create(options: CreateOptions): Promise<void>;
  /** Deletes a container, whatever permissions its files have; never crosses into a mount. @throws EnrootError NotFound */
  remove(name: ContainerName): Promise<void>;
  /** The container whose root file system something is mounted from, by what mountinfo says of that. */
  containerAt(mount: RootMount): ContainerName | undefined;
  /** Absent where each container is a copy of its own. */
  readonly templates?: Templates;
  /** Absent where containers are no file systems. */
  readonly streams?: Streams;
}
