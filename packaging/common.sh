# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Functions for hooks of sites: source "${ENROOT_LIBRARY_PATH}/common.sh". The names and what they do are fixed, because
# existing hooks rely on them; enroot's own hooks do not need this file.

[ -z "${_ENROOT_COMMON-}" ] || return 0
readonly _ENROOT_COMMON=1

# common::fmt COLOUR TEXT: TEXT, in COLOUR on a terminal.
common::fmt() {
    local code
    case "$1" in
    bold) code=1 ;; red) code=31 ;; green) code=32 ;; yellow) code=33 ;; blue) code=94 ;; *) code=0 ;;
    esac
    if [ -t 2 ]; then printf '\033[%sm%s\033[0m' "${code}" "$2"; else printf '%s' "$2"; fi
}

# common::log [LEVEL TEXT [NL]]: one line on stderr; TEXT "-" logs each line of stdin.
common::log() {
    local level=${1-} text=${2-} colour line
    case "${level}" in WARN) colour=yellow ;; ERROR) colour=red ;; *) colour=blue ;; esac
    if [ "${text}" = - ]; then
        while IFS= read -r line || [ -n "${line}" ]; do common::log "${level}" "${line}"; done
    elif [ -n "${text}" ]; then
        printf '%s %b\n' "$(common::fmt "${colour}" "[${level}]")" "${text}" >&2
    fi
    if [ -t 2 ] && { [ $# -eq 0 ] || [ "${3-}" = NL ]; }; then echo >&2; fi
}

# common::err TEXT: an error line, and the end.
common::err() {
    common::log ERROR "$1"
    exit 1
}

# common::checkcmd COMMAND...: ends unless all are there.
common::checkcmd() {
    local name
    for name in "$@"; do command -v "${name}" > /dev/null || common::err "Command not found: ${name}"; done
}

# common::chdir DIR: changes directory or ends.
common::chdir() {
    cd -- "$1" 2> /dev/null || common::err "Could not change directory: $1"
}

# common::read NAME...: read, for pipelines whose input may be empty.
common::read() {
    # shellcheck disable=SC2162 # callers choose -r themselves
    read "$@" || true
}

# common::readstrarray NAME TEXT: the lines of TEXT as an array; none of an empty TEXT.
common::readstrarray() {
    [ -z "$2" ] || readarray -t "$1" <<< "$2"
}

# common::realpath PATH: PATH without links.
common::realpath() {
    readlink -f -- "$1" || common::err "No such file or directory: $1"
}

# common::mountpoint PATH: the mount point that PATH is below.
common::mountpoint() {
    local path
    path=$(common::realpath "$1")
    until [ "${path:-/}" = / ] || mountpoint -q -- "${path}"; do path=${path%/*}; done
    printf '%s' "${path:-/}"
}

# common::getpwent, common::getgrent: the host's entry of the caller, also where the caller is root in the container.
common::getpwent() {
    local id
    read -r _ id _ < /proc/self/uid_map
    # Outside of a container's namespace the map begins with root, whoever the caller is.
    [ "${id}" != 0 ] || id=${EUID}
    getent passwd "${id}"
}

common::getgrent() {
    local id
    read -r _ id _ < /proc/self/gid_map
    [ "${id}" != 0 ] || id=$(id -g)
    getent group "${id}"
}

# common::rmall PATH: deletes a tree whatever its permissions, never beyond its file system.
common::rmall() {
    rm -rf --one-file-system --preserve-root -- "$1" 2> /dev/null && return
    chmod -Rf u+rwX -- "$1" || true
    rm -rf --one-file-system --preserve-root -- "$1"
}

# common::mktmpdir PREFIX: a new directory for the caller alone, its path on stdout.
common::mktmpdir() {
    (umask 077 && mktemp -d -p "${ENROOT_TEMP_PATH:-${TMPDIR:-/tmp}}" "$1.XXXXXXXXXX")
}

# common::envsubst FILE: FILE with each ${NAME} replaced by the variable's value.
common::envsubst() {
    [ -f "$1" ] || return 0
    awk '{
        out = ""
        while (match($0, /\$\{[A-Za-z_][A-Za-z0-9_]*\}/)) {
            out = out substr($0, 1, RSTART - 1) ENVIRON[substr($0, RSTART + 2, RLENGTH - 3)]
            $0 = substr($0, RSTART + RLENGTH)
        }
        print out $0
    }' "$1"
}

# common::envfmt FILE: brings an environment file into its normal form, in place.
common::envfmt() {
    local quote="[\"']"
    sed -i -E -e 's/^[[:space:]]+//' -e '/^[A-Za-z_][A-Za-z0-9_]*=/!d' -e '/^ENROOT_/d' \
        -e "s/^([A-Za-z0-9_]+=)${quote}(.*)${quote}[[:space:]]*\$/\\1\\2/" "$1"
}

# common::runparts list|exec SUFFIX DIR: names or runs the files of DIR that end in SUFFIX, in name order.
common::runparts() {
    local file
    for file in "$3"/*"$2"; do
        [ -e "${file}" ] || continue
        case "$1" in
        list) printf '%s\n' "${file}" ;;
        exec) [ ! -x "${file}" ] || "${file}" || common::err "${file} exited with return code $?" ;;
        esac
    done
}

# common::fixperms DIR: lets the owner read all files and write all directories of a tree.
common::fixperms() {
    chmod -Rf u+rX -- "$1" || true
    find "$1" -maxdepth 15 -type d ! -perm -u=w -exec chmod -f u+w {} + || true
}

# common::debarch MACHINE: Debian's name of an architecture.
common::debarch() {
    case "$1" in
    x86_64) printf amd64 ;;
    aarch64) printf arm64 ;;
    ppc64le) printf ppc64le ;;
    *) common::err "Unsupported architecture: $1" ;;
    esac
}

# common::jq ARG...: jq, ending on input that is no JSON.
common::jq() {
    jq "$@" 2> /dev/null || common::err "Could not process JSON input"
}
