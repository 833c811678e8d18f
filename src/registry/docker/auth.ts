// SPDX-License-Identifier: Apache-2.0
// What a registry wants to see before it answers. Tokens live in memory, for one repository of one registry.
import { z } from "zod";
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { HttpClient, HttpResponse } from "../../system/http.ts";
import type { CredentialFile, Credentials } from "../credentials.ts";
import { readBody } from "./body.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { isOwnRealm, parseRealm } from "./realm.ts";

/** Whom to authenticate to, as whom, and how. */
export interface AuthOptions {
  readonly http: HttpClient;
  readonly registry: string;
  readonly repository: string;
  readonly user: string | undefined;
  readonly file: CredentialFile;
  readonly allowHttp: boolean;
}

/** Keeps the Authorization header of one repository. */
export interface Authenticator {
  /** The header to send now; renewed when it has run out. */
  header(): Promise<string | undefined>;
  /** Answers a 401: gets a new header. @throws EnrootError Registry when there is none to get */
  renew(refused: HttpResponse, used: string | undefined): Promise<void>;
}

const answer = z.object({
  token: z.string().nullish(),
  access_token: z.string().nullish(),
  expires_in: z.number().nullish(),
});

/** Seconds that a token holds when its server does not say (the distribution project's token specification). */
const defaultLifetime = 60;
/** Seconds before its end at which a token counts as run out. */
const margin = 5;

/** Makes the authenticator of one repository. */
export function openAuth(options: AuthOptions): Authenticator {
  let current: { header: string; until: number } | undefined;
  let challenge: Challenge | undefined;
  let pending: Promise<void> | undefined;

  const authenticate = async (to: Challenge): Promise<void> => {
    current = to.scheme === "basic" ? basic(options) : await bearer(options, to);
  };
  /** One renewal for all requests that wait for one. */
  const once = (to: Challenge): Promise<void> => {
    pending ??= authenticate(to).finally(() => {
      pending = undefined;
    });
    return pending;
  };
  return {
    header: async () => {
      if (current && challenge && Date.now() > current.until) await once(challenge);
      return current?.header;
    },
    renew: async (refused, used) => {
      if (current && current.header !== used) return;
      challenge = chooseChallenge(refused.headers.get("www-authenticate") ?? "", options.registry);
      if (used !== undefined && challenge.scheme === "basic") throw wrongCredentials(options);
      await once(challenge);
    },
  };
}

function chooseChallenge(header: string, registry: string): Challenge {
  const challenges = parseChallenges(header);
  const chosen = ["bearer", "basic"]
    .map((name) => challenges.find(({ scheme }) => scheme === name))
    .find(Boolean);
  if (chosen) return chosen;
  const offered = challenges.map(({ scheme }) => scheme).join(", ") || "none";
  throw new EnrootError("Registry", `${registry} offers no authentication that we know (${offered})`);
}

function credentialsFor({ file, registry, user }: AuthOptions): Credentials | undefined {
  const found = file.find(registry, user);
  if (found || user === undefined) return found;
  throw new EnrootError("Usage", `No password for user ${user} of ${registry}`, {
    hint: `add "machine ${registry.replace(/:\d+$/, "")} login ${user} password ..." to ${file.path}`,
  });
}

function wrongCredentials(options: AuthOptions): EnrootError {
  const known = credentialsFor(options);
  if (!known)
    return new EnrootError("Registry", `${options.registry} asks for credentials`, {
      hint: missingHint(options),
    });
  return new EnrootError(
    "Registry",
    `${options.registry} refuses user ${known.user}: wrong password or no access`,
    {
      hint: `the credentials are from ${known.source}`,
    },
  );
}

function missingHint({ file, registry }: AuthOptions): string {
  return `add "machine ${registry.replace(/:\d+$/, "")} login USER password PASSWORD" to ${file.path}`;
}

function encode({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

function basic(options: AuthOptions): { header: string; until: number } {
  const credentials = credentialsFor(options);
  log.info(`Authenticating with user: ${credentials?.user ?? "<anonymous>"}`);
  if (!credentials) throw wrongCredentials(options);
  return { header: encode(credentials), until: Number.POSITIVE_INFINITY };
}

/** The registry's credentials if the token server is its own, else only those that the file has for that server. */
function realmCredentials(options: AuthOptions, realm: URL): Credentials | undefined {
  const { file, registry, user } = options;
  if (isOwnRealm(realm, registry)) {
    const own = file.find(registry, user) ?? file.find(realm.host, user);
    return own ?? credentialsFor(options);
  }
  const theirs = file.find(realm.host, user);
  const ours = file.find(registry, user);
  if (theirs && (user !== undefined || ours?.user === theirs.user)) return theirs;
  if (!ours && user === undefined) return undefined;
  throw new EnrootError("Registry", `${registry} wants its password sent to another site, ${realm.host}`, {
    hint: `if that is right, add "machine ${realm.hostname} login ${user ?? ours?.user} password ..." to ${file.path}`,
  });
}

function tokenUrl(realm: URL, { parameters }: Challenge, repository: string): string {
  const url = new URL(realm);
  const service = parameters.get("service");
  if (service !== undefined) url.searchParams.set("service", service);
  // Never a wider scope than what is needed, whatever the registry proposes.
  url.searchParams.set("scope", `repository:${repository}:pull`);
  return url.href;
}

async function bearer(
  options: AuthOptions,
  challenge: Challenge,
): Promise<{ header: string; until: number }> {
  const { registry, repository, allowHttp, http } = options;
  const realm = parseRealm(challenge.parameters.get("realm"), registry, allowHttp);
  const credentials = realmCredentials(options, realm);
  log.info(`Authenticating with user: ${credentials?.user ?? "<anonymous>"}`);
  const asked = Date.now();
  const response = await http({
    url: tokenUrl(realm, challenge, repository),
    authorization: credentials && encode(credentials),
    follow: false,
  });
  const body = await readBody(response, 1 << 20);
  if (response.status === 401 || response.status === 403) throw wrongCredentials(options);
  if (response.status !== 200) {
    throw new EnrootError("Registry", `${response.url} gives no token: error ${response.status}`);
  }
  const parsed = parseAnswer(body, response.url);
  log.info("Authentication succeeded");
  return { header: `Bearer ${parsed.token}`, until: asked + (parsed.lifetime - margin) * 1000 };
}

function parseAnswer(body: Uint8Array, url: string): { token: string; lifetime: number } {
  try {
    const { token, access_token, expires_in } = answer.parse(JSON.parse(new TextDecoder().decode(body)));
    const text = token || access_token;
    if (text && /^[\x21-\x7e]+$/.test(text)) return { token: text, lifetime: expires_in ?? defaultLifetime };
  } catch {
    // What was wrong with it may hold a token: it is not repeated.
  }
  throw new EnrootError("Registry", `${url} gives no token: invalid answer`);
}
