// SPDX-License-Identifier: Apache-2.0
// A whole emulated machine of 64-bit ARM, for what emulating single programs withholds: user namespaces. It has Debian's
// kernel, and a system as its first file system, in memory; it runs one script, and is gone.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDirectory, host, used } from "../harness/index.ts";
import type { System } from "./installation.ts";

/** Debian's kernel for 64-bit ARM, from its mirror if it is not in the cache. */
export async function armKernel(): Promise<string> {
  const directory = join(cacheDirectory(), "kernel-arm64-1");
  if (existsSync(directory)) return join(await used(directory), "vmlinuz");
  await using undo = new AsyncDisposableStack();
  const fresh = `${directory}.${process.pid}`;
  undo.defer(() => rm(fresh, { recursive: true, force: true }));
  await mkdir(join(fresh, "package"), { recursive: true });
  const script = `
    name=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/.*Depends: //p' | head -n 1)
    apt-get -qq download "$name" 2> /dev/null
    dpkg-deb --extract ./*.deb .
    mv boot/vmlinuz* ../vmlinuz`;
  await host(["sh", "-ec", script], { cwd: join(fresh, "package") });
  await rm(join(fresh, "package"), { recursive: true });
  if (!existsSync(directory)) await rename(fresh, directory);
  return join(directory, "vmlinuz");
}

/** Runs shell lines as a user of a system in such a machine; returns what they print there, and how they end. */
export async function inMachine(on: System, base: string, script: string): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "enroot-machine."));
  try {
    await writeFile(join(on.changes, "init"), init, { mode: 0o755 });
    await writeFile(join(on.changes, "job"), script);
    const image = join(work, "initrd");
    const unneeded = [
      "./usr/share/doc",
      "./usr/share/man",
      "./usr/share/locale",
      "./var/cache",
      "./var/lib/apt",
      "./srv",
    ];
    const prune = unneeded.map((path) => `-path ${path}`).join(" -o ");
    await host(
      [
        "sh",
        "-ec",
        `find . \\( ${prune} \\) -prune -o -print | cpio --quiet -o -H newc | gzip -1 > ${image}`,
      ],
      {
        prepare: `mount -t overlay -o ro,lowerdir=${on.changes}:${base} overlay /mnt; cd /mnt`,
        cwd: work,
      },
    );
    return printed(
      await host([...machine, "-kernel", await armKernel(), "-initrd", image], { timeout: 280 }),
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const machine = [
  ...[
    "qemu-system-aarch64",
    "-M",
    "virt",
    "-cpu",
    "max,pauth-impdef=on",
    "-accel",
    "tcg,thread=multi",
    "-smp",
    "2",
  ],
  ...["-m", "2500", "-nographic", "-no-reboot", "-nic", "none"],
  ...["-append", "console=ttyAMA0 quiet rdinit=/init panic=-1"],
];

/** What the job prints is between marks of its own, on a terminal. */
function printed(console: string): string {
  const text = console.replaceAll("\r", "");
  const [, job] = /^-- begin\n((?:.*\n)*?)-- end /m.exec(text) ?? [];
  if (job === undefined) throw new Error(`the machine did not come to its end:\n${text}`);
  return job;
}

/** The first file system cannot be left for another's root, so everything moves into one that can. */
const init = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ ! -e /moved ]; then
  mount -t tmpfs -o size=80% tmpfs /mnt
  cp -a /bin /etc /home /init /job /lib /opt /sbin /usr /var /mnt
  touch /mnt/moved
  cd /mnt && mkdir dev mnt proc root run sys tmp && chmod 1777 tmp
  mount --move /mnt / && exec chroot . /init
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /dev/pts /dev/mqueue
mount -t tmpfs tmpfs /run
mount -t devpts devpts /dev/pts
echo '-- begin'
HOME=/home/user setpriv --reuid=user --regid=user --init-groups sh -c 'cd && . /job' 2>&1
echo "-- end $?"
echo o > /proc/sysrq-trigger
sleep 60
`;
