// SPDX-License-Identifier: Apache-2.0
// Files that an import adds to an image: /etc/rc, /etc/rc.local, /etc/fstab and /etc/environment (docs/image-format.md).
// No value of the image can be more than what it stands for: words are quoted for the shell, the rest is escaped.
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
  return text.replace(/[\x00-\x1f\x7f]+/g, " ");
}

/** A field of fstab(5): what would end it, or be substituted, is an octal escape. */
function fstabField(text: string): string {
  return text.replace(/[\s\\#$\0]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

/** The command script. @param uri where the image is from, for provenance */
export function renderRc(config: ImageConfig, uri: string): string {
  const workdir = quoteWord(config.workingDir);
  const entrypoint = config.entrypoint.map(quoteWord).join(" ");
  const none = config.entrypoint.length === 0 && config.cmd.length === 0;
  const command = (none ? ["/bin/sh"] : config.cmd).map(quoteWord).join(" ");
  const labels = [...config.labels].map(([name, value]) => `# ${oneLine(name)} ${oneLine(value)}`);
  const exec = (...words: string[]): string => ["exec", ...words.filter((word) => word !== "")].join(" ");
  return `${[`# enroot-provenance: ${oneLine(uri)}`, ...labels].join("\n")}

mkdir -p ${workdir} 2> /dev/null
cd ${workdir} && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -gt 0 ]; then
    ${exec(entrypoint, '"$@"')}
else
    ${exec(entrypoint, command)}
fi
`;
}

/** Volumes as bind mounts of the container's own directories, so that they are writable. */
export function renderFstab({ volumes }: ImageConfig): string {
  const absolute = volumes.filter((volume) => volume.startsWith("/"));
  const lines = absolute.map(
    (volume) =>
      `\${ENROOT_ROOTFS}${fstabField(volume)} ${fstabField(volume)} none x-create=dir,bind,rw,nosuid,nodev\n`,
  );
  return lines.join("");
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
