#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroot-when: MELLANOX_VISIBLE_DEVICES
# Gives the container the InfiniBand devices that MELLANOX_VISIBLE_DEVICES names (numbers with commas, or all) and hides
# the others. A variable of the caller or of enroot.conf counts more than one of the container.
set -eu
shopt -s nullglob

fail() {
    printf '[ERROR] %s\n' "$1" >&2
    exit 1
}

wanted=${MELLANOX_VISIBLE_DEVICES-}
if [ -z "${MELLANOX_VISIBLE_DEVICES+x}" ]; then
    mapfile -t lines < "${ENROOT_ENVIRON}"
    for line in "${lines[@]}"; do
        case "${line}" in MELLANOX_VISIBLE_DEVICES=*) wanted=${line#*=} ;; esac
    done
fi
case "${wanted}" in '' | void | none) exit 0 ;; esac

drivers=/sys/bus/pci/drivers

# field NAME FILE: sets `field` to what a uevent file says of NAME.
field() {
    local key text
    field=
    while IFS='=' read -r key text; do [ "${key}" != "$1" ] || field=${text}; done < "$2"
}

verbs=() interfaces=() issms=() umads=()
for uevent in "${drivers}"/mlx[45]_core/*/infiniband_verbs/*/uevent; do
    field DEVNAME "${uevent}"
    verbs+=("${field}")
done
for uevent in "${drivers}"/mlx[45]_core/*/infiniband/*/uevent; do
    field NAME "${uevent}"
    interfaces+=("${field}")
done
for uevent in "${drivers}"/mlx[45]_core/*/infiniband_mad/*/uevent; do
    field DEVNAME "${uevent}"
    case "${uevent}" in */issm*) issms+=("${field}") ;; */umad*) umads+=("${field}") ;; esac
done

ids=()
if [ "${wanted}" = all ]; then
    ids=("${!verbs[@]}")
else
    IFS=, read -r -a ids <<< "${wanted}"
fi
for id in "${ids[@]}"; do
    if [[ ! ${id} =~ ^[0-9]{1,4}$ ]] || [ "$((10#${id}))" -ge "${#verbs[@]}" ]; then
        fail "Unknown MELLANOX device id: ${id}"
    fi
done

# Everything is hidden first, then shown again one by one.
class=/sys/class
private='nosuid,noexec,nodev,private'
{
    for name in infiniband infiniband_verbs infiniband_mad; do
        printf 'tmpfs %s/%s tmpfs mode=755,%s\n' "${class}" "${name}" "${private}"
    done
    printf 'tmpfs %s/infiniband_cm tmpfs mode=755,%s,nofail,silent\n' "${class}" "${private}"
    for name in infiniband_verbs infiniband_mad; do
        printf '%s/%s/abi_version %s/%s/abi_version none x-create=file,bind,ro,%s\n' "${class}" "${name}" "${class}" \
            "${name}" "${private}"
    done
    printf '%s/infiniband_cm/abi_version %s/infiniband_cm/abi_version none x-create=file,bind,ro,%s,nofail,silent\n' \
        "${class}" "${class}" "${private}"
    printf '/dev/infiniband/rdma_cm /dev/infiniband/rdma_cm none x-create=file,bind,ro,nosuid,noexec,private\n'
} | enroot-mount --root "${ENROOT_ROOTFS}" -

# show PATH OPTION...: the device node of the host.
show() {
    printf '/dev/%s /dev/%s none x-create=file,bind,ro,nosuid,noexec,private%s\n' "$1" "$1" "${2-}" |
        enroot-mount --root "${ENROOT_ROOTFS}" -
}

# class NAME DEVICE: the device's place in sysfs, as the host has it.
class() {
    enroot-rootfs link "$(readlink -f "/sys/class/$1/$2")" "/sys/class/$1/$2"
}

read -r _ outside _ < /proc/self/uid_map
for id in "${ids[@]}"; do
    id=$((10#${id}))
    show "${verbs[id]}"
    class infiniband "${interfaces[id]}"
    class infiniband_verbs "${verbs[id]##*/}"
    # Management datagrams are root's alone.
    if [ -n "${ENROOT_ALLOW_SUPERUSER-}" ] && [ "${outside}" -eq 0 ]; then
        for node in "${umads[id]-}" "${issms[id]-}"; do
            [ -n "${node}" ] || continue
            show "${node}" ,nofail,silent
            class infiniband_mad "${node##*/}"
        done
    fi
done
