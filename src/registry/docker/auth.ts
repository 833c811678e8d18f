// SPDX-License-Identifier: Apache-2.0
// What a registry wants to see before it answers. Tokens live in memory, for one repository of one registry.
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { HttpClient, HttpResponse } from "../../system/http.ts";
import type { Credentials } from "../credentials.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { type Account, realmCredentials, refusedCredentials, registryCredentials } from "./identity.ts";
import { isOwnRealm, parseRealm } from "./realm.ts";
import { basicHeader, fetchToken } from "./token.ts";

/** Whom to authenticate to, as whom, and how. */
export interface AuthOptions extends Account {
  readonly http: HttpClient;
  readonly repository: string;
  readonly allowHttp: boolean;
}

/** Keeps the Authorization header of one repository. */
export interface Authenticator {
  /** The header to send now; renewed when it has run out. */
  header(): Promise<string | undefined>;
  /** Answers a 401: gets a new header. @throws EnrootError Registry when there is none to get */
  renew(refused: HttpResponse, used: string | undefined): Promise<void>;
  /** Whether the registry has asked for anything so far. */
  asked(): boolean;
  /** What it may take to get access that is denied so far, in words for a message. */
  needed(): string;
}

interface Grant {
  readonly header: string;
  readonly until: number;
  readonly credentials: Credentials | undefined;
}

/** Seconds before its end at which a token counts as run out. */
const margin = 5;

/** Makes the authenticator of one repository. */
export function openAuth(options: AuthOptions): Authenticator {
  let current: Grant | undefined;
  let challenge: Challenge | undefined;
  let pending: Promise<void> | undefined;

  const authenticate = async (to: Challenge): Promise<void> => {
    const first = current === undefined;
    const grant = to.scheme === "basic" ? await basic(options, first) : await bearer(options, to, first);
    if (first) log.info("Authentication succeeded");
    current = grant;
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
      if (used !== undefined && challenge.scheme === "basic")
        throw refusedCredentials(options, current?.credentials);
      await once(challenge);
    },
    asked: () => challenge !== undefined,
    needed: () => {
      const { user, source } = current?.credentials ?? {};
      return user ? `another user than ${user} of ${source}` : `credentials in ${options.file.path}`;
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

function announce(credentials: Credentials | undefined, first: boolean): void {
  if (!first) return;
  log.info(`Authenticating with user: ${credentials?.user ?? "<anonymous>"}`);
  if (credentials) log.info(`Using credentials from: ${credentials.source}`);
}

async function basic(options: AuthOptions, first: boolean): Promise<Grant> {
  const credentials = await registryCredentials(options);
  announce(credentials, first);
  if (!credentials) throw refusedCredentials(options, undefined);
  return { header: await basicHeader(credentials), until: Number.POSITIVE_INFINITY, credentials };
}

async function bearer(options: AuthOptions, challenge: Challenge, first: boolean): Promise<Grant> {
  const { registry, repository, allowHttp, http } = options;
  const realm = parseRealm(challenge.parameters.get("realm"), registry, allowHttp);
  const credentials = await realmCredentials(options, realm, isOwnRealm(realm, registry));
  announce(credentials, first);
  const asked = Date.now();
  const service = challenge.parameters.get("service");
  const granted = await fetchToken({ http, realm, service, repository, credentials });
  if (!granted) throw refusedCredentials(options, credentials);
  const until = asked + (granted.lifetime - margin) * 1000;
  return { header: `Bearer ${granted.token}`, until, credentials };
}
