// SPDX-License-Identifier: Apache-2.0

/** One way to authenticate that a server offers. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`^(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))\\s*(?:,\\s*)?`);
const scheme = new RegExp(`^(${token})(?:\\s+|\\s*,\\s*|$)`);
const token68 = /^[0-9A-Za-z._~+/-]+=*\s*(?:,\s*|$)/;

/** Parses WWW-Authenticate (RFC 9110, 11.6.1): several challenges, several headers joined by commas, quoted commas. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.trim();
  while (rest !== "") {
    const pair = parameter.exec(rest);
    const name = scheme.exec(rest);
    const matched = pair ?? name ?? token68.exec(rest) ?? /^./s.exec(rest);
    if (pair) {
      const value = pair[2]?.replace(/\\(.)/g, "$1") ?? pair[3] ?? "";
      challenges.at(-1)?.parameters.set((pair[1] ?? "").toLowerCase(), value);
    } else if (name) challenges.push({ scheme: (name[1] ?? "").toLowerCase(), parameters: new Map() });
    rest = rest.slice(matched?.[0].length ?? rest.length).trimStart();
  }
  return challenges;
}
