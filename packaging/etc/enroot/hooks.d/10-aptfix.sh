#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# enroot-when: ENROOT_REMAP_ROOT
# As the only user of its namespace, root cannot hand apt's downloads to another one.
set -eu

[ -n "${ENROOT_REMAP_ROOT-}" ] && [ -f "${ENROOT_ROOTFS}/etc/debian_version" ] || exit 0

exec enroot-rootfs write /etc/apt/apt.conf.d/enroot <<EOT
APT::Sandbox::User "root";
EOT
