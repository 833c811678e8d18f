// SPDX-License-Identifier: Apache-2.0
// The first lines of a bundle: assignments that packaging/bundle.sh relies on.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What a bundle says about itself. */
export interface BundleHeader {
  readonly description: string;
  /** Where --keep leaves it; `${NAME}` is replaced when it is run. */
  readonly target: string;
  readonly version: string;
  /** Digest of the archive in hex; undefined: none is checked. */
  readonly sha256: string | undefined;
  /** Bytes of the archive, and of the files in it. */
  readonly size: number;
  readonly unpacked: number;
}

/** A number that takes as much room as any other. */
function fixed(number: number): string {
  return String(number).padStart(16);
}

/** A word of a shell that stands for a text. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A word in which a shell replaces variables, and nothing else. */
function expandedWord(text: string): string {
  const inert = text.replace(/\$\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*|[\\"`$]/g, (part) =>
    part.length > 1 ? part : `\\${part}`,
  );
  return `"${inert}"`;
}

/**
 * Text of a bundle before its archive. Its length does not depend on the digest and the sizes.
 * @param library ENROOT_LIBRARY_PATH
 */
export function bundleHeader(header: BundleHeader, library: string): Buffer {
  const script = readFileSync(join(library, "bundle.sh"), "utf8");
  const text = (offset: number): string =>
    [
      "#!/usr/bin/env bash",
      `readonly bundle_description=${shellWord(header.description)}`,
      `readonly bundle_target=${expandedWord(header.target)}`,
      `readonly bundle_version=${shellWord(header.version)}`,
      `readonly bundle_sha256="${header.sha256 ?? ""}"`,
      `readonly bundle_offset="${fixed(offset)}"`,
      `readonly bundle_size="${fixed(header.size)}"`,
      `readonly bundle_unpacked="${fixed(header.unpacked)}"`,
      script,
    ].join("\n");
  return Buffer.from(text(Buffer.byteLength(text(0))));
}
