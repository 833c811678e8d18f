// SPDX-License-Identifier: Apache-2.0
// Programs on other machines, through ssh: the only place that writes what a remote shell reads.
import { requireProgram } from "./programs.ts";

/** A program on another machine. */
export interface RemoteCommand {
  readonly user: string | undefined;
  readonly host: string;
  /** The program and its arguments. */
  readonly words: readonly string[];
  /** The caller's environment, for ssh's agent and the like. */
  readonly environment: ReadonlyMap<string, string>;
}

/** How to start it here. */
export interface LocalCommand {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

const passed = ["HOME", "USER", "LOGNAME", "TERM", "DISPLAY", "SSH_AUTH_SOCK", "SSH_ASKPASS", "KRB5CCNAME"];

/** The ssh that runs a program elsewhere. @throws EnrootError Tool */
export function remoteCommand({ user, host, words, environment }: RemoteCommand): LocalCommand {
  const login = user === undefined ? [] : ["-l", user];
  const line = words.map(quote).join(" ");
  const env = passed.flatMap((name) => {
    const value = environment.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    // No terminal and no escape character: what passes is not text.
    argv: [requireProgram("ssh", "openssh-client"), "-T", "-e", "none", ...login, "--", host, line],
    env: Object.fromEntries(env),
  };
}

/** One word for whatever shell a user has there. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
