#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroot-when: NVIDIA_VISIBLE_DEVICES
# Lets the container configure its GPUs if they are in MIG mode, as NVIDIA_MIG_CONFIG_DEVICES=all does.
set -eu

wanted=${NVIDIA_VISIBLE_DEVICES-}
if [ -z "${NVIDIA_VISIBLE_DEVICES+x}" ]; then
    mapfile -t lines < "${ENROOT_ENVIRON}"
    for line in "${lines[@]}"; do
        case "${line}" in NVIDIA_VISIBLE_DEVICES=*) wanted=${line#*=} ;; esac
    done
fi
# Parts of GPUs are named, not whole ones: there is nothing to configure.
case "${wanted}" in '' | void | none | *MIG-* | *?:?*) exit 0 ;; esac

command -v nvidia-smi > /dev/null || {
    printf '[ERROR] Command not found: nvidia-smi\n' >&2
    exit 1
}
gpus=()
[ "${wanted}" = all ] || gpus=("--id=${wanted}")
modes=$(nvidia-smi --query-gpu=mig.mode.current --format=csv,noheader "${gpus[@]}")
case "${modes}" in *Enabled*) echo NVIDIA_MIG_CONFIG_DEVICES=all >> "${ENROOT_ENVIRON}" ;; esac
