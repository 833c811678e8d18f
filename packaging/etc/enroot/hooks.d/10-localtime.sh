#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gives the container the time zone of its host.
set -eu

[ -L /etc/localtime ] || exit 0
zone=$(readlink /etc/localtime)
file=$(readlink -f /etc/localtime)

cd -P -- "${ENROOT_ROOTFS}"
root=${PWD%/}

# Goes down to a directory of the container, making what is missing. Fails where a link of the image leads out of it.
enter() {
    cd -P -- "${root}/"
    rest=${1#/}
    while [ -n "${rest}" ]; do
        part=${rest%%/*}
        case "${rest}" in */*) rest=${rest#*/} ;; *) rest= ;; esac
        [ -d "${part}" ] || mkdir -- "${part}"
        cd -P -- "${part}"
        case "${PWD}/" in "${root}"/*) ;; *) return 1 ;; esac
    done
}

enter etc || exit 0
if [ ! -L localtime ] || [ "$(readlink localtime)" != "${zone}" ]; then
    rm -rf -- localtime
    ln -s -- "${zone}" localtime
fi
enter "${file%/*}" || exit 0
if [ ! -e "${file##*/}" ] && [ ! -L "${file##*/}" ]; then
    cp -- "${file}" "${file##*/}"
fi
