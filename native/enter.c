/* SPDX-License-Identifier: Apache-2.0 */
#include "enter.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "login.h"
#include "namespace.h"

#define ENVIRONMENT_LIMIT (64U << 20)

extern char **environ;

void
enter_set(struct guest *guest, const char *name, const char *value)
{
	cleanup_free char *entry = NULL;

	if (value == NULL && (value = getenv(name)) == NULL)
		value = "";
	entry = must_format("%s=%s", name, value);
	buffer_add(&guest->changes, entry, strlen(entry) + 1);
}

static noreturn void
refuse(pid_t pid, const char *what)
{
	if (errno == ENOENT || errno == ESRCH)
		die("Process not found: %d", (int)pid);
	if (errno == EACCES || errno == EPERM)
		die("Could not %s of process %d: %s (it has to be in a container of yours)", what, (int)pid,
		    error_text(errno));
	die_errno("Could not %s of process %d", what, (int)pid);
}

void
enter_process(struct guest *guest, pid_t pid)
{
	struct namespaces all = {.user = true, .pid = true, .mount = true, .net = true, .ipc = true, .uts = true};
	cleanup_free char *path = must_format("/proc/%d", (int)pid);
	/* The directory is of this process alone, even if another gets its number meanwhile. */
	cleanup_fd int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int variables = -1;

	if (process < 0)
		refuse(pid, "open the directory");
	variables = openat(process, "environ", O_RDONLY | O_CLOEXEC);
	if (variables < 0 || read_all(variables, ENVIRONMENT_LIMIT, &guest->environment) < 0)
		refuse(pid, "read the environment");
	if ((guest->workdir = openat(process, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		refuse(pid, "open the working directory");
	if (namespace_join(process, pid, &all))
		namespace_filter_calls();
}

static void
add_entries(const struct buffer *text)
{
	for (size_t at = 0; at < text->length; at += strlen(text->data + at) + 1) {
		char *entry = text->data + at;

		if (strchr(entry, '=') > entry && putenv(entry) != 0)
			die_errno("Could not set a variable");
	}
}

noreturn void
enter_execute(struct guest *guest, char *const command[])
{
	static char *none[] = {NULL};

	environ = none;
	add_entries(&guest->environment);
	add_entries(&guest->changes);
	if (fchdir(guest->workdir) < 0)
		die_errno("Could not change to the working directory of the process");
	close_fd(&guest->workdir);
	login_drop_privileges();
	namespace_allow_speculation();
#ifdef HARDENED
	close_from(STDERR_FILENO + 1);
#endif
	execvp(command[0], command);
	die_errno("Could not execute %s", command[0]);
}
