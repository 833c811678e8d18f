// SPDX-License-Identifier: Apache-2.0
// What edits of a container come to here: fstab lines, variables, and hooks to run.
import type { ContainerEdits } from "./specification.ts";

/** A program of the host that a specification wants to be run on the container. */
export interface DeviceHook {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** In seconds. */
  readonly timeout: number | undefined;
}

/** Everything to be done for the devices. */
export interface DevicePlan {
  /** Lines in the language of enroot-mount, in order. */
  readonly mounts: readonly string[];
  /** `NAME=VALUE` lines. */
  readonly environment: readonly string[];
  readonly hooks: readonly DeviceHook[];
}

/** Hooks that run once the mounts are there and before the root is switched (OCI runtime specification, "Lifecycle"). */
const stages = new Set(["prestart", "createRuntime", "createContainer"]);

/** Puts edits together; what several of them say alike is done once. */
export function planDevices(edits: readonly ContainerEdits[]): DevicePlan {
  const nodes = edits.flatMap(({ deviceNodes }) => deviceNodes ?? []);
  const mounts = edits.flatMap((edit) => edit.mounts ?? []);
  const nodeLines = nodes.map(({ path, hostPath }) =>
    mountLine(hostPath ?? path, path, "none", "x-create=auto,bind,nosuid,noexec,private"),
  );
  const mountLines = mounts.map(({ hostPath, containerPath, options, type }) => {
    const own = (options ?? []).filter((option) => option !== "");
    const binds = type === undefined || type === null || type === "" || type === "bind" || type === "none";
    const kind = binds && !own.includes("rbind") ? ["bind"] : [];
    const words = binds ? ["x-create=auto", ...kind, ...own] : ["x-create=dir", ...own];
    return mountLine(hostPath, containerPath, binds ? "none" : (type ?? "none"), words.join(","));
  });
  const environment = edits.flatMap(({ env }) => env ?? []);
  const hooks = edits.flatMap((edit) => edit.hooks ?? []).filter(({ hookName }) => stages.has(hookName));
  return {
    mounts: unique([...nodeLines, ...mountLines]),
    environment: unique(environment),
    hooks: hooks.map(({ path, args, env, timeout }) => ({
      path,
      // The first is the name that the program is called by.
      args: (args ?? []).slice(1),
      env: Object.fromEntries((env ?? []).map(splitVariable)),
      timeout: timeout ?? undefined,
    })),
  };
}

function unique(lines: readonly string[]): string[] {
  return [...new Set(lines)];
}

function splitVariable(line: string): [name: string, value: string] {
  const [name = "", value = ""] = line.split(/=(.*)/s);
  return [name, value];
}

/** A line of fstab(5): what separates fields is written in octal. */
function mountLine(...fields: readonly string[]): string {
  const octal = (character: string): string => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
  return fields.map((field) => field.replace(/[\s\\#]/g, octal)).join(" ");
}
