/* SPDX-License-Identifier: Apache-2.0 */
/* Paths inside a root file system that somebody else filled: no symbolic link, `..` or rename leads out of it. */
#ifndef ENROOT_INROOT_H
#define ENROOT_INROOT_H

#include <stdbool.h>
#include <sys/types.h>

/* A place found below a root. Descriptors are O_PATH. */
struct place {
	int parent;	 /* directory that holds it */
	char name[256];	 /* its name there; "." for the root itself */
	int fd;		 /* the thing itself; -1 when it is missing */
};

/*
 * Finds `path` below the directory `root`; symbolic links are followed inside of it, an absolute one from `root`.
 * create: 0, S_IFDIR or S_IFREG: what to make when it is missing (mode 0, as mount points are; parents 0755).
 * Returns 0, or -1 with errno: EXDEV for `..` above the root, ENOENT when a parent is missing and nothing is created.
 * A missing last component without `create` is no error: fd is -1.
 */
int place_find(int root, const char *path, mode_t create, struct place *place);

/* Looks again for what is at the place now, for instance a new mount. Returns 0, or -1 with errno. */
int place_refresh(struct place *place);

void place_close(struct place *place);

/* Opens a regular file below `root` for reading; -1 with errno, ENOENT when there is none. */
int open_below(int root, const char *path);

#endif
