// SPDX-License-Identifier: Apache-2.0
// The configuration, and the only reader of the environment. May import: system (account, shell), log, errors.
import { join, resolve } from "node:path";
import { version } from "../../package.json";
import { EnrootError } from "../errors.ts";
import { expand } from "./expand.ts";
import { parseConfiguration, readConfiguration } from "./file.ts";
import { isOff, type Key, keys } from "./keys.ts";
import { findPlaces, type Places } from "./places.ts";
import { callerValues, evaluate, expansionOver, setBaseDirectories, type Values } from "./values.ts";

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
  /** Infinity: for ever. */
  readonly templateWarmSeconds: number;
  /** Percent. */
  readonly templatePressureThreshold: number;
  /** What import makes unless told otherwise. */
  readonly importFormat: "pointer" | "squashfs";
  readonly zfsLayerChain: boolean;
  readonly configFile: string;
  /** The caller's environment with the configuration merged in: what hooks see. */
  readonly environment: ReadonlyMap<string, string>;
  /** Effective ENROOT_* settings, sorted by name: what `info` prints. */
  readonly exported: ReadonlyMap<string, string>;
}

/**
 * Reads the configuration files and the environment.
 * @throws EnrootError Usage for a value that cannot be what its setting needs, naming where it came from
 */
export async function loadSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  places: Places = findPlaces(),
): Promise<Settings> {
  const configFile = join(places.sysconf, "enroot.conf");
  const values = callerValues(environment);
  for (const entry of readConfiguration(configFile)) {
    // What is set already stays: the environment beats the files, and an earlier line a later one.
    if (values.get(entry.name)?.text) continue;
    const text = evaluate(entry, values);
    if (text) values.set(entry.name, { text, origin: entry.origin });
  }
  setBaseDirectories(values);
  applyDefaults(values, places);
  values.set("ENROOT_VERSION", { text: version, origin: "the program" });
  return toSettings(values, places, configFile);
}

/**
 * The same settings with others put over them, as options do.
 * @throws EnrootError as `loadSettings`
 */
export function overrideSettings(settings: Settings, changes: ReadonlyMap<string, string>): Settings {
  const values = valuesOf(settings);
  for (const [name, text] of changes) values.set(name, { text, origin: "the command line" });
  return toSettings(values, findPlaces(), settings.configFile);
}

/**
 * The same settings with the `#ENROOT_X=y` lines of a configuration script put over them.
 * @param file the script's name, for messages
 * @throws EnrootError as `loadSettings`
 */
export function directSettings(settings: Settings, script: string, file: string): Settings {
  const values = valuesOf(settings);
  const directives = script.replace(/^(?!#[ \t]*ENROOT_).*$/gm, "").replace(/^#/gm, "");
  for (const entry of parseConfiguration(directives, file)) {
    const text = evaluate(entry, values);
    if (text !== undefined) values.set(entry.name, { text, origin: entry.origin });
  }
  return toSettings(values, findPlaces(), settings.configFile);
}

function valuesOf(settings: Settings): Values {
  return new Map([...settings.environment].map(([name, text]) => [name, { text, origin: name }]));
}

function applyDefaults(values: Values, places: Places): void {
  const expansion = expansionOver(values, "the default");
  for (const key of keys) {
    if (values.get(key.name)?.text) continue;
    const text = placeOf(key, places) ?? expand(key.fallback, expansion);
    if (text) values.set(key.name, { text, origin: "the default" });
  }
}

function placeOf(key: Key, places: Places): string | undefined {
  if (key.name === "ENROOT_LIBRARY_PATH") return places.library;
  if (key.name === "ENROOT_SYSCONF_PATH") return places.sysconf;
  return undefined;
}

function toSettings(values: Values, places: Places, configFile: string): Settings {
  for (const [name, { text }] of values) if (name.startsWith("ENROOT_") && isOff(text)) values.delete(name);
  const text = (name: string): string | undefined => values.get(`ENROOT_${name}`)?.text || undefined;
  const path = (name: string): string => resolve(text(name) ?? "/");
  const flag = (name: string): boolean => text(name) !== undefined;
  const number = (name: string): number => parseNumber(`ENROOT_${name}`, values);
  const environment = new Map([...values].map(([name, value]) => [name, value.text]));
  const exported = [...environment]
    .filter(([name]) => name.startsWith("ENROOT_"))
    .sort(([a], [b]) => (a < b ? -1 : 1));
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
    templateWarmSeconds:
      text("TEMPLATE_WARM_SECONDS") === "inf" ? Number.POSITIVE_INFINITY : number("TEMPLATE_WARM_SECONDS"),
    templatePressureThreshold: parsePercent("ENROOT_TEMPLATE_PRESSURE_THRESHOLD", values),
    importFormat: parseFormat(text("STORAGE_BACKEND"), text("ZFS_IMPORT_FORMAT")),
    zfsLayerChain: flag("ZFS_LAYER_CHAIN"),
    configFile,
    environment,
    exported: new Map(exported),
  };
}

function parseNumber(name: string, values: Values): number {
  const entry = values.get(name);
  if (!entry?.text) return 0;
  // Times may have a fraction, counts not.
  const form = name.endsWith("_TIMEOUT") ? /^\d+(\.\d+)?$/ : /^\d+$/;
  const number = Number(entry.text);
  if (form.test(entry.text) && number <= Number.MAX_SAFE_INTEGER) return number;
  throw new EnrootError("Usage", `Invalid number for ${name}: ${entry.text} (from ${entry.origin})`);
}

function parsePercent(name: string, values: Values): number {
  const percent = parseNumber(name, values);
  if (percent <= 100) return percent;
  throw new EnrootError("Usage", `Invalid number for ${name}: ${percent}`, { hint: "it is percent" });
}

function parseFormat(backend: string | undefined, value = "pointer"): "pointer" | "squashfs" {
  if (backend !== "zfs" || value === "squashfs") return "squashfs";
  if (value === "pointer") return "pointer";
  throw new EnrootError("Usage", `Invalid ENROOT_ZFS_IMPORT_FORMAT: ${value}`, {
    hint: "pointer and squashfs exist",
  });
}

function parseBackend(value: string | undefined): "dir" | "zfs" {
  if (value === undefined || value === "dir") return "dir";
  if (value === "zfs") return "zfs";
  throw new EnrootError("Usage", `Invalid ENROOT_STORAGE_BACKEND: ${value}`, { hint: "dir and zfs exist" });
}
