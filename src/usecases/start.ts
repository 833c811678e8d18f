// SPDX-License-Identifier: Apache-2.0
import { readFileSync, statSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { keys } from "../config/keys.ts";
import { planDescriptor } from "../config/plan-descriptor.ts";
import { directSettings, overrideSettings, type Settings } from "../config/settings.ts";
import { EnrootError } from "../errors.ts";
import { log } from "../log.ts";
import { environmentLine, mountLine } from "../runtime/arguments.ts";
import { findConfigurationFiles } from "../runtime/configuration-files.ts";
import { encodePlan, printPlan, type Step } from "../runtime/plan.ts";
import { planStart, type Root } from "../runtime/start-plan.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { ensureDirectory } from "../system/directory.ts";
import { requireProgram } from "../system/programs.ts";
import { syntaxProblem } from "../system/shell.ts";
import { probeImage } from "./image-file.ts";

/** What `enroot start` is asked for. */
export interface StartOptions {
  readonly settings: Settings;
  readonly target: string;
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
  const script = checkScript(options.config);
  const settings = effectiveSettings(options, script);
  const environment = options.environment.map((entry) =>
    environmentLine(entry, options.settings.environment),
  );
  const mounts = options.mounts.map(mountLine);
  const rc = checkFile(options.rc);
  const root = await findRoot(options.target, settings);
  ensureDirectory(settings.runtimePath, "ENROOT_RUNTIME_PATH");
  const steps = planStart({
    settings,
    root,
    privileged: settings.allowSuperuser && process.geteuid?.() === 0,
    variables: hookVariables(settings),
    files: findConfigurationFiles([settings.sysconfPath, settings.configPath]),
    script,
    rc,
    environment,
    mounts,
    command: options.command,
  });
  deliver(steps, settings);
}

/** A descriptor of the caller: only the launcher has it still, so only the launcher can open it. */
function isDescriptor(path: string): boolean {
  return /^\/(proc\/self\/fd|dev\/fd)\/\d+$/.test(path);
}

function checkFile(path: string | undefined): string | undefined {
  if (path === undefined || isDescriptor(path)) return path;
  const file = resolve(path);
  const status = statSync(file, { throwIfNoEntry: false });
  if (status?.isFile() || status?.isFIFO()) return file;
  throw new EnrootError("NotFound", `No such file or directory: ${file}`);
}

function checkScript(path: string | undefined): string | undefined {
  const file = checkFile(path);
  if (file === undefined || isDescriptor(file) || statSync(file).isFIFO()) return file;
  const problem = syntaxProblem(file);
  if (problem === undefined) return file;
  throw new EnrootError("Usage", `Invalid configuration script: ${problem}`);
}

function effectiveSettings({ settings, switches }: StartOptions, script: string | undefined): Settings {
  const readable = script !== undefined && !isDescriptor(script) && statSync(script).isFile();
  const directed = readable ? directSettings(settings, readFileSync(script, "utf8"), script) : settings;
  const changes = new Map([...switches].map((name) => [switchSettings[name] ?? "", "y"]));
  return changes.size === 0 ? directed : overrideSettings(directed, changes);
}

async function findRoot(target: string, settings: Settings): Promise<Root> {
  const path = resolve(target);
  const kind = probeImage(path);
  if (kind === "squashfs") {
    const squashfuse = requireProgram("squashfuse", "squashfuse");
    const fuseOverlayfs = settings.nativeOverlayfs
      ? undefined
      : requireProgram("fuse-overlayfs", "fuse-overlayfs");
    return { kind: "image", file: path, squashfuse, fuseOverlayfs };
  }
  if (target.includes("/")) {
    if (kind === undefined) throw new EnrootError("NotFound", `No such file or directory: ${path}`);
    throw new EnrootError("Usage", `Invalid image format: ${path}`, { hint: "a squashfs image is needed" });
  }
  const store = await openStore(settings.storageBackend, settings.dataPath);
  return { kind: "container", path: await store.rootfs(parseContainerName(target)) };
}

/** Settings as hooks and scripts see them: what is in force is set, what is off is not. */
function hookVariables(settings: Settings): [string, string | undefined][] {
  const variables: [string, string | undefined][] = [];
  for (const [name, value] of settings.environment) {
    if (/^(ENROOT_|NVIDIA_|MELLANOX_|SSL_CERT_|XDG_)|_proxy$/.test(name)) variables.push([name, value]);
  }
  for (const { name } of keys) if (!settings.exported.has(name)) variables.push([name, undefined]);
  return [...variables, ["PATH", hookPath(settings)]];
}

/** Hooks find enroot-mount by name. */
function hookPath({ environment, helperPath }: Settings): string {
  const path = environment.get("PATH") || "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return path.split(":").includes(helperPath) ? path : `${helperPath}:${path}`;
}

function deliver(steps: readonly Step[], settings: Settings): void {
  if (settings.environment.has("ENROOT_DEBUG")) log.debug(`start plan:\n${printPlan(steps)}`);
  const descriptor = planDescriptor();
  if (descriptor === undefined) {
    process.stdout.write(printPlan(steps));
    return;
  }
  const plan = encodePlan(steps);
  for (let at = 0; at < plan.length; ) at += writeSync(descriptor, plan, at);
}
