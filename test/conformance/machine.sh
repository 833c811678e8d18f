#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: machine.sh COMMAND [ARG…]
# Runs a command, as root, where there is what other enroots take for granted and a small machine or a container lacks:
# the log's socket in /dev, and one hierarchy of control groups, the unified one. The machine itself stays as it is.
set -eu
# The rest runs in a mount namespace of its own.
# shellcheck disable=SC2016
exec unshare --mount --propagation private sh -euc '
  if [ ! -e /dev/log ]; then
    place=$(mktemp -d)
    mount -t tmpfs none "$place"
    mkdir "$place/dev" "$place/upper" "$place/work"
    mount -t overlay -o "lowerdir=/dev,upperdir=$place/upper,workdir=$place/work" none "$place/dev"
    : > "$place/dev/log"
    for below in pts shm mqueue hugepages; do
      ! mountpoint -q "/dev/$below" || mount --rbind "/dev/$below" "$place/dev/$below"
    done
    mount --rbind "$place/dev" /dev
    umount -l "$place"
    rmdir "$place"
  fi
  if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
  fi
  exec "$@"' sh "$@"
