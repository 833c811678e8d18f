// SPDX-License-Identifier: Apache-2.0
// Files that an import adds to an image: /etc/rc, /etc/rc.local, /etc/fstab and /etc/environment (docs/image-format.md).
// No value of the image can be more than what it stands for: words are quoted for the shell, the rest is escaped.
import { posix } from "node:path";
import type { ImageConfig } from "./oci-config.ts";

/** A file to add. */
export interface AddedFile {
  /** Below the root, without a leading slash. */
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

/** A word for the shell: itself, whatever it contains. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("\0", "").replaceAll("'", "'\\''")}'`;
}

/** Text that may stand in a comment: nothing ends the line. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a comment
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, " ");
}

/** A field of fstab(5): what would end it, or be substituted, is an octal escape. */
function fstabField(text: string): string {
  return text.replace(/[ \t-\r\\#$\0]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

/** A path of the configuration as one below the container's root, whatever is in it. */
function insideRoot(path: string): string {
  return posix.normalize(`/${path.replaceAll("\0", "")}`).replace(/(?<=.)\/$/, "");
}

/** The directory that commands begin in: an absolute path. */
export function workingDirectory({ workingDir }: ImageConfig): string {
  return insideRoot(workingDir);
}

/** The command script. @param uri where the image is from, for provenance */
export function renderRc(config: ImageConfig, uri: string): string {
  const directory = quoteWord(workingDirectory(config));
  const none = config.entrypoint.length === 0 && config.cmd.length === 0;
  const execute = (...words: string[]): string =>
    ["exec", ...config.entrypoint.map(quoteWord), ...words].join(" ");
  const lines = [
    `# enroot-provenance: ${oneLine(uri)}`,
    ...[...config.labels].map(([name, value]) => `# ${oneLine(name)} ${oneLine(value)}`),
    "",
    `mkdir -p ${directory} 2> /dev/null`,
    `cd ${directory} || exit 1`,
    "unset OLDPWD",
    "[ ! -s /etc/rc.local ] || . /etc/rc.local",
    `[ "$#" -eq 0 ] || ${execute('"$@"')}`,
    execute(...(none ? ["/bin/sh"] : config.cmd).map(quoteWord)),
  ];
  return `${lines.join("\n")}\n`;
}

/** Directories that an image means to have, though maybe no layer has them: absolute paths. */
export function wantedDirectories(config: ImageConfig): string[] {
  return [workingDirectory(config), ...volumesOf(config)];
}

function volumesOf({ volumes }: ImageConfig): string[] {
  return [...new Set(volumes.map(insideRoot))].filter((path) => path !== "/").sort();
}

/** Volumes as bind mounts of the container's own directories, so that they are writable. */
export function renderFstab(config: ImageConfig): string {
  const options = "none x-create=dir,bind,rw,nosuid,nodev";
  return volumesOf(config)
    .map(fstabField)
    .map((path) => `\${ENROOT_ROOTFS}${path} ${path} ${options}\n`)
    .join("");
}

/** Variables, one a line. What a line cannot hold, or is no variable, is left out. */
export function renderEnvironment({ env }: ImageConfig): string {
  return env
    .filter((entry) => /^[A-Za-z_]\w*=[^\n\r\0]*$/.test(entry))
    .map((entry) => `${entry}\n`)
    .join("");
}

const rcLocal = `# Sourced by /etc/rc before the command runs, with the command and its arguments as "$@".
# What it sets or changes there, the command gets.
`;

/** All files that are added to an image. */
export function addedFiles(config: ImageConfig, uri: string): AddedFile[] {
  return [
    { path: "etc/rc", content: renderRc(config, uri), mode: 0o644 },
    { path: "etc/rc.local", content: rcLocal, mode: 0o644 },
    { path: "etc/fstab", content: renderFstab(config), mode: 0o644 },
    { path: "etc/environment", content: renderEnvironment(config), mode: 0o644 },
  ];
}
