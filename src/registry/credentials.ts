// SPDX-License-Identifier: Apache-2.0
// $ENROOT_CONFIG_PATH/.credentials: netrc(5), where a password that begins with `$` is what a shell makes of it.
import { readFileSync, statSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { dockerHub } from "../image/reference.ts";
import { log } from "../log.ts";
import { describeErrno, errnoOf } from "../system/errno.ts";
import { evaluateWord } from "../system/shell-word.ts";
import { type NetrcEntry, parseNetrc } from "./netrc.ts";

/** A user and a password, and where they came from in words that fit a message. */
export interface Credentials {
  readonly user: string;
  readonly source: string;
  /** The password; a command that prints it is run once. @throws EnrootError when it prints none */
  password(): Promise<string>;
}

/** The credentials file, read once. */
export interface CredentialFile {
  readonly path: string;
  /**
   * Credentials for the first of some hosts that has any, else the file's default.
   * @param user whose; undefined for the first that a host has
   */
  find(hosts: readonly string[], user: string | undefined): Credentials | undefined;
}

/** Reads the credentials file; an absent one is empty. @throws EnrootError when it is there but cannot be read */
export function readCredentials(
  configPath: string,
  environment: ReadonlyMap<string, string>,
): CredentialFile {
  const path = `${configPath}/.credentials`;
  const complete = parseNetrc(readText(path)).filter(({ password }) => password !== undefined);
  const passwords = new Map<NetrcEntry, Promise<string>>();
  const passwordOf = (entry: NetrcEntry): Promise<string> => {
    const known = passwords.get(entry) ?? resolvePassword(entry, path, environment);
    passwords.set(entry, known);
    return known;
  };
  return {
    path,
    find: (hosts, user) => {
      const names = [...hosts.flatMap(namesOf), undefined];
      const entry = names.map((name) => choose(complete, name, user)).find((found) => found !== undefined);
      const login = entry?.login || user;
      if (!entry || login === undefined) return undefined;
      return { user: login, source: path, password: () => passwordOf(entry) };
    },
  };
}

/** The entry of a machine for a user; one that names nobody is for whoever the URI names. */
function choose(
  entries: readonly NetrcEntry[],
  machine: string | undefined,
  user: string | undefined,
): NetrcEntry | undefined {
  const here = entries.filter((entry) => hostOf(entry.machine) === machine);
  if (user === undefined) return here.find(({ login }) => login !== "");
  return here.find(({ login }) => login === user) ?? here.find(({ login }) => login === "");
}

/** Host names are the same in any case; some write the URL that Docker's configuration has. */
function hostOf(machine: string | undefined): string | undefined {
  return machine?.toLowerCase().replace(/^https?:\/\/([^/]*).*$/, "$1");
}

const hub = [dockerHub, "docker.io", "index.docker.io", "auth.docker.io"];

/** The names under which a host's entry may stand: with its port, without, and Docker Hub's others. */
function namesOf(host: string): string[] {
  const name = host.toLowerCase();
  const plain = name.replace(/:\d+$/, "");
  return [...new Set([name, plain, ...(hub.includes(plain) ? hub : [])])];
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

async function resolvePassword(
  { password = "", substituted, machine }: NetrcEntry,
  path: string,
  environment: ReadonlyMap<string, string>,
): Promise<string> {
  if (!substituted) return password;
  const { text, failure } = await evaluateWord(password, environment);
  if (text !== "") return text;
  const why = failure ?? "it is empty";
  throw new EnrootError("Usage", `Could not get the password for ${machine ?? "default"} in ${path}: ${why}`);
}
