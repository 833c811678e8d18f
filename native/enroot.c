/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enroot: the launcher. It runs the engine, and for commands that become a container's command it stays behind to carry
 * out the engine's plan: the engine's runtime changes limits, descriptors and signals of its process and has threads,
 * so it can neither make a user namespace nor hand the caller's process on unchanged.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "execute.h"

#define PLAN_FD 3
#define PLAN_LIMIT (64U << 20)

extern char **environ;

/* Whether the command makes us a container's command. */
static bool
needs_plan(const char *command)
{
	static const char *const commands[] = {"start", "exec", "batch"};

	for (size_t i = 0; i < ARRAY_SIZE(commands); ++i) {
		if (strcmp(command, commands[i]) == 0)
			return true;
	}
	return false;
}

/* Beside us in a build tree, in ../lib/enroot where we are installed. */
static char *
find_engine(void)
{
	static const char *const places[] = {"enroot-engine", "../lib/enroot/enroot-engine"};
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length <= 0)
		die_errno("Could not read /proc/self/exe (is /proc mounted?)");
	self[length] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); ++i) {
		cleanup_free char *path = must_format("%s/%s", self, places[i]);
		char *found = realpath(path, NULL);

		if (found != NULL)
			return found;
	}
	die("Could not find enroot-engine: install the package enroot again");
}

/* Variables that make the engine's runtime run other code or trust other certificates. */
static bool
is_runtime_variable(const char *entry)
{
	return strncmp(entry, "BUN_", 4) == 0 || strncmp(entry, "NODE_", 5) == 0 || strncmp(entry, "JSC_", 4) == 0 ||
	    strncmp(entry, "ENROOT_PLAN_FD=", 15) == 0;
}

/*
 * How much the runtime compiles: nothing for commands that are over in milliseconds, for making ready to compile would be
 * a third of them; else only what has run for long enough to be worth it (figures: docs/decisions/0001).
 */
static const char *
compilation(const char *command)
{
	static const char *const brief[] = {"create", "start", "exec", "batch", "list", "remove", "version", "info"};

	for (size_t i = 0; command != NULL && i < ARRAY_SIZE(brief); ++i) {
		if (strcmp(command, brief[i]) == 0)
			return "BUN_JSC_useJIT=0";
	}
	return "BUN_JSC_thresholdForJITAfterWarmUp=5000";
}

static char **
engine_environment(const char *command, bool plan)
{
	size_t count = 0, kept = 0;

	while (environ[count] != NULL)
		count++;
	char **entries = must_alloc(count + 3, sizeof(*entries));

	for (size_t i = 0; i < count; ++i) {
		if (!is_runtime_variable(environ[i]))
			entries[kept++] = environ[i];
	}
	entries[kept++] = must_dup(compilation(command));
	if (plan)
		entries[kept++] = must_format("ENROOT_PLAN_FD=%d", PLAN_FD);
	return entries;
}

static noreturn void
execute_engine(const char *engine, char *argv[], bool plan)
{
	char directory[PATH_MAX];

	/* The engine's runtime refuses to start in a directory that has been deleted; ours stays where it is. */
	if (getcwd(directory, sizeof(directory)) == NULL && chdir("/") < 0)
		die_errno("Could not change directory: /");
	execve(engine, argv, engine_environment(argv[1], plan));
	/* It is there, so what is not there is the loader that it names. */
	if (errno == ENOENT)
		die("Could not execute %s: it needs the C library glibc, 2.17 or later, which this system lacks", engine);
	die_errno("Could not execute %s", engine);
}

/* Slurm blocks signals in what it starts, and ignores SIGPIPE: the engine must be ended by them all the same. */
static void
unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
}

static noreturn void
become_planner(const char *engine, char *argv[], int plan, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		exit(EXIT_FAILURE);
	unblock_signals();
	if (plan == PLAN_FD) {
		if (fcntl(PLAN_FD, F_SETFD, 0) < 0)
			die_errno("Could not pass a pipe on");
	} else if (dup2(plan, PLAN_FD) < 0)
		die_errno("Could not pass a pipe on");
	close_from(PLAN_FD + 1);
	execute_engine(engine, argv, true);
}

/* Ends as the engine did when it had nothing for us to do: it has said why, or printed its help. */
static void
reap_engine(pid_t engine, bool plan)
{
	int status;

	if (retry_eintr(waitpid(engine, &status, 0)) < 0)
		die_errno("Could not wait for the engine");
	if (WIFSIGNALED(status))
		die("The engine was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0 || !plan)
		exit(WEXITSTATUS(status));
}

static noreturn void
start(const char *engine, char *argv[])
{
	struct buffer plan = {0};
	int channel[2];
	pid_t child, parent = getpid();

	if (pipe2(channel, O_CLOEXEC) < 0)
		die_errno("Could not create a pipe");
	if ((child = fork()) < 0)
		die_errno("Could not fork");
	if (child == 0)
		become_planner(engine, argv, channel[1], parent);
	(void)close(channel[1]);
	if (read_all(channel[0], PLAN_LIMIT, &plan) < 0)
		die_errno("Could not read the start plan");
	(void)close(channel[0]);
	reap_engine(child, plan.length > 0);
	execute_plan(&plan);
}

int
main(int argc, char *argv[])
{
	cleanup_free char *engine = find_engine();

	if (argc > 1 && needs_plan(argv[1]))
		start(engine, argv);
	unblock_signals();
	execute_engine(engine, argv, false);
}
