// SPDX-License-Identifier: Apache-2.0
// A word that the user wrote to be substituted by a shell: `$TOKEN`, `$(command)`. It may hold a secret, and so may what
// comes of it, so both go through pipes: arguments can be read by everybody.
import { run } from "./process.ts";
import { checkSyntax, scriptEnvironment } from "./shell.ts";

/** What a word came to: empty when there is nothing, with the reason if one is known. */
export interface WordValue {
  readonly text: string;
  readonly failure: string | undefined;
}

/** Substitutes a word by bash, in the root directory, with nothing on stdin; final newlines are dropped. */
export async function evaluateWord(
  word: string,
  environment: Iterable<readonly [string, string]>,
): Promise<WordValue> {
  // Bash alone may fail and still print something; its own messages repeat the text that it could not read.
  // In braces it is read whole before any of it runs: a command cannot take the rest of it for its own input.
  const script = `{ value="${word}" || exit; printf %s "$value"; exit; } < /dev/null\n`;
  if (checkSyntax({ text: script }).status !== 0)
    return { text: "", failure: "not a word that a shell can read" };
  const env = scriptEnvironment(environment);
  const { status, stdout, stderr } = await run({
    argv: ["/bin/bash", "--norc", "-s"],
    input: script,
    env,
    cwd: "/",
  });
  if (status === 0) return { text: stdout, failure: undefined };
  const words = stderr
    .trim()
    .split("\n")
    .at(-1)
    ?.replace(/^\/bin\/bash: line \d+: /, "");
  return { text: "", failure: words || `status ${status}` };
}
