/* SPDX-License-Identifier: Apache-2.0 */
/* enroot-switchroot: enters a root file system for good and runs a command there. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "login.h"

#define FILE_LIMIT (16U << 20)

static void
usage(void)
{
	puts("Usage: enroot-switchroot [--norc] [--login] [--rcfile FILE] [--envfile FILE] [--workdir DIR] ROOTFS "
	     "[COMMAND] [ARG...]");
	exit(EXIT_SUCCESS);
}

static struct buffer *
read_file(const char *path)
{
	struct buffer *text = must_alloc(1, sizeof(*text));
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read_all(fd, FILE_LIMIT, text) < 0)
		die_errno("Could not read %s", path);
	return text;
}

static struct login
parse(int argc, char *argv[])
{
	struct login login = {0};
	int at = 1;

	for (; at < argc; ++at) {
		if (strcmp(argv[at], "--norc") == 0)
			login.no_script = true;
		else if (strcmp(argv[at], "--login") == 0)
			login.login = true;
		else if (at + 1 < argc && strcmp(argv[at], "--rcfile") == 0)
			login.script = read_file(argv[++at]);
		else if (at + 1 < argc && strcmp(argv[at], "--envfile") == 0)
			login.environment = read_file(argv[++at]);
		else if (at + 1 < argc && strcmp(argv[at], "--workdir") == 0)
			login.workdir = argv[++at];
		else
			break;
	}
	if (at >= argc)
		usage();
	login.rootfs = argv[at];
	login.command = argv + at + 1;
	return login;
}

int
main(int argc, char *argv[])
{
	struct login login = parse(argc, argv);

	login_switch_root(login.rootfs);
	login_drop_privileges();
#ifdef HARDENED
	close_from(STDERR_FILENO + 1);
#endif
	login_execute(&login);
}
