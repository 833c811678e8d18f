#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroot-when: SLURM_STEP_ID
# Lets MPI programs in the container find Slurm's process manager: the variables of the step, of PMI and of PMIx, and
# PMIx's directory.
set -eu

[ -n "${SLURM_JOB_ID-}" ] && [ -n "${SLURM_STEP_ID-}" ] || exit 0

# take PREFIX: all exported variables of that beginning. One of several lines would be taken for several variables.
take() {
    local name
    for name in $(compgen -e "$1"); do
        [[ ${!name} = *$'\n'* ]] || printf '%s=%s\n' "${name}" "${!name}"
    done
}

# What Slurm calls its choice, and what PMIx in the container reads.
declare -A choices=([PMIX_PTL_MODULE]=PMIX_MCA_ptl [PMIX_SECURITY_MODE]=PMIX_MCA_psec [PMIX_GDS_MODULE]=PMIX_MCA_gds)

{
    take SLURM_
    take PMI_
    case "${SLURM_MPI_TYPE-pmix}" in
    pmix*)
        take PMIX_
        for name in "${!choices[@]}"; do
            other=${choices[${name}]}
            [ -z "${!name-}" ] || [ -n "${!other-}" ] || printf '%s=%s\n' "${other}" "${!name}"
        done
        if [ -n "${PMIX_SERVER_TMPDIR-}" ]; then
            printf '%s x-create=dir,bind,rw,nosuid,noexec,nodev,private,nofail\n' "${PMIX_SERVER_TMPDIR// /\\040}" \
                >> "${ENROOT_MOUNTS}"
        fi
        ;;
    esac
} >> "${ENROOT_ENVIRON}"
