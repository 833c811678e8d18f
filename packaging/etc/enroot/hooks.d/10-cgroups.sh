#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows the container its own part of each cgroup hierarchy, read-only, where the whole hierarchy is on the host.
set -eu

mounts=$(grep -e ' - cgroup2\{0,1\} ' /proc/self/mountinfo) || exit 0

# Prints what binds the cgroup PATH of the hierarchy that has CONTROLLERS (none: version 2) over its mount point.
bind() {
    controllers=$1 path=$2
    while read -r _ _ _ root point rest; do
        case "${controllers}:${rest} " in
        :*' - cgroup2 '*) ;;
        :*) continue ;;
        *"- cgroup "*"${controllers},"* | *"- cgroup "*"${controllers} "*) ;;
        *) continue ;;
        esac
        # Slurm gives each step a cgroup of its own: a job's container belongs to the job.
        subtree="${point}/${path#"${root}"}${SLURM_STEP_ID:+/..}"
        printf '%s %s none x-create=dir,rbind,nosuid,noexec,nodev,ro,nofail,silent\n' "${subtree}" "${point}"
        return
    done <<EOF
${mounts}
EOF
}

{
    while IFS=: read -r _ controllers path; do
        bind "${controllers}" "${path}"
    done < /proc/self/cgroup
    printf 'none /sys/fs/cgroup none rbind,remount,nosuid,noexec,nodev,ro,rslave,nofail,silent\n'
} >> "${ENROOT_MOUNTS}"
