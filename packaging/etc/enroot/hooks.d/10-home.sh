#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# enroot-when: ENROOT_MOUNT_HOME
# Mounts the caller's home directory where ENROOT_MOUNT_HOME asks for it.
set -eu

[ -n "${ENROOT_MOUNT_HOME-}" ] || exit 0

if [ -z "${HOME-}" ]; then
    # The second number is who the caller is on the host, with --root too.
    read -r _ uid _ < /proc/self/uid_map
    HOME=$(getent passwd "${uid}" | cut -d: -f6)
fi
source=$(printf '%s' "${HOME}" | sed 's/\\/\\134/g; s/ /\\040/g; s/\t/\\011/g')
target=${source} home=${HOME}
if [ -n "${ENROOT_REMAP_ROOT-}" ]; then
    target=/root home=/root
fi
printf '%s %s none x-create=dir,bind,rw,nosuid\n' "${source}" "${target}" >> "${ENROOT_MOUNTS}"
printf 'HOME=%s\n' "${home}" >> "${ENROOT_ENVIRON}"
