#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroot-when: PYTORCH_VERSION
# What torch.distributed reads of its environment, from what Slurm says of the step, in images that have PyTorch. What the
# container's environment has already stays.
set -eu

declare -A container=()
mapfile -t lines < "${ENROOT_ENVIRON}"
for line in "${lines[@]}"; do container[${line%%=*}]=${line#*=}; done
[ -n "${container[PYTORCH_VERSION]+x}" ] || exit 0

# offer NAME VALUE: the variable, unless it is there or the value is empty.
offer() {
    [ -n "${container[$1]+x}" ] || [ -z "$2" ] || printf '%s=%s\n' "$1" "$2" >> "${ENROOT_ENVIRON}"
}

if [ -n "${SLURM_STEP_NODELIST-}" ] && [ -z "${container[MASTER_ADDR]+x}" ] && command -v scontrol > /dev/null; then
    nodes=$(scontrol show hostname "${SLURM_STEP_NODELIST}")
    offer MASTER_ADDR "${nodes%%$'\n'*}"
fi
# A port of the dynamic range's end, the same on every node.
[ -z "${SLURM_JOB_ID-}" ] || offer MASTER_PORT "$((SLURM_JOB_ID % 4536 + 61000))"
offer WORLD_SIZE "${SLURM_NTASKS-}"
offer RANK "${SLURM_PROCID-}"
offer LOCAL_RANK "${SLURM_LOCALID-}"
if [ "${SLURM_STEP_NUM_TASKS:-1}" -gt "${SLURM_STEP_NUM_NODES:-1}" ]; then offer OMP_NUM_THREADS 1; fi
