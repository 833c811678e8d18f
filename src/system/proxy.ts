// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";

/** Whether `no_proxy` names this host: a name and all below it, with or without a port, or `*`. */
function isDirect(url: URL, noProxy: string): boolean {
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const [name = "", port] = entry
        .toLowerCase()
        .replace(/^\*?\./, "")
        .split(":");
      if (entry === "*") return true;
      if (port !== undefined && port !== url.port) return false;
      return url.hostname === name || url.hostname.endsWith(`.${name}`);
    });
}

/**
 * The proxy for a URL by the variables that curl uses: `http_proxy` in lower case only, the others in both.
 * @returns undefined for a direct connection
 * @throws EnrootError Unsupported for a proxy that is not HTTP
 */
export function chooseProxy(text: string, environment: ReadonlyMap<string, string>): string | undefined {
  const url = new URL(text);
  const value = (...names: string[]): string | undefined =>
    names.map((name) => environment.get(name)).find(Boolean);
  if (isDirect(url, value("no_proxy", "NO_PROXY") ?? "")) return undefined;
  const own = url.protocol === "http:" ? value("http_proxy") : value("https_proxy", "HTTPS_PROXY");
  const proxy = own ?? value("all_proxy", "ALL_PROXY");
  if (proxy === undefined) return undefined;
  const address = proxy.includes("://") ? proxy : `http://${proxy}`;
  if (/^https?:\/\//.test(address)) return address;
  throw new EnrootError("Unsupported", `Unsupported proxy: ${address.replace(/\/\/[^@/]*@/, "//")}`, {
    hint: "HTTP proxies work",
  });
}
