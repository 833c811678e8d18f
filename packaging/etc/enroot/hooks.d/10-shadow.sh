#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the caller, root and nobody known in the container, and gives the caller a home directory there.
set -eu

read -r uid _ < /proc/self/uid_map
read -r gid _ < /proc/self/gid_map
# These cannot be read byte by byte, as this shell's read does.
{
    read -r nobody
    read -r nogroup
} <<EOF
$(cat /proc/sys/kernel/overflowuid /proc/sys/kernel/overflowgid)
EOF

# The caller as the host knows it; ids without a name get one made of their number.
IFS=: read -r user _ _ user_gid gecos home shell <<EOF
$(getent passwd "${uid}" || printf 'user%s:x:%s:%s::%s:/bin/sh\n' "${uid}" "${uid}" "${gid}" "${HOME:-/}")
EOF
IFS=: read -r group _ <<EOF
$(getent group "${gid}" || printf 'group%s\n' "${gid}")
EOF
case "${user_gid}" in '' | *[!0-9]*) user_gid=${gid} ;; esac

cd -P -- "${ENROOT_ROOTFS}"
root=${PWD%/}

# Goes down to a directory of the container, making what is missing. Fails where a link of the image leads out of it.
enter() {
    cd -P -- "${root}/"
    rest=${1#/}
    while [ -n "${rest}" ]; do
        part=${rest%%/*}
        case "${rest}" in */*) rest=${rest#*/} ;; *) rest= ;; esac
        [ -z "${part}" ] && continue
        [ -d "${part}" ] || mkdir -- "${part}" 2> /dev/null || return 1
        cd -P -- "${part}"
        case "${PWD}/" in "${root}"/*) ;; *) return 1 ;; esac
    done
}

# The text of a file here, never that of a file elsewhere that a link names.
content() {
    dd if="$1" iflag=nofollow,nonblock bs=1M status=none 2> /dev/null || :
}

# A setting of the container's login.defs or useradd defaults.
default() {
    sed -n "s/^[[:space:]]*$1[[:space:]=]\{1,\}\([^[:space:]]*\).*/\1/p" login.defs default/useradd 2> /dev/null | tail -n 1
}

# Puts entries before those of file $1, whose entries of the same names go; _apt goes, so that apt does not become it.
merge() {
    file=$1 entries=$2
    old=$(content "${file}")
    new=${entries}
    while IFS= read -r line; do
        case "${line}" in '' | _apt:*) continue ;; esac
        name=${line%%:*}
        case "
${entries}" in *"
${name}:"*) continue ;; esac
        new="${new}
${line}"
    done <<EOF
${old}
EOF
    [ "${new}" != "${old}" ] || return 0
    # A new file instead of an open one: neither links nor running containers of this root file system are disturbed.
    printf '%s\n' "${new}" > ".${file}.$$"
    chmod 644 ".${file}.$$"
    mv -f -T -- ".${file}.$$" "${file}"
}

enter etc || exit 0
[ -x "${root}${shell}" ] || shell=$(default SHELL)
: "${shell:=/bin/sh}"
passwd="root:x:0:0:root:/root:${shell}
nobody:x:${nobody}:${nogroup}:nobody:/:/sbin/nologin"
[ "${user}" = root ] || passwd="${passwd}
${user}:x:${uid}:${gid}:${gecos}:${home}:${shell}"
groups="root:x:0:
nogroup:x:${nogroup}:"
[ "${group}" = root ] || groups="${groups}
${group}:x:${gid}:"
merge passwd "${passwd}"
merge group "${groups}"

# The rest is done once, when the caller comes here first.
[ ! -e "${root}${home}" ] || exit 0
create=$(default CREATE_HOME)
mask=$(default UMASK)
skeleton=$(default SKEL)
create_mail=$(default CREATE_MAIL_SPOOL)
mail=$(default MAIL_DIR)

if [ "${create_mail}" = yes ] && enter "${mail:-/var/mail}" && [ ! -e "${user}" ] && [ ! -L "${user}" ]; then
    (umask 007 && : > "${user}")
fi
[ "${create:-yes}" = yes ] || exit 0
umask "${mask:-077}"
: "${skeleton:=/etc/skel}"
if [ -d "${root}${skeleton}" ] && enter "${skeleton}"; then skeleton=${PWD}; else skeleton=; fi
enter "${home}" || exit 0
[ -z "${skeleton}" ] || cp -rP --preserve=mode,timestamps -- "${skeleton}/." .
