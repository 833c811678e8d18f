// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../../errors.ts";
import { isAddress, isInternal } from "../../system/address.ts";

/** Token servers of well-known registries that are under another domain. */
const partners: Readonly<Record<string, string>> = { "nvcr.io": "authn.nvidia.com" };

/** Second-level domains below which anybody gets a name of their own, as in `co.uk`. */
const shared = /^(com?|net|org|gov|edu|mil|ac|or|ne|go)$/;

/**
 * Parses the URL of a token server as a registry names it.
 * @throws EnrootError Registry unless it is one that a token may be asked of
 */
export function parseRealm(text: string | undefined, registry: string, allowHttp: boolean): URL {
  const url = URL.parse(text ?? "");
  const refuse = (why: string): EnrootError =>
    new EnrootError("Registry", `${registry} names a token server that is not to be trusted: ${why}`);
  if (!url) throw refuse("no valid URL");
  if (url.protocol !== "https:" && !(allowHttp && url.protocol === "http:"))
    throw refuse(`${url.protocol} is not https:`);
  if (url.username || url.password) throw refuse("a user is in its URL");
  if (isInternal(url.hostname)) throw refuse(`${url.hostname} is a link-local address`);
  return url;
}

/** The part of a name that one owner has: its last two labels, or three; of an address all of it. */
function domain(hostname: string): string {
  if (isAddress(hostname)) return hostname;
  const labels = hostname.split(".");
  const country = labels.at(-1)?.length === 2 && shared.test(labels.at(-2) ?? "");
  return labels.slice(country ? -3 : -2).join(".");
}

/** Whether a token server belongs to the registry, so that the registry's credentials may be sent to it. */
export function isOwnRealm(realm: URL, registry: string): boolean {
  const host = new URL(`https://${registry}`).hostname;
  return (
    realm.hostname === host || partners[host] === realm.hostname || domain(realm.hostname) === domain(host)
  );
}
