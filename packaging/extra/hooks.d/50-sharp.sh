#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroot-when: SLURM_NETWORK
# Settings of SHARP and NCCL for jobs that run with srun --network=sharp and see InfiniBand devices. What the container's
# environment has already stays.
set -eu

[ "${SLURM_NETWORK-}" = sharp ] || exit 0

declare -A container=()
mapfile -t lines < "${ENROOT_ENVIRON}"
for line in "${lines[@]}"; do container[${line%%=*}]=${line#*=}; done

devices=${MELLANOX_VISIBLE_DEVICES-${container[MELLANOX_VISIBLE_DEVICES]-}}
case "${devices}" in '' | void | none) exit 0 ;; esac

# offer NAME VALUE: the variable, unless it is there or the value is empty.
offer() {
    [ -n "${container[$1]+x}" ] || [ -z "$2" ] || printf '%s=%s\n' "$1" "$2" >> "${ENROOT_ENVIRON}"
}

offer SHARP_COLL_LOCK_ON_COMM_INIT 1
offer SHARP_COLL_NUM_COLL_GROUP_RESOURCE_ALLOC_THRESHOLD 0
offer NCCL_COLLNET_ENABLE 1
offer NCCL_SHARP_GROUP_SIZE_THRESH "${SLURM_STEP_NUM_NODES:-${OMPI_MCA_orte_num_nodes-}}"
