// SPDX-License-Identifier: Apache-2.0
// Images made by hand, to be served by a scripted registry.
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";

/** Blobs and manifests by digest, and the manifest that the tag `latest` means. */
export interface ScriptedImage {
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly manifest: Uint8Array;
  readonly mediaType: string;
}

/** How a layer is stored. */
export type Compression = "gzip" | "zstd" | "none";

/** A layer: its archive, or exact bytes with the diffID that they shall have. */
export type Layer =
  | { readonly tar: Uint8Array; readonly compression?: Compression; readonly mediaType?: string }
  | { readonly stored: Uint8Array; readonly tar: Uint8Array; readonly mediaType?: string };

/** `sha256:` of some bytes. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

const suffix: Readonly<Record<Compression, string>> = { gzip: "+gzip", zstd: "+zstd", none: "" };

function store(layer: Layer): { stored: Uint8Array; mediaType: string } {
  if ("stored" in layer) {
    return {
      stored: layer.stored,
      mediaType: layer.mediaType ?? "application/vnd.oci.image.layer.v1.tar+gzip",
    };
  }
  const compression = layer.compression ?? "gzip";
  const compress = { gzip: gzipSync, zstd: zstdCompressSync, none: (bytes: Uint8Array) => bytes }[
    compression
  ];
  const mediaType = `application/vnd.oci.image.layer.v1.tar${suffix[compression]}`;
  return { stored: compress(layer.tar), mediaType: layer.mediaType ?? mediaType };
}

/** What an image may have besides layers. */
export interface ImageOptions {
  readonly config?: unknown;
  /** The whole configuration instead of one made of `config`. */
  readonly wholeConfig?: unknown;
  readonly architecture?: string;
  /** Changes the manifest before it is stored. */
  readonly edit?: (manifest: Record<string, unknown>) => unknown;
}

/** Makes an image of layers, bottom first. */
export function scriptedImage(layers: readonly Layer[], options: ImageOptions = {}): ScriptedImage {
  const blobs = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array): { digest: string; size: number } => {
    blobs.set(digestOf(bytes), bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const architecture = options.architecture ?? { x64: "amd64", arm64: "arm64" }[process.arch as string];
  const config = options.wholeConfig ?? {
    architecture,
    os: "linux",
    config: options.config ?? {},
    rootfs: { type: "layers", diff_ids: layers.map(({ tar }) => digestOf(tar)) },
  };
  const descriptors = layers.map((layer) => {
    const { stored, mediaType } = store(layer);
    return { mediaType, ...put(stored) };
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      ...put(Buffer.from(JSON.stringify(config))),
    },
    layers: descriptors,
  };
  const edited = options.edit?.(manifest) ?? manifest;
  return { blobs, manifest: Buffer.from(JSON.stringify(edited)), mediaType };
}
