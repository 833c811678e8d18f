// SPDX-License-Identifier: Apache-2.0
import { expect } from "bun:test";
import { type Result, type Sandbox, sandbox } from "../harness/index.ts";
import { archive } from "./archive.ts";
import { type ScriptedImage, scriptedImage } from "./scripted-image.ts";
import { type Script, type ScriptedRegistry, serveImage } from "./scripted-registry.ts";

/** An image of one file. */
export function plainImage(text = "hello\n"): ScriptedImage {
  return scriptedImage([{ tar: archive([{ name: "greeting", data: text }]) }]);
}

/** A registry, and a place to use it from. */
export interface Scene extends AsyncDisposable {
  readonly box: Sandbox;
  readonly registry: ScriptedRegistry;
}

/** Sets a scene up. */
export async function scene(
  image: ScriptedImage,
  script?: Script,
  env: Record<string, string> = {},
): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(serveImage(image, script));
  const box = stack.use(await sandbox({ env: { ...registry.env, ...env } }));
  return { box, registry, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Imports the scene's image. */
export function importIt({ box, registry }: Scene, env: Record<string, string> = {}): Promise<Result> {
  return box.enroot(["import", "-o", "a.sqsh", registry.uri], { env });
}

/** Text of a file in the image that was imported. */
export async function fileOf({ box }: Scene, path: string): Promise<string> {
  return (await box.run(["unsquashfs", "-cat", "a.sqsh", path])).stdout;
}

/** The import succeeds, and the image is what it should be. */
export async function expectImport(here: Scene, env: Record<string, string> = {}): Promise<Result> {
  const result = await importIt(here, env);
  expect({ status: result.status, errors: errorLines(result) }).toEqual({ status: 0, errors: [] });
  expect(await fileOf(here, "greeting")).toBe("hello\n");
  return result;
}

/** Error lines of a result. */
export function errorLines(result: Result): string[] {
  return result.stderr.split("\n").filter((line) => line.startsWith("[ERROR] "));
}

/** The import fails in one line that matches, and leaves nothing under the name. */
export async function expectRefusal(
  here: Scene,
  pattern: RegExp,
  env: Record<string, string> = {},
): Promise<Result> {
  const result = await importIt(here, env);
  expect({ status: result.status, signal: result.signal }).toEqual({ status: 1, signal: null });
  expect(errorLines(result)).toEqual([expect.stringMatching(pattern)]);
  if (!("ENROOT_DEBUG" in env)) expect(result.stderr).not.toMatch(/^\s+at /m);
  expect((await here.box.run(["ls", "-A"])).stdout).toBe("");
  return result;
}
