/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that a start runs on the host's side, in the container's namespaces: hooks, and configuration scripts. */
#ifndef ENROOT_SCRIPT_H
#define ENROOT_SCRIPT_H

#include <stdbool.h>
#include <sys/types.h>

/* A bash that has sourced a configuration script, waiting for calls of its functions. */
struct script {
	const char *file;
	pid_t pid;
	int requests;
	int answers;
};

/*
 * Runs an executable hook with our environment, its output dropped, unless it says that it acts upon variables of which
 * none is set for us or in the text of an environment file. Ends the program when it fails.
 */
void script_run_hook(const char *file, const char *environment);

/* Starts a configuration script; `arguments` is NULL-terminated. */
void script_open(struct script *script, const char *file, char **arguments);

/*
 * Calls a function if the script has it. where: "environ" or "mounts" (its output is appended to that file), "none", or
 * "rc" (the function is not called: its body is written to the file `rc` in ENROOT_SCRIPT_RC).
 */
void script_call(struct script *script, const char *function, const char *where);

/* Ends the script, if one was opened. */
void script_close(struct script *script);

#endif
