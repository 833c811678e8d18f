// SPDX-License-Identifier: Apache-2.0
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { type DeviceHook, planDevices } from "../runtime/cdi/edits.ts";
import { type PlacedSpecification, selectDevices } from "../runtime/cdi/selection.ts";
import { parseSpecification } from "../runtime/cdi/specification.ts";
import { describeErrno } from "../system/errno.ts";
import { failure, run } from "../system/process.ts";

/** The start that a hook is a part of, as the hook's environment describes it. */
interface Start {
  readonly pid: string;
  readonly rootfs: string;
  /** The environment file. */
  readonly environ: string;
}

/**
 * Makes devices visible in a container that is being started: called by a hook, in the container's namespaces.
 * @param names `VENDOR/CLASS=NAME`
 * @returns false when some device is in no CDI specification; nothing has been done then
 * @throws EnrootError Usage, Corrupt, Tool
 */
export async function addDevices(settings: Settings, names: readonly string[]): Promise<boolean> {
  const start = currentStart(settings);
  const specifications = (settings.environment.get("ENROOT_CDI_PATH") ?? "")
    .split(":")
    .flatMap((directory, place) => readSpecifications(directory, place));
  const edits = selectDevices(names, specifications);
  if (edits === undefined) return false;
  const { mounts, environment, hooks } = planDevices(edits);
  await mountAll(settings, start, mounts);
  appendFileSync(start.environ, environment.map((line) => `${line}\n`).join(""));
  if (hooks.length > 0) await runHooks(start, hooks);
  return true;
}

function currentStart({ environment }: Settings): Start {
  const value = (name: string): string => {
    const text = environment.get(name);
    if (text) return text;
    throw new EnrootError("Usage", `${name} is not set`, { hint: "this command is for hooks" });
  };
  return { pid: value("ENROOT_PID"), rootfs: value("ENROOT_ROOTFS"), environ: value("ENROOT_ENVIRON") };
}

function readSpecifications(directory: string, place: number): PlacedSpecification[] {
  return namesIn(directory)
    .filter((name) => /\.(json|ya?ml)$/.test(name))
    .map((name) => {
      const file = join(directory, name);
      return { specification: parseSpecification(readText(file), file), place, file };
    });
}

function namesIn(directory: string): string[] {
  try {
    return directory === "" ? [] : readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new EnrootError("Tool", `Could not read ${file}: ${describeErrno(cause)}`, { cause });
  }
}

async function mountAll(
  { helperPath }: Settings,
  { rootfs }: Start,
  lines: readonly string[],
): Promise<void> {
  if (lines.length === 0) return;
  const argv = [join(helperPath, "enroot-mount"), "--root", rootfs, "-"] as const;
  const outcome = await run({ argv, input: `${lines.join("\n")}\n` });
  if (outcome.status === 0) return;
  const words = outcome.stderr.trim().split("\n").at(-1)?.replace("[ERROR] ", "");
  throw words ? new EnrootError("Tool", words) : failure(argv[0], outcome);
}

/** Hooks find the container by its state, and its root file system by the configuration of its bundle. */
async function runHooks({ pid, rootfs, environ }: Start, hooks: readonly DeviceHook[]): Promise<void> {
  const bundle = join(dirname(environ), "cdi");
  mkdirSync(bundle, { recursive: true });
  writeFileSync(join(bundle, "config.json"), JSON.stringify({ ociVersion: "1.0.2", root: { path: rootfs } }));
  const state = { ociVersion: "1.0.2", id: `enroot-${pid}`, status: "creating", pid: Number(pid), bundle };
  for (const { path, args, env, timeout } of hooks) {
    const limit = timeout === undefined ? [] : ["/usr/bin/timeout", String(timeout)];
    const [program = path, ...rest] = [...limit, path, ...args];
    const outcome = await run({ argv: [program, ...rest], env, input: JSON.stringify(state) });
    if (outcome.status !== 0 || outcome.signal) throw failure(path, outcome);
  }
}
