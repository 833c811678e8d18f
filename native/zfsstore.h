/* SPDX-License-Identifier: Apache-2.0 */
/* What enroot-zfs-mount parses: dataset names, the system configuration, the table of mounts. No system calls. */
#ifndef ENROOT_ZFSSTORE_H
#define ENROOT_ZFSSTORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* ZFS allows names of 255 bytes. */
#define DATASET_LIMIT 255

/* Who calls, as the system's account database knows it. */
struct caller {
	unsigned long uid;
	const char *name;
	const char *home;
};

/* Whether `name` can only be a file system below a pool: POOL/A/B of letters, digits and `_ - . : +`, no `.` or `..`. */
bool dataset_valid(const char *name);

/* The part of `dataset` below `store`, or NULL when it is not strictly below. */
const char *dataset_below(const char *store, const char *dataset);

/*
 * The path that a dataset's name stands for, into `path`: container names may have more characters than ZFS allows, and
 * `:XX` in a dataset's name is the byte with that number in upper-case hexadecimal. False when there is any other `:`, or
 * one for a byte that needs none: a place belongs to one name only.
 */
bool dataset_place(const char *name, char path[DATASET_LIMIT + 1]);

enum setting { SETTING_ABSENT, SETTING_FOUND, SETTING_INVALID };

/*
 * Looks in the text of a configuration file for ENROOT_DATA_PATH, the first line counts, and expands $HOME, $USER,
 * $UID and $(id -u) of the caller. Anything else that a shell would expand is INVALID, and so is no plain absolute path.
 */
enum setting store_path(const char *text, const struct caller *caller, char path[PATH_MAX]);

/* One mount: what of a line of mountinfo matters here. */
struct mount_line {
	long id;
	char root[PATH_MAX];
	char point[PATH_MAX];
	char type[64];
	char source[PATH_MAX];
};

/* Parses one line of /proc/PID/mountinfo of `length` bytes; false when it is none. */
bool mount_parse(const char *line, size_t length, struct mount_line *mount);

/* Finds the mount with this id in the text of a mountinfo file. */
bool mount_by_id(const char *text, long id, struct mount_line *mount);

/* Finds a mount of this dataset in the text of a mountinfo file. */
bool mount_by_dataset(const char *text, const char *dataset, struct mount_line *mount);

#endif
