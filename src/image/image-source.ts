// SPDX-License-Identifier: Apache-2.0
import type { Digest } from "./digest.ts";
import type { ImageConfig } from "./oci-config.ts";

/** How large a layer is as it comes. */
export interface LayerBytes {
  /** Size in bytes on the wire. */
  readonly size: number;
}

/** One layer of an image as its manifest describes it. */
export interface LayerDescriptor extends LayerBytes {
  /** Digest of the bytes on the wire (compressed). */
  readonly digest: Digest;
  /** Media type as written; the real compression is recognised from the content. */
  readonly mediaType: string;
}

/** Where the bytes of a layer are: a file, or a part of one. */
export interface LayerFile {
  readonly path: string;
  readonly part?: { readonly offset: number; readonly size: number };
}

/** One image chosen for one architecture, its blobs on their way into the local cache. */
export interface ImageSource {
  /** Where it came from, without user name: what provenance records. */
  readonly uri: string;
  /** Digest of the manifest for the architecture; none for images of a daemon. */
  readonly manifestDigest: Digest | undefined;
  readonly configDigest: Digest;
  readonly config: ImageConfig;
  /** Bottom layer first. */
  readonly layers: readonly LayerBytes[];
  /**
   * Resolves with the place of layer `index` (0: bottom), complete and verified against its digest, if it has one.
   * The first call has all layers fetched at once, up to the connection limit; callers may ask in any order.
   */
  layerFile(index: number): Promise<LayerFile>;
  /** Says, before the first is asked for, that the lowest `count` layers are not needed. */
  skipLayers(count: number): void;
  /** Stops what is still being fetched and removes partial files of this process. Safe to call twice. */
  close(): Promise<void>;
}
