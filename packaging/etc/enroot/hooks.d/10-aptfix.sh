#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As the only user of its namespace, root cannot hand apt's downloads to another one.
set -eu

[ -n "${ENROOT_REMAP_ROOT-}" ] && [ -f "${ENROOT_ROOTFS}/etc/debian_version" ] || exit 0

cd -P -- "${ENROOT_ROOTFS}"
root=${PWD%/}
for directory in etc apt apt.conf.d; do
    [ -d "${directory}" ] || mkdir -- "${directory}"
    cd -P -- "${directory}"
    # A link of the image must not lead us to files of the host.
    case "${PWD}/" in "${root}"/*) ;; *) exit 0 ;; esac
done

[ ! -L enroot ] || rm -f -- enroot
printf 'APT::Sandbox::User "root";\n' > enroot
