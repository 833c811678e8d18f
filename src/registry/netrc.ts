// SPDX-License-Identifier: Apache-2.0
// The form of netrc(5) files, as curl reads them.

/** One machine of a netrc file; `machine` is undefined for `default`. */
export interface NetrcEntry {
  readonly machine: string | undefined;
  /** Empty when there is none. */
  readonly login: string;
  readonly password: string | undefined;
  /** Whether the password is not the text itself but what a shell makes of it: it begins with `$`, unquoted. */
  readonly substituted: boolean;
}

interface Token {
  readonly text: string;
  readonly quoted: boolean;
  /** Number of its line. */
  readonly line: number;
}

/** Splits netrc text into entries: tokens in any order, over any lines; macros and comments are passed over. */
export function parseNetrc(text: string): NetrcEntry[] {
  const tokens = netrcTokens(text);
  const entries: NetrcEntry[] = [];
  const begin = (machine: string | undefined): void =>
    void entries.push({ machine, login: "", password: undefined, substituted: false });
  const change = (fields: Partial<NetrcEntry>): void => {
    const last = entries.pop();
    if (last) entries.push({ ...last, ...fields });
  };
  for (let at = 0; at < tokens.length; at++) {
    const word = tokens[at]?.text ?? "";
    if (word === "default") begin(undefined);
    else if (word.startsWith("#")) at = endOfLine(tokens, at);
    if (!["machine", "login", "password", "account"].includes(word)) continue;
    const value = tokens[++at];
    if (word === "machine") begin(value?.text ?? "");
    if (word === "login") change({ login: value?.text ?? "" });
    if (word === "password")
      change({
        password: value?.text ?? "",
        substituted: value?.quoted === false && value.text.startsWith("$"),
      });
  }
  return entries;
}

function endOfLine(tokens: readonly Token[], at: number): number {
  const next = tokens.findIndex(({ line }, index) => index > at && line !== tokens[at]?.line);
  return (next < 0 ? tokens.length : next) - 1;
}

function netrcTokens(text: string): Token[] {
  const lines = text.replace(/^[ \t]*macdef[^\n]*\n(?:[^\n]+\n)*/gm, "").split("\n");
  return lines.flatMap(lineTokens);
}

function lineTokens(text: string, line: number): Token[] {
  const tokens: Token[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const inQuotes = /^"((?:[^"\\]|\\.)*)"/.exec(rest);
    const length = inQuotes?.[0].length ?? (rest.startsWith("$") ? wordLength(rest) : rest.search(/\s|$/));
    tokens.push({
      text: inQuotes?.[1]?.replace(/\\(.)/g, "$1") ?? rest.slice(0, length),
      quoted: inQuotes !== null,
      line,
    });
    rest = rest.slice(length).trimStart();
  }
  return tokens;
}

/** Length of the shell word that `text` begins with: white space in `$(…)`, `${…}` and quotes is part of it. */
function wordLength(text: string): number {
  const awaited: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    const inside = awaited.at(-1);
    if (char === "\\" && inside !== "'") at++;
    else if (char === inside) awaited.pop();
    else if (inside === "'") continue;
    else if (char === '"' || char === "`" || (char === "'" && inside !== '"')) awaited.push(char);
    else if (/^\$[({]/.test(text.slice(at, at + 2))) awaited.push(text[++at] === "(" ? ")" : "}");
    else if (char === "(" && inside === ")") awaited.push(")");
    else if (/\s/.test(char) && inside === undefined) return at;
  }
  return text.length;
}
