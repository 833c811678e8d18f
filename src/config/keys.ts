// SPDX-License-Identifier: Apache-2.0
// Every setting once: the configuration, `info` and the manual are made from this table.

/** How a setting's text is read. */
export type KeyKind = "path" | "text" | "number" | "boolean";

/** One setting. */
export interface Key {
  readonly name: string;
  readonly kind: KeyKind;
  /** Default in the language of enroot.conf; empty: unset. */
  readonly fallback: string;
  readonly text: string;
}

function key(name: string, kind: KeyKind, fallback: string, text: string): Key {
  return { name: `ENROOT_${name}`, kind, fallback, text };
}

/** All settings, in the order of the manual. Paths of the installation have no fixed default. */
export const keys: readonly Key[] = [
  key("LIBRARY_PATH", "path", "", "Where the engine and common.sh are installed"),
  key("SYSCONF_PATH", "path", "", "System configuration: hooks.d, mounts.d, environ.d"),
  key("RUNTIME_PATH", "path", "${XDG_RUNTIME_DIR:-/run}/enroot", "Working directory of a start"),
  key("CONFIG_PATH", "path", "${XDG_CONFIG_HOME:-~/.config}/enroot", "User configuration and credentials"),
  key("CACHE_PATH", "path", "${XDG_CACHE_HOME:-~/.cache}/enroot", "Blobs of images"),
  key("DATA_PATH", "path", "${XDG_DATA_HOME:-~/.local/share}/enroot", "Containers"),
  key("TEMP_PATH", "path", "${TMPDIR:-/tmp}", "Temporary files"),
  key("GZIP_PROGRAM", "text", "", "Program that unpacks gzip layers instead of the built-in one"),
  key("ZSTD_OPTIONS", "text", "-1", "Accepted for compatibility; layers are cached as they come"),
  key("SQUASH_OPTIONS", "text", "", "Options of mksquashfs for new images instead of zstd level 1"),
  key("MAX_PROCESSORS", "number", "$(nproc)", "Processors used at once (0: all)"),
  key("MAX_CONNECTIONS", "number", "10", "Connections to a registry at once (0: no limit)"),
  key("CONNECT_TIMEOUT", "number", "30", "Seconds until a connection must stand (0: no limit)"),
  key("TRANSFER_TIMEOUT", "number", "0", "Seconds that one transfer may take (0: no limit)"),
  key("TRANSFER_RETRIES", "number", "0", "How often a failed transfer is tried again"),
  key("LOGIN_SHELL", "boolean", "yes", "Start the command through a login shell"),
  key("ALLOW_SUPERUSER", "boolean", "no", "Let root keep its privileges in containers"),
  key("ALLOW_HTTP", "boolean", "no", "Talk to registries over plain HTTP (insecure)"),
  key("ROOTFS_WRITABLE", "boolean", "no", "Make root file systems writable, as --rw does"),
  key("REMAP_ROOT", "boolean", "no", "Be root inside containers, as --root does"),
  key("UNSHARE_NET", "boolean", "no", "New network namespace, as --net does"),
  key("UNSHARE_PID", "boolean", "no", "New PID namespace, as --pid does"),
  key("UNSHARE_IPC", "boolean", "no", "New IPC namespace and a small /dev, as --ipc does"),
  key("UNSHARE_UTS", "boolean", "no", "New UTS namespace, as --uts does"),
  key(
    "NATIVE_OVERLAYFS",
    "boolean",
    "yes",
    "Overlay of the kernel for images that are started (no: fuse-overlayfs)",
  ),
  key("BUNDLE_ALL", "boolean", "no", "Bundles carry the user's configuration too"),
  key("BUNDLE_CHECKSUM", "boolean", "no", "Bundles carry a checksum"),
  key("FORCE_OVERRIDE", "boolean", "no", "As if --force was always given"),
  key("MOUNT_HOME", "boolean", "no", "Mount the home directory (read by a hook)"),
  key("RESTRICT_DEV", "boolean", "no", "A small /dev (read by a hook)"),
  key(
    "GPU_MODE",
    "text",
    "auto",
    "How GPUs come into containers: cdi, cli, or auto, the first that can (read by a hook)",
  ),
  key("CDI_PATH", "text", "/etc/cdi:/var/run/cdi", "Directories of CDI specifications; the last counts most"),
  key("STORAGE_BACKEND", "text", "dir", "Where containers live: dir or zfs"),
  key(
    "TEMPLATE_WARM_SECONDS",
    "text",
    "604800",
    "How long an unused template is kept (0: not, inf: for ever)",
  ),
  key("TEMPLATE_PRESSURE_THRESHOLD", "text", "80", "Percent of the quota from which unused templates go"),
  key("ZFS_IMPORT_FORMAT", "text", "pointer", "What import makes on zfs: pointer or squashfs"),
  key("ZFS_LAYER_CHAIN", "boolean", "no", "One dataset a layer instead of one an image"),
];

/** Whether a configuration file may set `name`. */
export function isConfigurable(name: string): boolean {
  return /^(ENROOT_[A-Z_]+|(NVIDIA|MELLANOX)_\w*|SSL_CERT_(DIR|FILE)|(all|no|http|https)_proxy)$/.test(name);
}

/** Whether a value means "switched off" (bash enroot: the same spellings). */
export function isOff(value: string): boolean {
  return /^(no?|N[oO]?|[fF](alse)?|FALSE)$/.test(value);
}
