// SPDX-License-Identifier: Apache-2.0
import { BlockList, isIP } from "node:net";
import { EnrootError } from "../errors.ts";

/** Whether `no_proxy` names this host: a name and all below it, an address or a network, with or without a port, or `*`. */
function isDirect(url: URL, noProxy: string): boolean {
  const entries = noProxy.split(/[\s,]+/).filter((entry) => entry !== "");
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return entries.some((entry) => entry === "*" || isNamed(entry.toLowerCase(), host, url.port));
}

function isNamed(entry: string, host: string, hostPort: string): boolean {
  const form = /^(?:\[(?<inside>[^\]]+)\]|(?<plain>[^:]+|[^:]*:.*:.*))(?::(?<port>\d+))?$/.exec(entry);
  const name = (form?.groups?.["inside"] ?? form?.groups?.["plain"] ?? entry).replace(/^\*?\.|\.$/g, "");
  const port = form?.groups?.["port"];
  if (port !== undefined && port !== hostPort) return false;
  if (isIP(host) === 0) return host === name || host.endsWith(`.${name}`);
  return host === name || isInNetwork(host, name);
}

/** CIDR notation, as curl knows it from 7.86 on. */
function isInNetwork(address: string, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  const family = (text: string): "ipv4" | "ipv6" => (isIP(text) === 6 ? "ipv6" : "ipv4");
  if (isIP(base) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (isIP(base) === 6 ? 128 : 32))
    return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family(base));
  return list.check(address, family(address));
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
