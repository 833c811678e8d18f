/* SPDX-License-Identifier: Apache-2.0 */
/* enroot-nsenter: runs a command in new namespaces, or in those of a process. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "environ.h"
#include "namespace.h"

#define FILE_LIMIT (16U << 20)

struct arguments {
	struct namespaces namespaces;
	long target;
	long environment_fd;
	const char *environment_file;
	const char *workdir;
	char **command;
};

static void
usage(void)
{
	puts("Usage: enroot-nsenter [--target PID] [--user] [--mount] [--pid] [--net] [--ipc] [--uts] [--remap-root] "
	     "[--envfile FILE] [--envfd FD] [--workdir DIR] COMMAND [ARG...]");
	exit(EXIT_SUCCESS);
}

static bool
parse_switch(const char *word, struct namespaces *namespaces)
{
	const struct {
		const char *name;
		bool *flag;
	} switches[] = {
	    {"--user", &namespaces->user},
	    {"--mount", &namespaces->mount},
	    {"--pid", &namespaces->pid},
	    {"--net", &namespaces->net},
	    {"--ipc", &namespaces->ipc},
	    {"--uts", &namespaces->uts},
	    {"--remap-root", &namespaces->remap_root},
	};

	for (size_t i = 0; i < ARRAY_SIZE(switches); ++i) {
		if (strcmp(word, switches[i].name) == 0)
			return *switches[i].flag = true;
	}
	return false;
}

static struct arguments
parse(int argc, char *argv[])
{
	struct arguments arguments = {.target = -1, .environment_fd = -1};
	int at = 1;

	for (; at < argc; ++at) {
		const char *value = at + 1 < argc ? argv[at + 1] : NULL;

		if (parse_switch(argv[at], &arguments.namespaces))
			continue;
		if (value == NULL)
			break;
		if (strcmp(argv[at], "--target") == 0) {
			if (!parse_number(value, 1, INT_MAX, &arguments.target))
				die("Invalid PID: %s", value);
		} else if (strcmp(argv[at], "--envfd") == 0) {
			if (!parse_number(value, STDERR_FILENO + 1, INT_MAX, &arguments.environment_fd))
				die("Invalid descriptor: %s", value);
		} else if (strcmp(argv[at], "--envfile") == 0)
			arguments.environment_file = value;
		else if (strcmp(argv[at], "--workdir") == 0)
			arguments.workdir = value;
		else
			break;
		++at;
	}
	if (at >= argc)
		usage();
	arguments.command = argv + at;
	return arguments;
}

/* Read before anything is joined: the file is one of the caller's world. */
static struct buffer
read_environment(const struct arguments *arguments)
{
	struct buffer text = {0};
	cleanup_fd int fd = (int)arguments->environment_fd;

	if (fd < 0 && arguments->environment_file != NULL) {
		fd = open(arguments->environment_file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die_errno("Could not read %s", arguments->environment_file);
	}
	if (fd >= 0 && read_all(fd, FILE_LIMIT, &text) < 0)
		die_errno("Could not read the environment");
	return text;
}

static void
join(pid_t target, const struct namespaces *namespaces)
{
	cleanup_free char *path = must_format("/proc/%d", (int)target);
	cleanup_fd int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (process < 0)
		die_errno("Could not find process %d", (int)target);
	(void)namespace_join(process, target, namespaces);
}

int
main(int argc, char *argv[])
{
	struct arguments arguments = parse(argc, argv);
	struct buffer environment = read_environment(&arguments);
	cleanup_fd int workdir = -1;

	if (arguments.workdir != NULL && (workdir = open(arguments.workdir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		die_errno("Could not open directory %s", arguments.workdir);
	if (arguments.target >= 0)
		join((pid_t)arguments.target, &arguments.namespaces);
	else
		(void)namespace_create(&arguments.namespaces);
	if (arguments.namespaces.user)
		namespace_filter_calls();
	if (environment.data != NULL)
		environ_load(environment.data);
	if (workdir >= 0 && fchdir(workdir) < 0)
		die_errno("Could not change directory to %s", arguments.workdir);
	namespace_allow_speculation();
#ifdef HARDENED
	close_from(STDERR_FILENO + 1);
#endif
	execvp(arguments.command[0], arguments.command);
	die_errno("Could not execute %s", arguments.command[0]);
}
