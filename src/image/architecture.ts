// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";

/** Names of an architecture: the kernel's (uname) and the one of Debian, Go and OCI. */
const machines: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  ppc64le: "ppc64le",
  x64: "amd64",
};

/**
 * The OCI name (`amd64`) of an architecture given by either name.
 * @throws EnrootError Usage for any other
 */
export function parseArchitecture(name: string): string {
  if (Object.values(machines).includes(name)) return name;
  const known = Object.hasOwn(machines, name) ? machines[name] : undefined;
  if (known) return known;
  throw new EnrootError("Usage", `Unsupported architecture: ${name}`, {
    hint: "amd64 (x86_64), arm64 (aarch64) and ppc64le are known",
  });
}
