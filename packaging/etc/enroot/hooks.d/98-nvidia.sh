#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# enroot-when: NVIDIA_VISIBLE_DEVICES AMD_VISIBLE_DEVICES
# Gives the container the GPUs that NVIDIA_VISIBLE_DEVICES or AMD_VISIBLE_DEVICES names: by the specifications of the
# Container Device Interface where these have them, else, for NVIDIA's, by nvidia-container-cli. ENROOT_GPU_MODE (cdi or
# cli) forces either. A variable of the caller or of enroot.conf counts more than one of the container.
set -euf

PATH=${PATH}:/usr/sbin:/sbin

fail() {
    printf '[ERROR] %s\n' "$1" >&2
    exit 1
}

# What the container's environment says of the variables that matter here; the last line of each counts. None of it
# becomes a variable of this process or of what it starts.
declare -A container=()
mapfile -t lines < "${ENROOT_ENVIRON}"
for line in "${lines[@]}"; do
    case "${line}" in NVIDIA_* | AMD_VISIBLE_DEVICES=*) container[${line%%=*}]=${line#*=} ;; esac
done

# value NAME: sets `value`.
value() {
    if [ -n "${!1+x}" ]; then value=${!1}; else value=${container[$1]-}; fi
}

value AMD_VISIBLE_DEVICES
amd=${value}
[ "${amd}" != void ] && [ "${amd}" != none ] || amd=
value NVIDIA_VISIBLE_DEVICES
nvidia=${value}
[ "${nvidia}" != void ] || nvidia=
[ -n "${nvidia}${amd}" ] || exit 0

case "${ENROOT_GPU_MODE:-auto}" in
auto | cdi | cli) mode=${ENROOT_GPU_MODE:-auto} ;;
*) fail "Invalid ENROOT_GPU_MODE: ${ENROOT_GPU_MODE} (auto, cdi or cli)" ;;
esac

# qualify CLASS DEVICES: sets `names` to what CDI calls them.
qualify() {
    local device
    names=()
    for device in ${2//,/ }; do
        case "${device}" in */*=*) names+=("${device}") ;; *) names+=("$1=${device}") ;; esac
    done
}

# cdi CLASS DEVICES: makes the devices visible. 3: no specification has them. Bundles carry no engine, and no CDI.
cdi() {
    local engine=${ENROOT_LIBRARY_PATH-}/enroot-engine
    [ "${mode}" != cli ] && [ -x "${engine}" ] || return 3
    qualify "$1" "$2"
    (
        # Variables that would make it do something else.
        unset "${!BUN_@}" "${!NODE_@}"
        exec "${engine}" cdi -- "${names[@]}"
    )
}

status=0
if [ -n "${amd}" ]; then
    cdi amd.com/gpu "${amd}" || status=$?
    [ "${status}" -ne 3 ] || fail "No CDI specification for AMD_VISIBLE_DEVICES=${amd} (make one: amd-ctk cdi generate)"
    [ "${status}" -eq 0 ] || exit "${status}"
fi
[ -n "${nvidia}" ] || exit 0
if [ "${nvidia}" != none ]; then
    status=0
    cdi nvidia.com/gpu "${nvidia}" || status=$?
    [ "${status}" -ne 0 ] || exit 0
    [ "${status}" -eq 3 ] || exit "${status}"
    [ "${mode}" != cdi ] ||
        fail "No CDI specification for NVIDIA_VISIBLE_DEVICES=${nvidia} (make one: nvidia-ctk cdi generate)"
fi

ldconfig=$(command -v ldconfig.real || command -v ldconfig) || fail 'Command not found: ldconfig (install the package libc-bin)'
options=(--no-cgroups "--ldconfig=@${ldconfig}")
[ "${nvidia}" = none ] || options+=("--device=${nvidia}")
value NVIDIA_MIG_CONFIG_DEVICES
[ -z "${value}" ] || options+=("--mig-config=${value}")
value NVIDIA_MIG_MONITOR_DEVICES
[ -z "${value}" ] || options+=("--mig-monitor=${value}")

compute=
value NVIDIA_DRIVER_CAPABILITIES
for capability in $(tr , ' ' <<< "${value:-utility}"); do
    case "${capability}" in
    all)
        options+=(--compute --compat32 --display --graphics --utility --video)
        compute=y
        break
        ;;
    compute) compute=y options+=(--compute) ;;
    compat32 | display | graphics | utility | video) options+=("--${capability}") ;;
    *) fail "Unknown NVIDIA driver capability: ${capability}" ;;
    esac
done

value NVIDIA_DISABLE_REQUIRE
if [ -z "${value}" ]; then
    for name in $({ compgen -e NVIDIA_REQUIRE_ || :; printf '%s\n' "${!container[@]}"; } | grep '^NVIDIA_REQUIRE_' | sort -u); do
        value "${name}"
        options+=("--require=${value}")
    done
fi

command -v nvidia-container-cli > /dev/null ||
    fail 'Command not found: nvidia-container-cli (install the package libnvidia-container-tools, or make a CDI specification)'
grep -q '^nvidia_uvm ' /proc/modules ||
    printf '[WARN] Kernel module nvidia_uvm is not loaded: is the NVIDIA driver installed?\n' >&2

if [ -n "${compute}" ]; then
    # GDRCopy, and the channels of IMEX.
    enroot-mount --root "${ENROOT_ROOTFS}" - <<TEXT
/dev/gdrdrv                    /dev/gdrdrv                    none x-create=file,bind,ro,nosuid,noexec,private,nofail,silent
/dev/nvidia-caps-imex-channels /dev/nvidia-caps-imex-channels none x-create=dir,bind,ro,nosuid,noexec,private,nofail,silent
TEXT
fi

exec nvidia-container-cli --user ${NVIDIA_DEBUG_LOG+--debug=/dev/stderr} configure "${options[@]}" "${ENROOT_ROOTFS}"
