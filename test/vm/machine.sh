# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The virtual machine: sourced by build, which saves its state, and by scripts/zfs-vm, which resumes it. The state fits
# only a machine with the very same qemu, devices, memory and processors, so both start it by this one function.

memory=2048

# start_machine IMAGES STATE WORK DISK_OPTIONS [QEMU_OPTION…]: replaces the shell by qemu. IMAGES holds what all versions
# share, STATE the disks of one version; WORK gets the monitor, the console's log and the channels go, out, err and status.
start_machine() {
  local images=$1 state=$2 work=$3 disk=$4
  shift 4
  local kernel_options
  kernel_options="console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on no_timer_check \
tsc=reliable net.ifnames=0 apparmor=0 audit=0 nowatchdog init_on_alloc=0 enroot.zfs=$(basename "$state")"
  # Software emulation: hardware virtualisation may not be there, and the saved state would not fit other processors. The
  # cache of translations keeps its own size: with 512 MiB, programs in the machine crashed at random.
  exec "$images/qemu/usr/bin/qemu-system-x86_64" -L "$images/qemu/usr/share/seabios" -L "$images/qemu/usr/share/qemu" \
    -nodefaults -no-user-config -display none -no-reboot -M pc,usb=off,vmport=off -accel tcg,thread=multi \
    -cpu max -smp 2 -m "$memory" -object "memory-backend-memfd,id=memory,size=${memory}M,share=on" \
    -numa node,memdev=memory -kernel "$images/vmlinuz" -initrd "$images/initrd" -append "$kernel_options" \
    -serial "file:$work/console" -qmp "unix:$work/monitor,server=on,wait=off" -global migration.mapped-ram=on \
    -drive "if=none,id=d0,file=$state/root.img,format=raw,cache=unsafe,$disk" -device virtio-blk-pci,drive=d0 \
    -drive "if=none,id=d1,file=$state/pool.img,format=raw,cache=unsafe,discard=unmap,$disk" \
    -device virtio-blk-pci,drive=d1 -device virtio-serial-pci \
    -chardev "pipe,id=go,path=$work/go" -device virtserialport,chardev=go,name=go \
    -chardev "file,id=out,path=$work/out,append=on" -device virtserialport,chardev=out,name=out \
    -chardev "file,id=err,path=$work/err,append=on" -device virtserialport,chardev=err,name=err \
    -chardev "file,id=status,path=$work/status" -device virtserialport,chardev=status,name=status "$@"
}
