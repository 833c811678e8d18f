/* SPDX-License-Identifier: Apache-2.0 */
#include "standin.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

/* Set once before signals can arrive; a handler can reach it in no other way. */
static volatile sig_atomic_t forward_to;

static void
forward_signal(int signal_number)
{
	if (forward_to > 0)
		(void)kill((pid_t)forward_to, signal_number);
}

noreturn void
standin_end(int status)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	sigset_t set;

	if (number == 0)
		exit(WEXITSTATUS(status));
	/* A dump of this process would be of no use, and would replace the child's. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(number);
	exit(128 + number);
}

static int
wait_for_end(pid_t child)
{
	int status;

	for (;;) {
		if (retry_eintr(waitpid(child, &status, WUNTRACED)) < 0)
			die_errno("Could not wait for the container");
		if (!WIFSTOPPED(status))
			return status;
		/* Shells see the container stopped, and wake it by waking us. */
		(void)raise(SIGSTOP);
		(void)kill(child, SIGCONT);
	}
}

pid_t
standin_fork(int *status)
{
	struct sigaction action = {.sa_handler = forward_signal, .sa_flags = SA_RESTART};
	struct sigaction old_term, old_int;
	int channel[2];
	pid_t child, number;

	if (pipe2(channel, O_CLOEXEC) < 0)
		die_errno("Could not create a pipe");
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGTERM, &action, &old_term) < 0 || sigaction(SIGINT, &action, &old_int) < 0)
		die_errno("Could not handle signals");
	if ((child = fork()) < 0)
		die_errno("Could not fork");
	if (child > 0) {
		forward_to = child;
		if (write_all(channel[1], &child, sizeof(child)) < 0)
			die_errno("Could not write to a pipe");
		close(channel[0]);
		close(channel[1]);
		*status = wait_for_end(child);
		return 0;
	}
	(void)sigaction(SIGTERM, &old_term, NULL);
	(void)sigaction(SIGINT, &old_int, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die_errno("Could not tie the container to its parent");
	close(channel[1]);
	/* Its own number as the parent sees it; the end of the pipe instead means that the parent is gone. */
	if (retry_eintr(read(channel[0], &number, sizeof(number))) != (ssize_t)sizeof(number))
		exit(EXIT_FAILURE);
	close(channel[0]);
	return number;
}
