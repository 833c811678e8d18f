// SPDX-License-Identifier: Apache-2.0
// Whole directory trees, with whatever permissions an image gave them.
import { existsSync, readFileSync } from "node:fs";
import { EnrootError } from "../errors.ts";
import { run, runSuccessfully } from "./process.ts";
import { requireProgram } from "./programs.ts";

/** Turns mountinfo's octal escapes back into characters. */
export function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Mount points strictly below `directory` in this mount namespace. */
function mountsBelow(directory: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[4] ?? ""))
    .filter((mount) => mount.startsWith(`${directory}/`));
}

/**
 * Deletes a tree. Symbolic links are deleted, not followed; nothing below a mount is touched.
 * @throws EnrootError Unsupported when something is mounted in it, Tool when files resist
 */
export async function removeTree(directory: string): Promise<void> {
  const mount = mountsBelow(directory)[0];
  if (mount) {
    throw new EnrootError("Unsupported", `Could not delete ${directory}: ${mount} is mounted in it`, {
      hint: "unmount it first",
    });
  }
  const rm = requireProgram("rm", "coreutils");
  const argv = [rm, "-rf", "--one-file-system", "--", directory] as const;
  if ((await run({ argv: [...argv] })).status === 0) return;
  if (existsSync(directory)) {
    await run({ argv: [requireProgram("chmod", "coreutils"), "-Rf", "u+rwX", "--", directory] });
  }
  const { status, stderr } = await run({ argv: [...argv] });
  if (status !== 0) throw new EnrootError("Tool", `Could not delete ${directory}: ${stderr.trim().split("\n").at(-1)}`);
}

/**
 * Lets the owner read every file and write every directory: some distributions' files assume CAP_DAC_OVERRIDE.
 * Device nodes are deleted: they have no business outside of a container.
 */
export async function openPermissions(directory: string): Promise<void> {
  const find = requireProgram("find", "findutils");
  const chmod = requireProgram("chmod", "coreutils");
  await runSuccessfully({ argv: [chmod, "-R", "u+rX", "--", directory] });
  const directories = ["-type", "d", "!", "-perm", "-u=w", "-exec", chmod, "u+w", "{}", "+"];
  const devices = ["(", "-type", "b", "-o", "-type", "c", ")", "-delete"];
  await runSuccessfully({ argv: [find, directory, "-xdev", ...directories, "-o", ...devices] });
}
