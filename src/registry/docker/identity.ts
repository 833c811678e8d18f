// SPDX-License-Identifier: Apache-2.0
// Whose password goes where: a registry's to the registry and to its own token server, and nowhere else.
import { EnrootError } from "../../errors.ts";
import { askSecret } from "../../system/terminal.ts";
import type { CredentialFile, Credentials } from "../credentials.ts";

/** Who wants to see an image, and where. */
export interface Account {
  readonly registry: string;
  /** As the URI has them. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly file: CredentialFile;
}

/** Credentials for the registry itself; undefined for an anonymous user. @throws EnrootError Usage when none are found */
export async function registryCredentials(account: Account): Promise<Credentials | undefined> {
  const { registry, user, file } = account;
  const found = fromUri(account) ?? file.find([registry], user);
  if (found || user === undefined) return found;
  const typed = await askSecret(`Password of ${user} for ${registry}: `);
  if (typed !== undefined) return { user, source: "the terminal", password: async () => typed };
  throw new EnrootError("Usage", `No password for user ${user} of ${registry}`, {
    hint: `add "${line(registry, user)}" to ${file.path}`,
  });
}

/** Credentials for a token server: those of the registry only if it is the registry's own. @throws EnrootError */
export async function realmCredentials(
  account: Account,
  realm: URL,
  own: boolean,
): Promise<Credentials | undefined> {
  const { registry, user, file } = account;
  if (own)
    return (
      fromUri(account) ?? file.find([realm.host, registry], user) ?? (await registryCredentials(account))
    );
  const ours = fromUri(account) ?? file.find([registry], user);
  if (!ours && user === undefined) return undefined;
  const theirs = ours && file.find([realm.host], ours.user);
  if (theirs) return theirs;
  throw new EnrootError("Registry", `${registry} wants its password sent to another site, ${realm.host}`, {
    hint: `if that is right, add "${line(realm.host, user ?? ours?.user)}" to ${file.path}, beside one for ${registry}`,
  });
}

function fromUri({ user, password }: Account): Credentials | undefined {
  if (user === undefined || password === undefined) return undefined;
  return { user, source: "the URI", password: async () => password };
}

/** The line that a credentials file needs. */
function line(host: string, user = "USER"): string {
  return `machine ${host.replace(/:\d+$/, "")} login ${user} password PASSWORD`;
}

/** The error when a registry refuses what it asked for. */
export function refusedCredentials({ registry, file }: Account, used: Credentials | undefined): EnrootError {
  if (!used) {
    return new EnrootError("Registry", `${registry} asks for credentials`, {
      hint: `add "${line(registry)}" to ${file.path}`,
    });
  }
  return new EnrootError("Registry", `${registry} refuses user ${used.user}: wrong password or no access`, {
    hint: `the credentials are from ${used.source}`,
  });
}
