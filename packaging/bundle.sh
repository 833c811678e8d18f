# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What a bundle does when it is run. `enroot bundle` puts a few assignments before this text, and an archive after it:
# bundle_name bundle_description bundle_target bundle_version bundle_sha256 (or "") bundle_offset bundle_size
# bundle_unpacked, the last three in bytes. The archive is a root file system with our programs, hooks and settings in
# /.enroot; a start plan is written here and carried out by them (docs/plan.md).
# shellcheck disable=SC2154 # assigned before this text

# Not -u, for which an empty array is unset before bash 4.4.
set -eo pipefail
shopt -s nullglob

readonly bundle_file=$0

bundle::err() {
    printf '[ERROR] %s\n' "$1" >&2
    exit 1
}

bundle::usage() {
    printf 'Usage: %s [options] [--] [COMMAND] [ARG...]\n' "${bundle_file##*/}"
    [ -z "${bundle_description}" ] || printf '\n%s\n' "${bundle_description}"
    cat <<'TEXT'

 Options:
   -i, --info           Show what this bundle is
   -k, --keep           Keep it extracted in its target directory
   -q, --quiet          Show no progress
   -v, --verify         Check that this machine can run it
   -x, --extract        Extract it into its target directory and end

   -c, --conf CONFIG    Configuration script, a bash file
   -e, --env KEY[=VAL]  Set a variable in the container (KEY alone: as it is here)
   -m, --mount FSTAB    Mount something of the host: fstab fields between colons
       --rc SCRIPT      Command script to use instead of the container's
   -r, --root           Be root in the container
   -w, --rw             Make the root file system writable
TEXT
}

bundle::info() {
    [ -z "${bundle_sha256}" ] || printf 'Checksum: %s\n' "${bundle_sha256}"
    printf '%s: %s\n' Compression gzip Description "${bundle_description:-none}" 'Runtime version' "${bundle_version}" \
        'Target directory' "${bundle_target}" 'Uncompressed size' "$((bundle_unpacked / 1024)) KB"
}

bundle::payload() {
    dd if="${bundle_file}" bs=1M iflag=skip_bytes,count_bytes skip="$((bundle_offset))" count="$((bundle_size))" \
        status="$1"
}

bundle::check() {
    local sum
    [ -n "${bundle_sha256}" ] || return 0
    sum=$(bundle::payload none | sha256sum)
    [ "${sum%% *}" = "${bundle_sha256}" ] || bundle::err "Checksum validation failed: ${bundle_file}"
}

# bundle::state GOOD TEXT [HINT]: one line of --verify.
bundle::state() {
    if [ "$1" = yes ]; then printf '%-45s: OK\n' "$2"; else printf '%-45s: KO (%s)\n' "$2" "$3"; fi
}

# bundle::limit NAME off|on HINT: whether a kernel parameter, if there is one, is 0, or is not.
bundle::limit() {
    local value good=on file=/proc/sys/${1//.//}
    [ -r "${file}" ] || return 0
    value=$(< "${file}")
    [ "${value}" != 0 ] || good=off
    if [ "$2" = "${good}" ]; then bundle::state yes "$1"; else bundle::state no "$1" "$3"; fi
}

# Tries what a start does first, rather than what the kernel was configured with.
bundle::verify() {
    local failed=0 program
    printf 'Kernel: %s\n\n' "$(uname -sr)"
    if unshare --user --mount --map-root-user true 2> /dev/null; then
        bundle::state yes 'user and mount namespaces'
    else
        failed=1
        bundle::state no 'user and mount namespaces' 'required: see the settings below'
    fi
    if unshare --user --mount --map-root-user mount -t tmpfs none /tmp 2> /dev/null; then
        bundle::state yes 'mounts in them'
    else
        failed=1
        bundle::state no 'mounts in them' 'required: a security module may forbid it'
    fi
    if grep -qw overlay /proc/filesystems; then bundle::state yes overlayfs; else
        bundle::state no overlayfs 'only for mounts of yours that use it'
    fi
    if grep -q '^Seccomp:' /proc/self/status; then
        bundle::state yes 'system call filters'
    else
        failed=1
        bundle::state no 'system call filters' 'required: CONFIG_SECCOMP_FILTER'
    fi
    bundle::limit kernel.unprivileged_userns_clone on 'required: set it to 1'
    bundle::limit user.max_user_namespaces on 'required: raise it'
    bundle::limit user.max_mnt_namespaces on 'required: raise it'
    bundle::limit kernel.apparmor_restrict_unprivileged_userns off 'required without an AppArmor profile: set it to 0'
    for program in bash dd gzip tar; do
        if command -v "${program}" > /dev/null; then bundle::state yes "${program}"; else
            failed=1
            bundle::state no "${program}" "required: install the package ${program/dd/coreutils}"
        fi
    done
    if command -v nvidia-container-cli > /dev/null; then bundle::state yes nvidia-container-cli; else
        bundle::state no nvidia-container-cli 'for GPUs only'
    fi
    return "${failed}"
}

bundle::extract() {
    local rootfs=$1 status=none available decompressor data original extractor
    [ -n "${quiet}" ] || [ ! -t 2 ] || status=progress
    available=$(df -Pk -- "${rootfs}" | awk 'NR == 2 { print $4 }')
    [ "${available}" -ge "$((bundle_unpacked / 1024))" ] ||
        bundle::err "Not enough space left in ${rootfs%/*}: $((bundle_unpacked / 1024)) KB are needed"
    # In the background: bash heeds no signal while it waits for a program in the foreground. And no pipeline of this
    # shell: a trap that runs between the starts of its programs makes bash wait for those that there are, for ever.
    # A coprocess is one, and its status tells what that of tar does not: tar may end before gzip has seen the damage.
    coproc bundle_data { bundle::payload "${status}" | gzip -dc; }
    decompressor=$!
    # Its descriptors are none of what runs in the background; and none of ours, or it would not hear of the end of tar.
    original=${bundle_data[0]}
    exec {data}<&"${original}" {original}<&-
    tar -C "${rootfs}" -xpf - --no-same-owner --delay-directory-restore --warning=no-timestamp <&"${data}" &
    extractor=$!
    exec {data}<&-
    if ! wait "${extractor}" || ! wait "${decompressor}"; then
        bundle::err "Could not extract ${bundle_file} into ${rootfs}"
    fi
    extracted=y
}

bundle::clean() {
    # Killed, for it may not be more than a copy of this shell yet. What it reads from ends by itself then.
    if [ -z "${extracted}" ] && [ -n "${!-}" ]; then
        kill -s KILL "$!" 2> /dev/null || :
        wait "$!" 2> /dev/null || :
    fi
    [ ${#made[@]} -gt 0 ] || return 0
    chmod -Rf u+rwX -- "${made[@]}" || :
    rm -rf -- "${made[@]}" 2> /dev/null || rm -rf -- "${made[@]}"
}

# bundle::die SIGNAL: ends as the signal would have ended it.
bundle::die() {
    trap - EXIT "$1"
    bundle::clean
    kill -s "$1" "$$"
}

bundle::step() {
    printf '%s\0' "$1" "$(($# - 1))" "${@:2}"
}

bundle::is_off() {
    case "$1" in n | no | N | No | nO | NO | f | F | false | False | FALSE) return 0 ;; esac
    return 1
}

# Settings that are switched off are not set.
bundle::settings() {
    local line key name
    if [ -s "$1/.enroot/etc/config" ]; then
        # shellcheck source=/dev/null
        source "$1/.enroot/etc/config"
    fi
    if [ -n "${conf}" ]; then
        while IFS=$' \t=' read -r key line; do export "${key}=$(eval "echo ${line}")"; done \
            < <(sed -n '/^#[[:space:]]*ENROOT_/s/#[[:space:]]*//p' <<< "${conf_text}")
    fi
    [ -z "${root}" ] || export ENROOT_REMAP_ROOT=y
    [ -z "${rw}" ] || export ENROOT_ROOTFS_WRITABLE=y
    for name in $(compgen -e ENROOT_ || :); do if bundle::is_off "${!name}"; then unset "${name}"; fi; done
    export PATH="$1/.enroot/bin:${PATH:-/usr/local/bin:/usr/bin:/bin}"
    export ENROOT_LIBRARY_PATH="$1/.enroot/lib" ENROOT_SYSCONF_PATH="$1/.enroot/etc/system"
    export ENROOT_CONFIG_PATH="$1/.enroot/etc/user" ENROOT_DATA_PATH="$1" ENROOT_RUNTIME_PATH="$2"
    export ENROOT_VERSION="${bundle_version}"
}

bundle::namespaces() {
    local flags=()
    [ "${EUID}" -eq 0 ] && [ -n "${ENROOT_ALLOW_SUPERUSER-}" ] || flags=(user ${ENROOT_REMAP_ROOT:+remap-root})
    bundle::step unshare "${flags[@]}" mount ${ENROOT_UNSHARE_PID:+pid} ${ENROOT_UNSHARE_NET:+net} \
        ${ENROOT_UNSHARE_IPC:+ipc} ${ENROOT_UNSHARE_UTS:+uts}
}

# bundle::files STEP DIRECTORY SUFFIX: one step for each file of the system's directory, then of the user's.
bundle::files() {
    local file LC_ALL=C
    for file in "${ENROOT_SYSCONF_PATH}/$2"/*"$3" "${ENROOT_CONFIG_PATH}/$2"/*"$3"; do bundle::step "$1" "${file}"; done
}

bundle::environment() {
    local variable
    bundle::step environ-rootfs /etc/environment
    bundle::files environ-file environ.d .env
    [ -z "${conf}" ] || bundle::step function environ environ
    for variable in "${environ[@]}"; do
        if [[ ${variable} = *=* ]]; then bundle::step environ-text "${variable}"; else
            bundle::step environ-variable "${variable}"
        fi
    done
    bundle::step environ-format
}

bundle::fresh() {
    printf 'none %s none x-create=dir,x-detach,nofail,silent 0 -1\n' "$2"
    printf '%s %s %s x-create=dir,%s,nosuid,nodev,noexec,private 0 -1' "$1" "$2" "$1" "$3"
}

bundle::mounts() {
    bundle::step mounts-rootfs /etc/fstab
    bundle::files mounts-file mounts.d .fstab
    [ -z "${ENROOT_UNSHARE_PID-}" ] || bundle::step mounts-text "$(bundle::fresh proc /proc rw)"
    [ -z "${ENROOT_UNSHARE_NET-}" ] || bundle::step mounts-text "$(bundle::fresh sysfs /sys ro)"
    bundle::step mount -1
}

bundle::hooks() {
    bundle::step hooks-begin
    bundle::files hook hooks.d .sh
    [ -z "${conf}" ] || bundle::step function hooks none
    bundle::step hooks-end
    bundle::step environ-format
    [ -z "${conf}" ] || bundle::step function mounts mounts
    local mount
    for mount in "${mounts[@]}"; do bundle::step mounts-text "${mount//:/ }"; done
    bundle::step mount 0
}

# The same steps in the same order as those of enroot start.
bundle::plan() {
    local rootfs=$1 rundir=$2
    shift 2
    printf 'enroot-plan 1\0'
    bundle::namespaces
    bundle::step runtime "${rundir}"
    bundle::step rootfs "${rootfs}"
    bundle::step prepare
    bundle::step lock 30
    [ -z "${conf}" ] || bundle::step config-text "${conf_text}" "$@"
    bundle::environment
    bundle::mounts
    bundle::hooks
    if [ -n "${rc}" ]; then bundle::step rc-file "${rc}"; elif [ -n "${conf}" ]; then bundle::step rc-function; fi
    [ -n "${ENROOT_ROOTFS_WRITABLE-}" ] || bundle::step readonly
    bundle::step protect
    if [ -n "${ENROOT_LOGIN_SHELL-}" ]; then bundle::step command login "$@"; else bundle::step command plain "$@"; fi
}

extracted='' made=()
conf='' conf_text='' rc='' keep='' extract='' quiet='' root='' rw='' mounts=() environ=()

# Sets `value` to the value of an option, which is its second word or what follows its =.
bundle::value() {
    case "$1" in
    --*=*) value=${1#*=} shift_by=1 ;;
    *) value=${2-} shift_by=2 ;;
    esac
    [ -n "${value}" ] || {
        bundle::usage
        exit 1
    }
}

while [ $# -gt 0 ]; do
    shift_by=1
    case "$1" in
    -h | --help) bundle::usage; exit 0 ;;
    -i | --info) bundle::info; exit 0 ;;
    -v | --verify) bundle::verify; exit ;;
    -k | --keep) keep=y ;;
    -x | --extract) keep=y extract=y ;;
    -q | --quiet) quiet=y ;;
    -r | --root) root=y ;;
    -w | --rw) rw=y ;;
    -c | --conf | --conf=*) bundle::value "$@"; conf=${value} ;;
    --rc | --rc=*) bundle::value "$@"; rc=${value} ;;
    -m | --mount | --mount=*) bundle::value "$@"; mounts+=("${value}") ;;
    -e | --env | --env=*) bundle::value "$@"; environ+=("${value}") ;;
    --) shift; break ;;
    -?*) bundle::usage; exit 1 ;;
    *) break ;;
    esac
    shift "${shift_by}"
done

for word in "${mounts[@]}"; do
    [[ ${word} =~ ^[^[:space:]]+$ ]] || bundle::err "Invalid argument: ${word}"
done
for word in "${environ[@]}"; do
    [[ ${word} =~ ^[A-Za-z_][A-Za-z0-9_]*(=[^$'\n']*)?$ ]] || bundle::err "Invalid argument: ${word}"
done
if [ -n "${conf}" ]; then
    conf_text=$(cat -- "${conf}") || bundle::err "No such file or directory: ${conf}"
    bash -n <<< "${conf_text}" || bundle::err "Invalid configuration script: ${conf}"
fi
if [ -n "${rc}" ]; then
    [ -f "${rc}" ] || [ -p "${rc}" ] || bundle::err "No such file or directory: ${rc}"
    case "${rc}" in /*) ;; *) rc=${PWD}/${rc} ;; esac
fi
bundle::check

trap bundle::clean EXIT
for signal in HUP INT TERM; do
    # shellcheck disable=SC2064 # the signal of now
    trap "bundle::die ${signal}" "${signal}"
done
if [ -n "${keep}" ]; then
    case "${bundle_target}" in /*) rootfs=${bundle_target} ;; *) rootfs=${PWD}/${bundle_target} ;; esac
    [ ! -e "${rootfs}" ] || bundle::err "File already exists: ${rootfs}"
    scratch=${rootfs%/*}/.${rootfs##*/}
    mkdir -p -- "${rootfs%/*}"
    mkdir -m 0700 -- "${rootfs}" "${scratch}"
    made=("${rootfs}" "${scratch}")
else
    made[0]=$(mktemp -d -- "${ENROOT_TEMP_PATH:-${TMPDIR:-/tmp}}/${bundle_target##*/}.XXXXXXXXXX") || {
        made=()
        bundle::err 'Could not create a directory: set ENROOT_TEMP_PATH to one of yours'
    }
    scratch=${made[0]}
    rootfs=${scratch}/rootfs
    mkdir -m 0700 -- "${rootfs}"
fi
bundle::extract "${rootfs}"
touch -- "${rootfs}"
if [ -n "${extract}" ]; then
    rmdir -- "${scratch}"
    trap - EXIT
    exit 0
fi
mkdir -m 0700 -- "${scratch}/run"
bundle::settings "${rootfs}" "${scratch}/run"
bundle::plan "${rootfs}" "${scratch}/run" "$@" > "${scratch}/plan"
[ -x "${rootfs}/.enroot/bin/enroot-execute" ] ||
    bundle::err "Programs may not run in ${rootfs%/*}: set ENROOT_TEMP_PATH to a directory that is not mounted noexec"
# The trap is for a failure of this, and does not outlive it.
exec "${rootfs}/.enroot/bin/enroot-execute" "${scratch}/plan" "${scratch}"
