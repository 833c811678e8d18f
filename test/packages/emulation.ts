// SPDX-License-Identifier: Apache-2.0
// Programs of the other architecture, run by qemu-user for as long as a command lasts.
import { debianArchitecture } from "./built.ts";

/** The architecture that this machine has to emulate. */
export const foreignArchitecture = debianArchitecture === "amd64" ? "arm64" : "amd64";

/** How executables of an architecture begin: ELF, 64 bits, little-endian, any system; programs and libraries; machine. */
const magic = {
  arm64: { emulator: "qemu-aarch64-static", machine: "\\xb7\\x00" },
  amd64: { emulator: "qemu-x86_64-static", machine: "\\x3e\\x00" },
} as const;

/**
 * Shell commands for root in a mount namespace of its own, after which programs of an architecture run there. They do in
 * the whole system, until the last such namespace is gone: the kernel forgets what was registered with the last mount.
 */
export function emulate(architecture: string): string {
  if (architecture === debianArchitecture) return "";
  const { emulator, machine } = magic[architecture === "arm64" ? "arm64" : "amd64"];
  const head = `\\x7fELF\\x02\\x01\\x01${"\\x00".repeat(9)}\\x02\\x00${machine}`;
  const mask = `${"\\xff".repeat(7)}\\x00${"\\xff".repeat(8)}\\xfe\\xff\\xff\\xff`;
  const name = `enroot-test-${architecture}`;
  return `
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    [ -e /proc/sys/fs/binfmt_misc/${name} ] || [ -e /proc/sys/fs/binfmt_misc/${emulator.replace("-static", "")} ] ||
      printf '%s' ':${name}:M::${head}:${mask}:/usr/bin/${emulator}:F' > /proc/sys/fs/binfmt_misc/register`;
}
