/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define WATCHED 3

/* Nothing of the caller's stays open: whoever reads the container's output waits for the end of all who may write it. */
static void
let_go(int watched)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	/* Both numbers are out of the way of those that they get. */
	watched = fcntl(watched, F_DUPFD_CLOEXEC, 10);
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	if (watched < 0 || null < 0)
		exit(EXIT_FAILURE);
	for (int fd = 0; fd < WATCHED; ++fd) {
		if (dup2(null, fd) < 0)
			exit(EXIT_FAILURE);
	}
	if (dup3(watched, WATCHED, O_CLOEXEC) < 0 || chdir("/") < 0)
		exit(EXIT_FAILURE);
	close_from(WATCHED + 1);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static noreturn void
watch(int watched, char *const *argv)
{
	struct pollfd end = {.fd = WATCHED, .events = POLLIN};

	let_go(watched);
	if (retry_eintr(poll(&end, 1, -1)) == 1)
		(void)execv(argv[0], argv);
	exit(EXIT_FAILURE);
}

void
watcher_start(char *const *argv)
{
	cleanup_fd int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int status;
	pid_t child;

	if (self < 0)
		die_errno("Could not watch a process (Linux 5.3 or later is needed)");
	if ((child = fork()) < 0)
		die_errno("Could not fork");
	if (child == 0) {
		/* Neither a child that the container's command would find, nor reached by its terminal. */
		pid_t watcher = setsid() < 0 ? -1 : fork();

		if (watcher == 0)
			watch(self, argv);
		_exit(watcher < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (retry_eintr(waitpid(child, &status, 0)) < 0 || status != 0)
		die_errno("Could not start a process");
}
