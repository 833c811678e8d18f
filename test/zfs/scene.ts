// SPDX-License-Identifier: Apache-2.0
// What the tests of the ZFS store share: a store, a place to use it from, and looks at its datasets.
import { expect } from "bun:test";
import {
  host,
  type Result,
  type Sandbox,
  sandbox,
  until,
  type ZfsStore,
  type ZfsStoreOptions,
  zfsStore,
} from "../harness/index.ts";

/** A store and its user. */
export interface Scene extends AsyncDisposable {
  readonly box: Sandbox;
  readonly store: ZfsStore;
  /** Names of all datasets below the store's, without its own name. */
  datasets(): Promise<string[]>;
  /** Keys of the templates that are complete. */
  templates(): Promise<string[]>;
  /** A property of a dataset below the store's. */
  property(name: string, dataset: string): Promise<string>;
  /** Waits until nothing is left of what was made for a moment. */
  settled(): Promise<void>;
}

/** What a scene may be given. */
export interface SceneOptions extends ZfsStoreOptions {
  /** Added to the environment of every command. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Makes a store: `await using place = await scene()`. */
export async function scene({ env = {}, ...options }: SceneOptions = {}): Promise<Scene> {
  await using undo = new AsyncDisposableStack();
  const box = undo.use(await sandbox({ env: { ENROOT_STORAGE_BACKEND: "zfs", ...env } }));
  const store = undo.use(await zfsStore(box.data, options));
  const datasets = async (): Promise<string[]> => {
    const list = await host(["zfs", "list", "-H", "-t", "filesystem", "-o", "name", "-r", store.dataset]);
    return lines(list)
      .filter((name) => name !== store.dataset)
      .map((name) => name.slice(store.dataset.length + 1));
  };
  const stack = undo.move();
  return {
    box,
    store,
    datasets,
    templates: async () =>
      (await datasets()).flatMap((name) => /^\.templates\/([0-9a-f]{64})$/.exec(name)?.[1] ?? []),
    property: async (name, dataset) =>
      (await host(["zfs", "get", "-H", "-p", "-o", "value", name, `${store.dataset}/${dataset}`])).trim(),
    settled: async () => {
      await until("nothing to be left half-made", async () => {
        const left = (await datasets()).filter((name) => /^\.ephemeral\/|\.(new|old)\./.test(name));
        return left.length === 0;
      });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Lines of a text, without empty ones. */
export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** The one line that a refused command has written. */
export function refusal({ status, stderr }: Result): string {
  expect(status).toBe(1);
  const errors = lines(stderr).filter((line) => line.startsWith("[ERROR] "));
  expect(errors).toHaveLength(1);
  return errors[0]?.slice("[ERROR] ".length) ?? "";
}
