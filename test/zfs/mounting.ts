// SPDX-License-Identifier: Apache-2.0
// What the tests of enroot-zfs-mount share: a store, its datasets, and calls of the helper.

import { readFileSync } from "node:fs";
import {
  host,
  type Result,
  type Sandbox,
  sandbox,
  testUser,
  type ZfsStore,
  zfsStore,
} from "../harness/index.ts";

/** A store with the mount helper. */
export interface Mounting extends AsyncDisposable {
  readonly box: Sandbox;
  readonly store: ZfsStore;
  /** Calls the helper as the test user. */
  mount(args: readonly string[]): Promise<Result>;
  /** Calls it and fails unless it succeeds without a word. */
  quietly(args: readonly string[]): Promise<void>;
  /** Makes a dataset below the store whose root directory belongs to the user with this number; not mounted. */
  dataset(name: string, uid?: number): Promise<string>;
  /** Runs a program as somebody else. */
  asOther(argv: readonly string[]): Promise<Result>;
}

/** Somebody who is not the test user. */
export const other = 65534;

/** Makes a store: `await using place = await mounting()`. */
export async function mounting(): Promise<Mounting> {
  await using undo = new AsyncDisposableStack();
  const box = undo.use(await sandbox());
  const store = undo.use(await zfsStore(box.data));
  const mount = (args: readonly string[]): Promise<Result> => box.run([store.helper, ...args]);
  const stack = undo.move();
  return {
    box,
    store,
    mount,
    quietly: async (args) => {
      const result = await mount(args);
      if (result.status !== 0 || result.stdout + result.stderr !== "")
        throw new Error(`${args.join(" ")}: status ${result.status}: ${result.stderr}`);
    },
    dataset: (name, uid = testUser().uid) => makeDataset(`${store.dataset}/${name}`, uid),
    asOther: (argv) =>
      box.run(["setpriv", `--reuid=${other}`, `--regid=${other}`, "--clear-groups", "--", ...argv], {
        user: "root",
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

// ZFS gives the root directory to who makes the dataset.
async function makeDataset(dataset: string, uid: number): Promise<string> {
  const maker = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
  const allowed = [
    "zfs",
    "allow",
    "-u",
    `${uid}`,
    "create,mount,canmount",
    dataset.slice(0, dataset.lastIndexOf("/")),
  ];
  if (uid !== testUser().uid && uid !== 0) await host(allowed);
  await host([...maker, "zfs", "create", "-o", "canmount=noauto", dataset]);
  return dataset;
}

/** The lines of the table of mounts that are of this dataset. */
export function mountsOf(dataset: string): string[] {
  const table = readFileSync("/proc/self/mounts", "utf8");
  return table.split("\n").filter((line) => line.startsWith(`${dataset} `));
}

/** The whole table of mounts. */
export function allMounts(): string {
  return readFileSync("/proc/self/mounts", "utf8");
}

/** A refusal: status 1, nothing said but one line of error. */
export function refusal(result: Result): string {
  if (result.status !== 1 || result.stdout !== "" || !/^\[ERROR\] [^\n]+\n$/.test(result.stderr))
    throw new Error(`no refusal: status ${result.status}, ${JSON.stringify(result.stdout + result.stderr)}`);
  return result.stderr.slice("[ERROR] ".length, -1);
}
