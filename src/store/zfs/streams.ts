// SPDX-License-Identifier: Apache-2.0
// Containers and templates as streams of zfs send. What comes in is of a form that cannot hold properties
// (image/zfs-stream.ts), is mounted nosuid and nodev like all else, and only at our place for it.
import { EnrootError } from "../../errors.ts";
import { ownTag } from "../../system/owner.ts";
import { capture, helperEnvironment, runToFile } from "../../system/process.ts";
import { onInterrupt } from "../../system/signals.ts";
import { complaintOf, refusal, tryZfs, zfs, zfsProgram } from "./command.ts";
import { pristine } from "./names.ts";
import { quiet } from "./templates.ts";

/** Makes a template's dataset of a stream in a file. @throws EnrootError Corrupt, Tool, NoSpace */
export async function receiveDataset(dataset: string, file: string): Promise<void> {
  const args = ["receive", "-u", ...quiet, dataset];
  const outcome = await capture({ argv: [zfsProgram(), ...args], input: file });
  if (outcome.status !== 0) throw streamProblem(args, outcome.stderr, file) ?? refusal(args, outcome);
  await nameSnapshot(dataset);
}

function streamProblem(args: readonly string[], stderr: string, file: string): EnrootError | undefined {
  const words =
    /(checksum mismatch|incomplete stream|stream has unsupported feature|invalid (backup )?stream)[^\n]*/i;
  const found = words.exec(stderr)?.[0];
  if (found === undefined) return undefined;
  return new EnrootError("Corrupt", `zfs ${args[0]}: ${file}: ${found}`, { hint: "copy it again" });
}

/** Gives the only snapshot of a received dataset the name that clones go by. @throws EnrootError */
export async function nameSnapshot(dataset: string): Promise<void> {
  const list = await zfs(["list", "-H", "-t", "snapshot", "-o", "name", "-d", "1", dataset]);
  const snapshots = list.split("\n").filter((line) => line !== "");
  const [only] = snapshots;
  if (only === undefined || snapshots.length > 1)
    throw new EnrootError("Corrupt", `A stream of ${snapshots.length} snapshots instead of one`);
  if (only !== `${dataset}@${pristine}`) await zfs(["rename", only, `${dataset}@${pristine}`]);
}

/** Options of zfs send: blocks as they are on disk, large ones and embedded ones included. */
export const sendOptions = ["-L", "-e", "-c"] as const;

/** Takes a snapshot for as long as `use` takes. @throws EnrootError */
export async function withSnapshot<T>(dataset: string, use: (snapshot: string) => Promise<T>): Promise<T> {
  const snapshot = `${dataset}@export.${ownTag()}`;
  const discard = async (): Promise<void> => {
    await tryZfs(["destroy", snapshot], null);
  };
  const forget = onInterrupt(discard);
  try {
    await zfs(["snapshot", snapshot]);
    return await use(snapshot);
  } finally {
    await discard();
    forget();
  }
}

/** Writes a container as it is now into a file, which is there and empty. @throws EnrootError */
export function sendToFile(dataset: string, output: string): Promise<void> {
  return withSnapshot(dataset, async (snapshot) => {
    const args = ["send", ...sendOptions, snapshot];
    const outcome = await runToFile({ argv: [zfsProgram(), ...args], env: helperEnvironment(), output });
    if (outcome.status === 0 && !outcome.signal) return;
    if (complaintOf(outcome.stderr) === "space" || /no space/i.test(outcome.stderr))
      throw new EnrootError("NoSpace", `Could not write ${output}: no space left on device`);
    throw refusal(args, outcome);
  });
}
