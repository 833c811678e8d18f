// SPDX-License-Identifier: Apache-2.0
// A certificate authority of a test's own, and what it signs.

import { join } from "node:path";
import { host } from "./process.ts";

/** Files in PEM form. */
export interface Certificate {
  /** The authority's certificate: what a client has to trust. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Makes an authority and a server certificate for localhost and 127.0.0.1 in `directory`. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): Promise<string> => host(["openssl", ...args]);
  const request = ["req", "-newkey", "rsa:2048", "-nodes", "-batch"];
  const authority = ["-x509", "-days", "2", "-subj", "/CN=enroot test authority"];
  await openssl(...request, ...authority, "-keyout", file("ca.key"), "-out", file("ca.crt"));
  await openssl(
    ...request,
    "-subj",
    "/CN=localhost",
    "-keyout",
    file("server.key"),
    "-out",
    file("server.csr"),
  );
  await Bun.write(file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const signer = [
    "-CA",
    file("ca.crt"),
    "-CAkey",
    file("ca.key"),
    "-CAcreateserial",
    "-extfile",
    file("names"),
  ];
  await openssl(
    "x509",
    "-req",
    "-days",
    "2",
    ...signer,
    "-in",
    file("server.csr"),
    "-out",
    file("server.crt"),
  );
  return { authority: file("ca.crt"), certificate: file("server.crt"), key: file("server.key") };
}
