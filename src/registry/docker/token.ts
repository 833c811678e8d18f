// SPDX-License-Identifier: Apache-2.0
// Tokens of token servers (the distribution project's token specification, and its OAuth 2 variant).
import { z } from "zod";
import { EnrootError } from "../../errors.ts";
import type { HttpClient, HttpRequest } from "../../system/http.ts";
import type { Credentials } from "../credentials.ts";
import { readBody } from "./body.ts";

/** What is wanted of which server. */
export interface TokenRequest {
  readonly http: HttpClient;
  readonly realm: URL;
  readonly service: string | undefined;
  readonly repository: string;
  readonly credentials: Credentials | undefined;
}

/** A token, and how many seconds it holds. */
export interface Token {
  readonly token: string;
  readonly lifetime: number;
}

const answer = z.object({
  token: z.string().nullish(),
  access_token: z.string().nullish(),
  expires_in: z.number().nullish(),
});

/** Seconds that a token holds when its server does not say. */
const defaultLifetime = 60;
const answerLimit = 1 << 20;

/** The user name by which Docker marks a password that is a token to be exchanged. */
const identityToken = "<token>";

/** The Authorization header for a user and a password. */
export async function basicHeader({ user, password }: Credentials): Promise<string> {
  return `Basic ${Buffer.from(`${user}:${await password()}`).toString("base64")}`;
}

/** Asks for a token; undefined when the server refuses the credentials. @throws EnrootError Registry */
export async function fetchToken(request: TokenRequest): Promise<Token | undefined> {
  // Credentials go to the very server that was checked.
  const response = await request.http({ ...(await messageTo(request)), follow: false });
  const body = await readBody(response, answerLimit);
  if (response.status === 401 || response.status === 403) return undefined;
  if (response.status !== 200)
    throw new EnrootError("Registry", `${response.url} gives no token: error ${response.status}`);
  return parseAnswer(body, response.url);
}

async function messageTo({ realm, service, repository, credentials }: TokenRequest): Promise<HttpRequest> {
  // Never a wider scope than what is needed, whatever the registry proposes.
  const wanted = { ...(service === undefined ? {} : { service }), scope: `repository:${repository}:pull` };
  if (credentials?.user === identityToken) {
    const refresh = {
      grant_type: "refresh_token",
      client_id: "enroot",
      refresh_token: await credentials.password(),
    };
    return { url: realm.href, form: { ...wanted, ...refresh } };
  }
  const url = new URL(realm);
  for (const [name, value] of Object.entries(wanted)) url.searchParams.set(name, value);
  return { url: url.href, authorization: credentials && (await basicHeader(credentials)) };
}

function parseAnswer(body: Uint8Array, url: string): Token {
  try {
    const { token, access_token, expires_in } = answer.parse(JSON.parse(new TextDecoder().decode(body)));
    const text = token || access_token;
    if (text && /^[\x21-\x7e]+$/.test(text)) return { token: text, lifetime: expires_in ?? defaultLifetime };
  } catch {
    // What was wrong with it may hold a token: it is not repeated.
  }
  throw new EnrootError("Registry", `${url} gives no token: invalid answer`);
}
