// SPDX-License-Identifier: Apache-2.0
// Which authorities a TLS server may be vouched for by: those of the site's choice, the system's, or the built-in ones.
import { readdirSync, readFileSync } from "node:fs";
import { EnrootError } from "../errors.ts";

/** Where distributions keep the certificates that they trust. */
const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
];

/** Where container engines keep certificates for one registry. */
const perHost = ["/etc/docker/certs.d", "/etc/containers/certs.d"];

/** Certificates in PEM form for a host with its port. Never empty. */
export type CertificateStore = (host: string) => readonly string[];

/**
 * Reads SSL_CERT_FILE and SSL_CERT_DIR, else the system's certificates, else those that Bun comes with.
 * @throws EnrootError Usage when one of the variables names nothing that holds a certificate
 */
export async function readCertificates(environment: ReadonlyMap<string, string>): Promise<CertificateStore> {
  const file = environment.get("SSL_CERT_FILE");
  const directory = environment.get("SSL_CERT_DIR");
  const directories = (directory ?? "").split(":");
  let common = [...(file ? readPem(file) : []), ...directories.flatMap((path) => readDirectory(path))];
  if (common.length === 0 && (file || directory)) {
    const name = file ? "SSL_CERT_FILE" : "SSL_CERT_DIR";
    throw new EnrootError("Usage", `Could not read certificates: ${file || directory} (from ${name})`);
  }
  if (common.length === 0) common = bundles.flatMap(readPem);
  // Named explicitly, so that no variable of the runtime (NODE_EXTRA_CA_CERTS) adds to them.
  if (common.length === 0) common = [...(await import("node:tls")).rootCertificates];
  return (host) => {
    const special = perHost.flatMap((base) => readDirectory(`${base}/${host}`, ".crt"));
    return special.length > 0 ? [...common, ...special] : common;
  };
}

/** The files of a directory, each text once: directories for OpenSSL hold a link to every file. */
function readDirectory(directory: string, suffix = ""): string[] {
  if (directory === "") return [];
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(suffix));
    return [...new Set(names.flatMap((name) => readPem(`${directory}/${name}`)))];
  } catch {
    return [];
  }
}

function readPem(file: string): string[] {
  try {
    const text = readFileSync(file, "latin1");
    return text.includes("-----BEGIN CERTIFICATE-----") ? [text] : [];
  } catch {
    return [];
  }
}
