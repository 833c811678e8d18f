#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the caller, root and nobody known in the container, and gives the caller a home directory there.
set -euf

# The second number is who the caller is on the host, with --root too.
read -r _ uid _ < /proc/self/uid_map
read -r _ gid _ < /proc/self/gid_map
read -r nobody < /proc/sys/kernel/overflowuid
read -r nogroup < /proc/sys/kernel/overflowgid

# The host's entry for ID in a DATABASE. The local file comes first: it takes no process and no directory service.
find_entry() {
    local database=$1 id=$2 text
    IFS= read -r -d '' text < "/etc/${database}" || true
    if [[ $'\n'${text} =~ $'\n'([^:$'\n']+:[^:$'\n']*:${id}:[^$'\n']*) ]]; then
        REPLY=${BASH_REMATCH[1]}
    else
        REPLY=$(getent "${database}" "${id}") || REPLY=
    fi
}

# The last value of a SETTING in TEXT, that of login.defs or useradd; nothing when there is none.
find_setting() {
    local setting=$1 text=$2 line IFS=$'\n'
    REPLY=
    [[ "${text}" == *"${setting}"* ]] || return 0
    # Line by line: one expression over the whole text takes bash ten times as long.
    for line in ${text}; do
        [[ ! "${line}" =~ ^[[:blank:]]*${setting}[[:blank:]=]+([^[:space:]]+) ]] || REPLY=${BASH_REMATCH[1]//\"/}
    done
}

# Puts ENTRIES before those of the FILE that holds OLD, whose entries of the same names go. So does _apt: apt, which
# runs as the only user there is, would try to become it.
merge() {
    local file=$1 entries=$2 old=$3 line name new=$2 IFS=$'\n'
    for line in ${old}; do
        name=${line%%:*}
        [[ "${line}" == ?*:* && "${name}" != _apt && $'\n'${entries} != *$'\n'"${name}:"* ]] || continue
        new+=$'\n'${line}
    done
    [ "${new}"$'\n' = "${old}" ] || enroot-rootfs write "${file}" <<< "${new}"
}

find_entry passwd "${uid}"
IFS=: read -r user _ _ _ gecos home shell <<< "${REPLY}"
find_entry group "${gid}"
group=${REPLY%%:*}
if [ -z "${user}" ]; then
    # Ids that no database knows still have to be somebody.
    user=${USER-}
    [[ "${user}" =~ ^[A-Za-z_][A-Za-z0-9_.-]*$ && "${user}" != @(root|nobody) ]] || user=user${uid}
    home=${HOME-}
fi
: "${group:=group${gid}}" "${shell:=/bin/sh}"
[[ "${home}" == /* ]] || home=/

state=$(enroot-rootfs query -r /etc/passwd -r /etc/group -r /etc/login.defs -r /etc/default/useradd \
    -x "${shell}" -e "${home}")
IFS=$'\036'
# shellcheck disable=SC2206 # split at the ends of the answers
state=(${state})
unset IFS
passwd=${state[0]} groups=${state[1]} logins=${state[2]} defaults=${state[3]} executable=${state[4]} exists=${state[5]-}

if [ "${executable}" != yes ]; then
    find_setting SHELL "${defaults}"
    shell=${REPLY:-/bin/sh}
fi
entries=
[ "${user}" = root ] || entries+="root:x:0:0:root:/root:${shell}"$'\n'
[ "${user}" = nobody ] || entries+="nobody:x:${nobody}:${nogroup}:nobody:/:/sbin/nologin"$'\n'
merge /etc/passwd "${entries}${user}:x:${uid}:${gid}:${gecos}:${home}:${shell}" "${passwd}"
entries=
[ "${group}" = root ] || entries+="root:x:0:"$'\n'
[ "${group}" = nogroup ] || entries+="nogroup:x:${nogroup}:"$'\n'
merge /etc/group "${entries}${group}:x:${gid}:" "${groups}"

if [ "${exists}" != yes ]; then
    find_setting CREATE_HOME "${logins}"
    if [ "${REPLY:-yes}" = yes ]; then
        find_setting UMASK "${logins}"
        mask=${REPLY:-077}
        [[ "${mask}" =~ ^[0-7]{1,4}$ ]] || mask=077
        find_setting SKEL "${defaults}"
        printf -v mode '%o' $((0777 & ~0${mask}))
        enroot-rootfs directory "${home}" "${mode}" "${REPLY:-/etc/skel}"
    fi
fi

find_setting CREATE_MAIL_SPOOL "${defaults}"
if [ "${REPLY}" = yes ]; then
    find_setting MAIL_DIR "${logins}"
    mail=${REPLY:-/var/mail}/${user}
    [[ "$(enroot-rootfs query -e "${mail}")" == yes* ]] || enroot-rootfs write "${mail}" < /dev/null
fi
