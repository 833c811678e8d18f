/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define SHELL "/bin/bash"

/*
 * One shell for all functions, so that what one sets another finds. It serves calls until its input ends; a failing
 * function ends it, by errexit.
 */
static const char server[] =
    "set -euo pipefail; shopt -s lastpipe\n"
    "__in=$1 __out=$2 __file=$3; shift 3\n"
    "[ ! -r \"${ENROOT_LIBRARY_PATH-}/common.sh\" ] || source \"${ENROOT_LIBRARY_PATH}/common.sh\"\n"
    "source \"${__file}\"\n"
    "while IFS=' ' read -r -u \"${__in}\" __function __where; do\n"
    "  if declare -F \"${__function}\" > /dev/null; then\n"
    "    case \"${__where}\" in\n"
    "    environ) \"${__function}\" >> \"${ENROOT_ENVIRON}\" ;;\n"
    "    mounts) \"${__function}\" >> \"${ENROOT_MOUNTS}\" ;;\n"
    "    rc) __body=$(declare -f \"${__function}\"); __body=${__body#*$'\\n'}; __body=${__body#*$'\\n'}\n"
    "        printf '%s\\n' \"${__body%$'\\n'*}\" > \"${ENROOT_ENVIRON%/*}/rc\" ;;\n"
    "    *) \"${__function}\" > /dev/null ;;\n"
    "    esac\n"
    "  fi\n"
    "  printf . >&\"${__out}\"\n"
    "done\n";

static int
wait_for(pid_t pid)
{
	int status;

	if (retry_eintr(waitpid(pid, &status, 0)) < 0)
		die_errno("Could not wait for process %d", (int)pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static noreturn void
execute_hook(const char *file)
{
	int null = open("/dev/null", O_WRONLY);

	/* What hooks print must not be taken for output of the container's command. */
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		die_errno("Could not open /dev/null");
	if (null != STDOUT_FILENO)
		(void)close(null);
	execl(file, file, (char *)NULL);
	if (errno == ENOEXEC)
		execl(SHELL, SHELL, file, (char *)NULL);
	die_errno("Could not execute %s", file);
}

/* Whether NAME is set to something, for us or in an environment file. */
static bool
is_set(const char *name, const char *environment)
{
	const char *value = getenv(name);
	size_t length = strlen(name);

	if (value != NULL && *value != '\0')
		return true;
	for (const char *line = environment; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == '=' && line[length + 1] > '\n')
			return true;
	}
	return false;
}

/*
 * A hook may say on one of its first lines, "# enroot-when: NAME...", which variables it acts upon. Most do nothing in
 * most starts, and to find that out by running them costs more than anything that they do.
 */
static bool
is_wanted(const char *file, const char *environment)
{
	static const char mark[] = "\n# enroot-when: ";
	char head[1024];
	cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : retry_eintr(read(fd, head, sizeof(head) - 1));
	char *names, *rest;

	head[count > 0 ? count : 0] = '\0';
	if ((names = strstr(head, mark)) == NULL || strchr(names + 1, '\n') == NULL)
		return true;
	names += sizeof(mark) - 1;
	names[strcspn(names, "\n")] = '\0';
	for (char *name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		if (is_set(name, environment))
			return true;
	}
	return false;
}

void
script_run_hook(const char *file, const char *environment)
{
	pid_t pid;
	int status;

	if (access(file, X_OK) < 0 || !is_wanted(file, environment))
		return;
	if ((pid = fork()) < 0)
		die_errno("Could not fork");
	if (pid == 0)
		execute_hook(file);
	if ((status = wait_for(pid)) != 0)
		die("%s exited with return code %d", file, status);
}

static noreturn void
execute_server(const char *file, char **arguments, const int requests[2], const int answers[2])
{
	size_t count = 0;

	(void)close(requests[1]);
	(void)close(answers[0]);
	while (arguments[count] != NULL)
		count++;

	char **argv = must_alloc(count + 10, sizeof(*argv));
	size_t at = 0;

	argv[at++] = must_dup("bash");
	argv[at++] = must_dup("--norc");
	argv[at++] = must_dup("-c");
	argv[at++] = must_dup(server);
	argv[at++] = must_dup("enroot");
	argv[at++] = must_format("%d", requests[0]);
	argv[at++] = must_format("%d", answers[1]);
	argv[at++] = must_dup(file);
	memcpy(argv + at, arguments, count * sizeof(*argv));
	(void)unsetenv("BASH_ENV");
	execv(SHELL, argv);
	die_errno("Could not execute %s", SHELL);
}

void
script_open(struct script *script, const char *file, char **arguments)
{
	int requests[2], answers[2];

	if (pipe(requests) < 0 || pipe(answers) < 0)
		die_errno("Could not create a pipe");
	if ((script->pid = fork()) < 0)
		die_errno("Could not fork");
	if (script->pid == 0)
		execute_server(file, arguments, requests, answers);
	(void)close(requests[0]);
	(void)close(answers[1]);
	(void)fcntl(requests[1], F_SETFD, FD_CLOEXEC);
	(void)fcntl(answers[0], F_SETFD, FD_CLOEXEC);
	*script = (struct script){.file = file, .pid = script->pid, .requests = requests[1], .answers = answers[0]};
}

void
script_call(struct script *script, const char *function, const char *where)
{
	cleanup_free char *request = must_format("%s %s\n", function, where);
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	char answer;
	ssize_t count = -1;

	if (script->pid <= 0)
		return;
	/* A script that has ended already is told from its silence, not by a signal. */
	(void)sigaction(SIGPIPE, &ignore, &old);
	if (write_all(script->requests, request, strlen(request)) == 0)
		count = retry_eintr(read(script->answers, &answer, 1));
	(void)sigaction(SIGPIPE, &old, NULL);
	if (count == 1)
		return;

	/* The script chooses the status that the caller sees; none of success, for what it was to do is not done. */
	int status = wait_for(script->pid);

	die_with(status == 0 ? EXIT_FAILURE : status, "%s: %s() exited with return code %d", script->file, function,
	    status);
}

void
script_close(struct script *script)
{
	if (script->pid <= 0)
		return;
	(void)close(script->requests);
	(void)close(script->answers);
	(void)wait_for(script->pid);
	script->pid = 0;
}
