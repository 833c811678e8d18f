/* SPDX-License-Identifier: Apache-2.0 */
/* enroot-execute: carries out a start plan from a file, for bundles, which have no engine; then clears up after it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "execute.h"
#include "standin.h"

#define PLAN_LIMIT (64U << 20)

static noreturn void
usage(void)
{
	puts("Usage: enroot-execute PLAN [DIRECTORY...]\n\n"
	     "Carries out a start plan, and deletes the directories when the container has ended.");
	exit(EXIT_SUCCESS);
}

static int
run(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die_errno("Could not fork");
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return retry_eintr(waitpid(pid, &status, 0)) < 0 ? -1 : status;
}

/* Images may have directories that their owner may not write to. */
static void
delete_directory(char *directory)
{
	char rm[] = "/bin/rm", chmod[] = "/bin/chmod", force[] = "-rf", mode[] = "u+rwX", recursive[] = "-Rf", end[] = "--";
	char one[] = "--one-file-system";
	char *const deletion[] = {rm, force, one, end, directory, NULL};
	char *const permission[] = {chmod, recursive, mode, end, directory, NULL};

	if (access(directory, F_OK) < 0)
		return;
	(void)run(permission);
	if (run(deletion) != 0)
		warn_line("Could not delete %s", directory);
}

int
main(int argc, char *argv[])
{
	struct buffer plan = {0};
	int status, fd;

	if (argc < 2)
		usage();
	if ((fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 || read_all(fd, PLAN_LIMIT, &plan) < 0)
		die_errno("Could not read %s", argv[1]);
	(void)close(fd);
	(void)unlink(argv[1]);
	if (standin_fork(&status) != 0)
		execute_plan(&plan);
	for (int i = 2; i < argc; ++i)
		delete_directory(argv[i]);
	standin_end(status);
}
