// SPDX-License-Identifier: Apache-2.0
import type { DiffId } from "./digest.ts";

/** What enroot reads of an image configuration, every field present and of one shape. */
export interface ImageConfig {
  /** Debian or OCI name (`amd64`, `arm64`); empty when the image does not say. */
  readonly architecture: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Absolute path; `/` when none is set. */
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly DiffId[];
}
