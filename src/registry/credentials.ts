// SPDX-License-Identifier: Apache-2.0
// $ENROOT_CONFIG_PATH/.credentials: netrc(5), where a password that begins with `$` is what a shell makes of it.
import { readFileSync, statSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { dockerHub } from "../image/reference.ts";
import { log } from "../log.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";
import { runScript } from "../system/shell.ts";

/** A user and a password, and where they came from in words that fit a message. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
  readonly source: string;
}

/** One machine of a netrc file; `machine` is undefined for `default`. */
export interface NetrcEntry {
  readonly machine: string | undefined;
  readonly login: string;
  readonly password: string;
}

/** Splits netrc text into entries: tokens in any order, over any lines; macros and comments are passed over. */
export function parseNetrc(text: string): NetrcEntry[] {
  const tokens = netrcTokens(text);
  const entries: { machine: string | undefined; login: string; password: string }[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const word = tokens[at];
    if (word === "machine") entries.push({ machine: tokens[++at] ?? "", login: "", password: "" });
    else if (word === "default") entries.push({ machine: undefined, login: "", password: "" });
    else if (word === "login") Object.assign(entries.at(-1) ?? {}, { login: tokens[++at] ?? "" });
    else if (word === "password") Object.assign(entries.at(-1) ?? {}, { password: tokens[++at] ?? "" });
    else if (word === "account") at++;
  }
  return entries;
}

function netrcTokens(text: string): string[] {
  const lines = text.replace(/^[ \t]*macdef[^\n]*\n(?:[^\n]+\n)*/gm, "").split("\n");
  return lines.filter((line) => !/^\s*#/.test(line)).flatMap(lineTokens);
}

/** A password that begins with `$` goes on to the end of its line: a command has spaces. */
function lineTokens(line: string): string[] {
  const tokens: string[] = [];
  let rest = line.trim();
  while (rest !== "") {
    const form = /^"((?:[^"\\]|\\.)*)"|^\S+/.exec(rest);
    const whole = form?.[0] ?? rest;
    const takesRest = tokens.at(-1) === "password" && rest.startsWith("$");
    tokens.push(takesRest ? rest : (form?.[1]?.replace(/\\(.)/g, "$1") ?? whole));
    rest = takesRest ? "" : rest.slice(whole.length).trimStart();
  }
  return tokens;
}

/** The credentials file, read once. */
export interface CredentialFile {
  readonly path: string;
  /**
   * Credentials for a host: of `user` if one is given, else the host's first.
   * @throws EnrootError when a password's substitution fails
   */
  find(host: string, user: string | undefined): Credentials | undefined;
}

/** Reads the credentials file; an absent one is empty. @throws EnrootError when it is there but cannot be read */
export function readCredentials(
  configPath: string,
  environment: ReadonlyMap<string, string>,
): CredentialFile {
  const path = `${configPath}/.credentials`;
  const entries = parseNetrc(readText(path));
  return {
    path,
    find: (host, user) => {
      const entry = names(host)
        .map((name) =>
          entries.find(({ machine, login }) => machine === name && (user === undefined || login === user)),
        )
        .find((found) => found !== undefined);
      const chosen =
        entry ??
        entries.find(({ machine, login }) => machine === undefined && (user === undefined || login === user));
      if (!chosen?.login) return undefined;
      return { user: chosen.login, password: substitute(chosen.password, path, environment), source: path };
    },
  };
}

/** The names under which a host's entry may stand: with its port, without, and Docker Hub's others. */
function names(host: string): string[] {
  const plain = host.replace(/:\d+$/, "");
  const hub = [dockerHub, "docker.io", "index.docker.io", "auth.docker.io", "https://index.docker.io/v1/"];
  return [...new Set([host, plain, ...(hub.includes(plain) ? hub : [])])];
}

function readText(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    if ((statSync(path).mode & 0o077) !== 0) log.warn(`Others may read ${path}: chmod 600 it`);
    return text;
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR") return "";
    throw new EnrootError("Usage", `Could not read ${path}: ${describeErrno(cause)}`, { cause });
  }
}

function substitute(password: string, path: string, environment: ReadonlyMap<string, string>): string {
  if (!password.startsWith("$")) return password;
  // On stdin of nobody and in no argv: the script is the user's own text, its output stays in a pipe.
  const { status, stdout, stderr } = runScript(`echo ${password}`, [], environment);
  if (status === 0 && stdout.trim() !== "") return stdout.replace(/\n+$/, "");
  const why = stderr.trim().split("\n").at(-1);
  throw new EnrootError(
    "Usage",
    `Could not get a password from ${path}${why ? `: ${why}` : ": it is empty"}`,
  );
}
