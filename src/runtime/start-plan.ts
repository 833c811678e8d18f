// SPDX-License-Identifier: Apache-2.0
// What a start does, in order. Later steps win: image, system directories, user directories, script, command line.
import type { VariableChange } from "../config/hook-environment.ts";
import type { Settings } from "../config/settings.ts";
import type { Step } from "./plan.ts";

/** Where the root file system comes from. */
export type Root =
  | { readonly kind: "container"; readonly path: string }
  | {
      readonly kind: "image";
      readonly file: string;
      readonly squashfuse: string;
      /** Absent: the kernel's overlayfs. */
      readonly fuseOverlayfs: string | undefined;
    };

/** Everything that a start plan is made from. */
export interface StartRequest {
  readonly settings: Settings;
  readonly root: Root;
  /** A program and its arguments for when the container has ended. */
  readonly afterwards?: readonly string[] | undefined;
  /** Whether the caller is root and keeps its privileges. */
  readonly privileged: boolean;
  /** What the environment of hooks and scripts has beyond the caller's. */
  readonly variables: readonly VariableChange[];
  readonly files: ConfigurationFiles;
  readonly script: Script | undefined;
  /** Command script given by the user. */
  readonly rc: string | undefined;
  /** What the command line adds to the environment, and to the mounts. */
  readonly environment: readonly Step[];
  readonly mounts: readonly Step[];
  readonly command: readonly string[];
}

/** A configuration script: a file, or the text of one that can be read only once. */
export type Script = { readonly file: string } | { readonly text: string };

/** Files of the system's directories, then of the user's, each in name order. */
export interface ConfigurationFiles {
  readonly environ: readonly string[];
  readonly mounts: readonly string[];
  readonly hooks: readonly string[];
}

/** How long another start may hold the lock of a root file system, in seconds (as bash enroot has it). */
const lockSeconds = "30";

/** What takes the place of the host's /proc and /sys, whatever the directories have put there. */
const freshProc = `none /proc none x-create=dir,x-detach,nofail,silent 0 -1
proc /proc proc x-create=dir,rw,nosuid,nodev,noexec,private 0 -1`;
const freshSys = `none /sys none x-create=dir,x-detach,nofail,silent 0 -1
sysfs /sys sysfs x-create=dir,ro,nosuid,nodev,noexec,private 0 -1`;

/** The plan of one start. */
export function planStart(request: StartRequest): Step[] {
  return [
    ...(request.afterwards === undefined ? [] : ([["afterwards", ...request.afterwards]] satisfies Step[])),
    ...request.variables.map(variableStep),
    namespaceStep(request),
    ["runtime", request.settings.runtimePath],
    rootStep(request.root),
    ["prepare"],
    ["lock", lockSeconds],
    ...scriptSteps(request),
    ...environmentSteps(request),
    ...mountSteps(request),
    ...hookSteps(request),
    ...lateMountSteps(request),
    ...rcSteps(request),
    ...(request.settings.rootfsWritable ? [] : ([["readonly"]] satisfies Step[])),
    ["protect"],
    ["command", request.settings.loginShell ? "login" : "plain", ...request.command],
  ];
}

function variableStep([name, value]: VariableChange): Step {
  return value === undefined ? ["unsetenv", name] : ["setenv", name, value];
}

function namespaceStep({ settings, privileged }: StartRequest): Step {
  const flags: [boolean, string][] = [
    [!privileged, "user"],
    [!privileged && settings.remapRoot, "remap-root"],
    [true, "mount"],
    [settings.unsharePid, "pid"],
    [settings.unshareNet, "net"],
    [settings.unshareIpc, "ipc"],
    [settings.unshareUts, "uts"],
  ];
  return ["unshare", ...flags.filter(([wanted]) => wanted).map(([, flag]) => flag)];
}

function rootStep(root: Root): Step {
  if (root.kind === "container") return ["rootfs", root.path];
  const overlay = root.fuseOverlayfs === undefined ? "kernel" : "fuse";
  return ["image", root.file, overlay, root.squashfuse, root.fuseOverlayfs ?? ""];
}

function scriptSteps({ script, command }: StartRequest): Step[] {
  if (script === undefined) return [];
  return ["file" in script ? ["config", script.file, ...command] : ["config-text", script.text, ...command]];
}

function environmentSteps({ files, script, environment }: StartRequest): Step[] {
  return [
    ["environ-rootfs", "/etc/environment"],
    ...files.environ.map((file): Step => ["environ-file", file]),
    ...(script === undefined ? [] : ([["function", "environ", "environ"]] satisfies Step[])),
    ...environment,
    ["environ-format"],
  ];
}

function mountSteps({ settings, files }: StartRequest): Step[] {
  return [
    ["mounts-rootfs", "/etc/fstab"],
    ...files.mounts.map((file): Step => ["mounts-file", file]),
    ...(settings.unsharePid ? ([["mounts-text", freshProc]] satisfies Step[]) : []),
    ...(settings.unshareNet ? ([["mounts-text", freshSys]] satisfies Step[]) : []),
    ["mount", "-1"],
  ];
}

function hookSteps({ files, script }: StartRequest): Step[] {
  return [
    ["hooks-begin"],
    ...files.hooks.map((file): Step => ["hook", file]),
    ...(script === undefined ? [] : ([["function", "hooks", "none"]] satisfies Step[])),
    ["hooks-end"],
    ["environ-format"],
  ];
}

function lateMountSteps({ script, mounts }: StartRequest): Step[] {
  return [
    ...(script === undefined ? [] : ([["function", "mounts", "mounts"]] satisfies Step[])),
    ...mounts,
    ["mount", "0"],
  ];
}

function rcSteps({ rc, script }: StartRequest): Step[] {
  if (rc !== undefined) return [["rc-file", rc]];
  return script === undefined ? [] : [["rc-function"]];
}
