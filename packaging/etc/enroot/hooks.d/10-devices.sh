#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# enroot-when: ENROOT_RESTRICT_DEV ENROOT_UNSHARE_IPC
# A /dev of its own with the few devices that every program may expect.
set -eu

[ -n "${ENROOT_RESTRICT_DEV-}${ENROOT_UNSHARE_IPC-}" ] || exit 0

if [ -n "${ENROOT_UNSHARE_IPC-}" ]; then
    shared_memory='tmpfs  /dev/shm     tmpfs   x-create=dir,rw,nosuid,noexec,nodev,mode=1777,private
                   mqueue /dev/mqueue  mqueue  x-create=dir,rw,nosuid,noexec,nodev,private,nofail,silent'
else
    shared_memory='/dev/shm    /dev/shm    none  x-create=dir,bind,rw,nosuid,noexec,nodev,rslave
                   /dev/mqueue /dev/mqueue none  x-create=dir,bind,rw,nosuid,noexec,nodev,rslave,nofail,silent'
fi
console=
if [ -t 0 ]; then
    console="$(readlink -f /proc/self/fd/0) /dev/console none x-create=file,bind,rw,nosuid,noexec,private"
fi

enroot-mount --root "${ENROOT_ROOTFS}" - <<EOF
none           /dev            none    x-detach,nofail,silent
tmpfs          /dev            tmpfs   x-create=dir,rw,nosuid,noexec,mode=755,slave
/dev/null      /dev/null       none    x-create=file,bind,rw,nosuid,noexec,private
/dev/zero      /dev/zero       none    x-create=file,bind,rw,nosuid,noexec,private
/dev/full      /dev/full       none    x-create=file,bind,rw,nosuid,noexec,private
/dev/random    /dev/random     none    x-create=file,bind,rw,nosuid,noexec,private
/dev/urandom   /dev/urandom    none    x-create=file,bind,rw,nosuid,noexec,private
/dev/tty       /dev/tty        none    x-create=file,bind,rw,nosuid,noexec,private
devpts         /dev/pts        devpts  x-create=dir,rw,nosuid,noexec,newinstance,ptmxmode=0666,mode=620,slave
/dev/hugepages /dev/hugepages  none    x-create=dir,bind,rw,nosuid,noexec,nodev,rslave,nofail,silent
/dev/log       /dev/log        none    x-create=file,bind,rw,nosuid,noexec,nodev,private,nofail,silent
${shared_memory}
${console}
EOF

exec enroot-rootfs link /proc/self/fd /dev/fd /dev/pts/ptmx /dev/ptmx \
    /proc/self/fd/0 /dev/stdin /proc/self/fd/1 /dev/stdout /proc/self/fd/2 /dev/stderr
