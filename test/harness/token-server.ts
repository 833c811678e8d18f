// SPDX-License-Identifier: Apache-2.0
// A token server as the Docker registry's token authentication wants it: JSON web tokens signed by a key that the
// registry trusts.

import { createHash, createPublicKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Certificate } from "./certificate.ts";

/** How the token server behaves. */
export interface TokenServerOptions {
  readonly certificate: Certificate;
  /** Who gets tokens; anybody, without a password, when absent. */
  readonly account?: { readonly user: string; readonly password: string };
  /** Seconds until a token expires, 60 by default. */
  readonly lifetime?: number;
}

/** A running token server. */
export interface TokenServer extends AsyncDisposable {
  /** The address for `auth.token.realm`. */
  readonly realm: string;
  readonly issuer: string;
  readonly service: string;
  /** How many tokens were given out. */
  issued(): number;
}

const issuer = "enroot test issuer";
const service = "enroot-test-registry";

/** Starts a token server on a free port of the loopback interface. */
export function startTokenServer(options: TokenServerOptions): TokenServer {
  let count = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      if (!admitted(request, options.account)) return new Response("who are you?", { status: 401 });
      count += 1;
      const lifetime = options.lifetime ?? 60;
      const token = signed(claims(new URL(request.url), lifetime), options.certificate);
      return Response.json({ token, expires_in: lifetime, issued_at: new Date().toISOString() });
    },
  });
  return {
    realm: `http://127.0.0.1:${server.port}/token`,
    issuer,
    service,
    issued: () => count,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function admitted(request: Request, account: TokenServerOptions["account"]): boolean {
  if (account === undefined) return true;
  const expected = Buffer.from(`${account.user}:${account.password}`).toString("base64");
  return request.headers.get("authorization") === `Basic ${expected}`;
}

function claims(url: URL, lifetime: number): object {
  const now = Math.floor(Date.now() / 1000);
  const access = url.searchParams.getAll("scope").map((scope) => {
    const [type = "", name = "", actions = ""] = scope.split(":");
    return { type, name, actions: actions.split(",") };
  });
  const times = { exp: now + lifetime, nbf: now - 10, iat: now };
  return { iss: issuer, sub: "", aud: service, jti: randomUUID(), ...times, access };
}

function signed(payload: object, certificate: Certificate): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = encode({ typ: "JWT", alg: "RS256", kid: keyId(certificate.certificate) });
  const text = `${head}.${encode(payload)}`;
  return `${text}.${sign("sha256", Buffer.from(text), readFileSync(certificate.key)).toString("base64url")}`;
}

// libtrust's fingerprint of a public key: 30 bytes of its SHA-256 in base 32, in groups of four.
function keyId(certificate: string): string {
  const key = createPublicKey(readFileSync(certificate)).export({ type: "spki", format: "der" });
  const digest = createHash("sha256").update(key).digest().subarray(0, 30);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join("");
  return (letters.match(/.{4}/g) ?? []).join(":");
}
