#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows the container its own part of each cgroup hierarchy, read-only, where the whole hierarchy is on the host.
set -euf

mapfile -t mounts < /proc/self/mountinfo
mapfile -t cgroups < /proc/self/cgroup

roots=() points=() hierarchies=()
for line in "${mounts[@]}"; do
    [[ "${line}" == *' - cgroup'* ]] || continue
    # shellcheck disable=SC2206 # split into fields: read would cost a pipe for each line
    fields=(${line}) end=(${line##* - })
    roots+=("${fields[3]}") points+=("${fields[4]}")
    # The superblock's options name the controllers; version 2 has none.
    [ "${end[0]}" = cgroup ] || end=()
    hierarchies+=(",${end[2]-},")
done

# Prints what binds the caller's cgroup PATH of the hierarchy of CONTROLLERS (none: version 2) over its mount point.
bind() {
    local controllers=$1 path=$2 i part
    for i in "${!hierarchies[@]}"; do
        [[ "${hierarchies[i]}" == *",${controllers},"* ]] || continue
        # A mount that begins elsewhere in the hierarchy says nothing about where the caller's cgroup is.
        [[ "${path%/}/" == "${roots[i]%/}/"* ]] || return 0
        part=${path#"${roots[i]%/}"}
        # Slurm gives each step a cgroup of its own: what is shown belongs to the job.
        [ -z "${SLURM_STEP_ID-}" ] || part=${part%/*}
        part=${part//\\/\\134}
        printf '%s%s %s none x-create=dir,rbind,nosuid,noexec,nodev,ro,nofail,silent\n' \
            "${points[i]}" "${part// /\\040}" "${points[i]}"
        return 0
    done
}

{
    for line in "${cgroups[@]}"; do
        line=${line#*:}
        bind "${line%%:*}" "${line#*:}"
    done
    printf 'none /sys/fs/cgroup none rbind,remount,nosuid,noexec,nodev,ro,rslave,nofail,silent\n'
} >> "${ENROOT_MOUNTS}"
