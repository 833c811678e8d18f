// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { hookEnvironment } from "../config/hook-environment.ts";
import { directSettings, overrideSettings, type Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import type { ImageKind } from "../image/kind.ts";
import { environmentStep, mountStep } from "../runtime/arguments.ts";
import { findConfigurationFiles } from "../runtime/configuration-files.ts";
import { planStart, type Root } from "../runtime/start-plan.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { ensureDirectory } from "../system/directory.ts";
import { requireProgram } from "../system/programs.ts";
import { openImageFile, probeImage, resolveImage } from "./image-file.ts";
import { deliverPlan } from "./plan-delivery.ts";
import { type CheckedScript, findCommandScript, readScript } from "./start-script.ts";

/** What `enroot start` is asked for. */
export interface StartOptions {
  readonly settings: Settings;
  /** A container's name or an image file; undefined: the script's directive ENROOT_ROOTFS says which. */
  readonly target: string | undefined;
  readonly command: readonly string[];
  readonly config: string | undefined;
  readonly rc: string | undefined;
  readonly mounts: readonly string[];
  readonly environment: readonly string[];
  /** Long names of the switches that were given. */
  readonly switches: ReadonlySet<string>;
}

const switchSettings: Readonly<Record<string, string>> = {
  root: "ENROOT_REMAP_ROOT",
  rw: "ENROOT_ROOTFS_WRITABLE",
  net: "ENROOT_UNSHARE_NET",
  pid: "ENROOT_UNSHARE_PID",
  ipc: "ENROOT_UNSHARE_IPC",
  uts: "ENROOT_UNSHARE_UTS",
};

/**
 * Decides everything about a start and hands the plan to the launcher, which carries it out.
 * @throws EnrootError before anything has been changed
 */
export async function startContainer(options: StartOptions): Promise<void> {
  const environment = options.environment.map(environmentStep);
  const mounts = options.mounts.map(mountStep);
  const rc = options.rc === undefined ? undefined : findCommandScript(options.rc);
  const script = options.config === undefined ? undefined : readScript(options.config);
  const settings = effectiveSettings(options, script);
  const { root, afterwards } = await findRoot(options.target ?? directedTarget(options, settings), settings);
  ensureDirectory(settings.runtimePath, "ENROOT_RUNTIME_PATH");
  const steps = planStart({
    settings,
    root,
    afterwards,
    privileged: settings.allowSuperuser && process.geteuid?.() === 0,
    variables: hookEnvironment(settings),
    files: findConfigurationFiles([settings.sysconfPath, settings.configPath]),
    script: script?.source,
    rc,
    environment,
    mounts,
    command: options.command,
  });
  deliverPlan(steps);
}

/** The script's directives beat the environment, and the command line beats both. */
function effectiveSettings(
  { settings, switches }: StartOptions,
  script: CheckedScript | undefined,
): Settings {
  const directed = script === undefined ? settings : directSettings(settings, script.text, script.name);
  const changes = new Map([...switches].map((name) => [switchSettings[name] ?? "", "y"]));
  return changes.size === 0 ? directed : overrideSettings(directed, changes);
}

function directedTarget({ config }: StartOptions, settings: Settings): string {
  const target = settings.environment.get("ENROOT_ROOTFS");
  if (target) return target;
  throw new EnrootError("Usage", `Missing directive ENROOT_ROOTFS in ${config}`, {
    hint: "add a line such as #ENROOT_ROOTFS=NAME",
  });
}

/** A root file system, and what has to be done when its container has ended. */
interface FoundRoot {
  readonly root: Root;
  readonly afterwards?: readonly string[];
}

async function findRoot(target: string, settings: Settings): Promise<FoundRoot> {
  const path = resolve(target);
  const kind = probeTarget(target, path);
  if (kind !== undefined && kind !== "unknown") return imageRoot(path, settings);
  if (target.includes("/")) {
    if (!existsSync(path)) throw new EnrootError("NotFound", `No such file or directory: ${path}`);
    throw new EnrootError("Usage", `Invalid image format: ${path}`, { hint: "a squashfs image is needed" });
  }
  const store = await openStore(settings);
  return { root: { kind: "container", path: await store.rootfs(parseContainerName(target)) } };
}

/** A container's name is no reason to complain about a working directory that cannot be read. */
function probeTarget(target: string, path: string): ImageKind | undefined {
  try {
    return probeImage(path);
  } catch (error) {
    if (target.includes("/")) throw error;
    return undefined;
  }
}

/** A store that clones images starts a clone; otherwise the image is mounted, under an overlay. */
async function imageRoot(path: string, settings: Settings): Promise<FoundRoot> {
  const image = resolveImage(path);
  const store = await openStore(settings);
  if (store.templates === undefined && image.kind === "squashfs")
    return { root: mountedRoot(image.path, settings) };
  const content = await openImageFile(image, settings, store);
  try {
    // The launcher becomes the container's command, and keeps its number.
    const clone = await store.templates?.clone(content, process.ppid);
    if (clone === undefined) throw new EnrootError("Unsupported", `This store starts no such image: ${path}`);
    const launcher = join(settings.helperPath, "enroot");
    return { root: { kind: "container", path: clone.path }, afterwards: [launcher, "release", clone.id] };
  } finally {
    await content.close?.();
  }
}

function mountedRoot(file: string, settings: Settings): Root {
  const squashfuse = requireProgram("squashfuse", "squashfuse");
  const fuseOverlayfs = settings.nativeOverlayfs
    ? undefined
    : requireProgram("fuse-overlayfs", "fuse-overlayfs");
  return { kind: "image", file, squashfuse, fuseOverlayfs };
}
