// SPDX-License-Identifier: Apache-2.0
import { expect } from "bun:test";
import { type Result, type Sandbox, sandbox } from "../harness/index.ts";
import { archive } from "./archive.ts";
import { type ScriptedImage, scriptedImage } from "./scripted-image.ts";
import {
  type Asked,
  type Script,
  type ScriptedRegistry,
  type ServeOptions,
  serveImage,
} from "./scripted-registry.ts";

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
  options: ServeOptions = {},
): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(serveImage(image, script, options));
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

/** A password that no output may ever hold. */
export const password = "s3cret-pass";

/** The header that the user bob and that password make. */
export const basic = `Basic ${btoa(`bob:${password}`)}`;

/** Answers with challenges, until a request carries what is expected. */
export function guarded(
  headers: (asked: Asked) => string[],
  expected: string,
  tokens: Script = () => undefined,
): Script {
  return (asked) => {
    if (asked.url.pathname === "/token") return tokens(asked);
    if (asked.request.headers.get("authorization") === expected) return undefined;
    const response = new Response("{}", { status: 401 });
    for (const header of headers(asked)) response.headers.append("www-authenticate", header);
    return response;
  };
}

/** The challenge of a registry that is its own token server. */
export function realm({ url }: Asked): string {
  return `Bearer realm="${url.origin}/token",service="registry",scope="repository:test/image:pull"`;
}

/** A token server that trusts everybody. */
export const giveToken: Script = () => Response.json({ token: "t0ken" });

/** Writes the credentials file. @returns its path */
export async function credentials({ box }: Scene, text: string): Promise<string> {
  const path = `${box.config}/.credentials`;
  await box.run(["sh", "-c", `umask 077; cat > ${path}`], { stdin: text });
  return path;
}

/** The line of a credentials file for the scene's registry. */
export function login({ registry }: Scene, host = registry.name): string {
  return `machine ${host} login bob password ${password}\n`;
}
