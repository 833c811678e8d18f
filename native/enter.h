/* SPDX-License-Identifier: Apache-2.0 */
/* Entering the container of a running process. */
#ifndef ENROOT_ENTER_H
#define ENROOT_ENTER_H

#include <sys/types.h>

#include "common.h"

struct guest {
	/* What the command's environment has beyond the process's: NUL-terminated NAME=VALUE entries. */
	struct buffer changes;
	/* The process's own, in the same form. */
	struct buffer environment;
	int workdir;
};

/* Remembers a variable for the command; later ones win. NULL: the value that we have, or none. */
void enter_set(struct guest *guest, const char *name, const char *value);

/* Joins the namespaces of process `pid`, and remembers its environment and its working directory. */
void enter_process(struct guest *guest, pid_t pid);

/* Becomes `command` there. */
noreturn void enter_execute(struct guest *guest, char *const command[]);

#endif
