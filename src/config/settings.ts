// SPDX-License-Identifier: Apache-2.0
// The configuration, and the only reader of the environment. May import: errors.
import { hostname, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { EnrootError } from "../errors.ts";
import { type Expansion, expand } from "./expand.ts";
import { readConfiguration } from "./file.ts";
import { isOff, type Key, keys } from "./keys.ts";
import { findPlaces, homeDirectory, type Places } from "./places.ts";

/** Everything that is configured, parsed once. Paths are absolute; times in seconds; 0 means no limit. */
export interface Settings {
  readonly libraryPath: string;
  readonly sysconfPath: string;
  readonly runtimePath: string;
  readonly configPath: string;
  readonly cachePath: string;
  readonly dataPath: string;
  readonly tempPath: string;
  /** Directory of enroot-mount and the other helpers. */
  readonly helperPath: string;
  /** Options of mksquashfs as the user wants them; undefined: our default. */
  readonly squashOptions: string | undefined;
  readonly gzipProgram: string | undefined;
  readonly zstdOptions: string;
  readonly maxProcessors: number;
  readonly maxConnections: number;
  readonly connectTimeout: number;
  readonly transferTimeout: number;
  readonly transferRetries: number;
  readonly loginShell: boolean;
  readonly allowSuperuser: boolean;
  readonly allowHttp: boolean;
  readonly rootfsWritable: boolean;
  readonly remapRoot: boolean;
  readonly unshareNet: boolean;
  readonly unsharePid: boolean;
  readonly unshareIpc: boolean;
  readonly unshareUts: boolean;
  readonly nativeOverlayfs: boolean;
  readonly bundleAll: boolean;
  readonly bundleChecksum: boolean;
  readonly forceOverride: boolean;
  readonly mountHome: boolean;
  readonly restrictDev: boolean;
  readonly storageBackend: "dir" | "zfs";
  readonly configFile: string;
  /** The caller's environment with the configuration merged in: what hooks see. */
  readonly environment: ReadonlyMap<string, string>;
  /** Effective ENROOT_* settings, sorted by name: what `info` prints. */
  readonly exported: ReadonlyMap<string, string>;
}

/** Where a value came from, for messages. */
type Values = Map<string, { readonly value: string; readonly origin: string }>;

/**
 * Reads the configuration files and the environment.
 * @throws EnrootError Usage for a value that cannot be what its setting needs, naming where it came from
 */
export async function loadSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Settings> {
  const places = findPlaces();
  const configFile = join(places.sysconf, "enroot.conf");
  const values = callerValues(environment);
  const expansion = expansionOver(values);
  for (const entry of readConfiguration(configFile)) {
    if (environment[entry.name]) continue;
    values.set(entry.name, { value: expand(entry.value, expansion), origin: entry.origin });
  }
  applyDefaults(values, places, expansion);
  return toSettings(values, places, configFile);
}

/**
 * The same settings with directives of a configuration script or options put over them.
 * @throws EnrootError as `loadSettings`
 */
export function overrideSettings(settings: Settings, changes: ReadonlyMap<string, string>): Settings {
  const values: Values = new Map();
  for (const [name, value] of settings.environment) values.set(name, { value, origin: name });
  for (const [name, value] of changes) values.set(name, { value, origin: name });
  return toSettings(values, findPlaces(), settings.configFile);
}

function callerValues(environment: Readonly<Record<string, string | undefined>>): Values {
  const values: Values = new Map();
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && name !== "ENROOT_PLAN_FD") values.set(name, { value, origin: `the environment` });
  }
  return values;
}

function expansionOver(values: Values): Expansion {
  const variable = (name: string): string | undefined => values.get(name)?.value;
  return {
    variable,
    home: () => homeDirectory(variable("HOME")),
    command: (script) => wellKnown(script.trim()) ?? runShell(script, values),
  };
}

/** The commands that nearly every site has in its enroot.conf, without a process for each. */
function wellKnown(script: string): string | undefined {
  if (script === "id -u") return String(process.getuid?.() ?? 0);
  if (script === "id -g") return String(process.getgid?.() ?? 0);
  if (script === "nproc") return String(navigator.hardwareConcurrency);
  if (script === "hostname") return hostname();
  if (script === "id -un" || script === "whoami") return userInfo().username;
  return undefined;
}

function runShell(script: string, values: Values): string {
  const env = Object.fromEntries([...values].map(([name, { value }]) => [name, value]));
  const shell = Bun.spawnSync(["/bin/bash", "--norc", "-c", script], { env, stdin: "ignore", stderr: "pipe" });
  if (shell.exitCode !== 0) {
    throw new EnrootError("Usage", `Invalid configuration: ${script}: ${shell.stderr.toString().trim()}`);
  }
  return shell.stdout.toString().replace(/\n+$/, "");
}

function applyDefaults(values: Values, places: Places, expansion: Expansion): void {
  for (const key of keys) {
    if (values.get(key.name)?.value) continue;
    const value = placeOf(key, places) ?? expand(key.fallback, expansion);
    if (value) values.set(key.name, { value, origin: "the default" });
  }
  for (const key of keys) {
    const value = values.get(key.name)?.value;
    if (key.kind === "boolean" && value !== undefined && isOff(value)) values.delete(key.name);
  }
}

function placeOf(key: Key, places: Places): string | undefined {
  if (key.name === "ENROOT_LIBRARY_PATH") return places.library;
  if (key.name === "ENROOT_SYSCONF_PATH") return places.sysconf;
  return undefined;
}

function toSettings(values: Values, places: Places, configFile: string): Settings {
  for (const [name, { value }] of values) if (name.startsWith("ENROOT_") && isOff(value)) values.delete(name);
  const text = (name: string): string | undefined => values.get(`ENROOT_${name}`)?.value || undefined;
  const path = (name: string): string => resolve(text(name) ?? "/");
  const flag = (name: string): boolean => text(name) !== undefined;
  const number = (name: string): number => parseNumber(`ENROOT_${name}`, values);
  const environment = new Map([...values].map(([name, { value }]) => [name, value]));
  const exported = [...environment].filter(([name]) => name.startsWith("ENROOT_")).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    libraryPath: path("LIBRARY_PATH"),
    sysconfPath: path("SYSCONF_PATH"),
    runtimePath: path("RUNTIME_PATH"),
    configPath: path("CONFIG_PATH"),
    cachePath: path("CACHE_PATH"),
    dataPath: path("DATA_PATH"),
    tempPath: path("TEMP_PATH"),
    helperPath: places.helpers,
    squashOptions: text("SQUASH_OPTIONS"),
    gzipProgram: text("GZIP_PROGRAM"),
    zstdOptions: text("ZSTD_OPTIONS") ?? "-1",
    maxProcessors: number("MAX_PROCESSORS") || navigator.hardwareConcurrency,
    maxConnections: number("MAX_CONNECTIONS"),
    connectTimeout: number("CONNECT_TIMEOUT"),
    transferTimeout: number("TRANSFER_TIMEOUT"),
    transferRetries: number("TRANSFER_RETRIES"),
    loginShell: flag("LOGIN_SHELL"),
    allowSuperuser: flag("ALLOW_SUPERUSER"),
    allowHttp: flag("ALLOW_HTTP"),
    rootfsWritable: flag("ROOTFS_WRITABLE"),
    remapRoot: flag("REMAP_ROOT"),
    unshareNet: flag("UNSHARE_NET"),
    unsharePid: flag("UNSHARE_PID"),
    unshareIpc: flag("UNSHARE_IPC"),
    unshareUts: flag("UNSHARE_UTS"),
    nativeOverlayfs: flag("NATIVE_OVERLAYFS"),
    bundleAll: flag("BUNDLE_ALL"),
    bundleChecksum: flag("BUNDLE_CHECKSUM"),
    forceOverride: flag("FORCE_OVERRIDE"),
    mountHome: flag("MOUNT_HOME"),
    restrictDev: flag("RESTRICT_DEV"),
    storageBackend: parseBackend(text("STORAGE_BACKEND")),
    configFile,
    environment,
    exported: new Map(exported),
  };
}

function parseNumber(name: string, values: Values): number {
  const entry = values.get(name);
  if (!entry) return 0;
  const number = Number(entry.value);
  if (/^\d+$/.test(entry.value) && Number.isSafeInteger(number)) return number;
  throw new EnrootError("Usage", `Invalid number for ${name}: ${entry.value} (from ${entry.origin})`);
}

function parseBackend(value: string | undefined): "dir" | "zfs" {
  if (value === undefined || value === "dir") return "dir";
  if (value === "zfs") return "zfs";
  throw new EnrootError("Usage", `Invalid ENROOT_STORAGE_BACKEND: ${value}`, { hint: "dir and zfs exist" });
}
