/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>

/* Only there to end a blocking flock(2). */
static void
on_alarm(int number)
{
	(void)number;
}

/* flock(2) with a limit. The timer is one of our own: an alarm(2) that the caller has set goes on to the command. */
int
lock_within(int fd, long seconds)
{
	struct sigaction action = {.sa_handler = on_alarm}, old;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	/* Repeated, for the case that the first one comes before the call. */
	struct itimerspec limit = {.it_value = {.tv_sec = seconds}, .it_interval = {.tv_nsec = 100000000}};
	sigset_t alarm_set, old_set;
	timer_t timer;
	int result;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -1;
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	if (sigaction(SIGALRM, &action, &old) < 0 || sigprocmask(SIG_UNBLOCK, &alarm_set, &old_set) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 || timer_settime(timer, 0, &limit, NULL) < 0)
		return -1;
	result = flock(fd, LOCK_EX);
	(void)timer_delete(timer);
	(void)sigprocmask(SIG_SETMASK, &old_set, NULL);
	(void)sigaction(SIGALRM, &old, NULL);
	return result;
}
