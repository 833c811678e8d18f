/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper process starts the FUSE servers and waits for the container's process, through a pidfd (or a parent-death
 * signal on kernels before 5.3). The servers in turn are tied to the keeper, so nothing can outlive the container,
 * whichever of them is killed. The keeper has a session of its own: a terminal's signals are the container's business.
 */
#include "image.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define MESSAGE_LIMIT 4096U

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* A FUSE server that was started, and the end of the pipe that has its stderr. */
struct server {
	pid_t pid;
	int messages;
};

static bool
is_mounted(const char *directory)
{
	cleanup_free char *parent = must_format("%s/..", directory);
	struct stat here, above;

	/* stat(2) would ask the FUSE server for its root: it answers once it serves. */
	return stat(directory, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static noreturn void
execute_server(char *const argv[], const int messages[2])
{
	int null = open("/dev/null", O_RDWR);

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(messages[1], STDERR_FILENO) < 0)
		die_errno("Could not prepare %s", argv[0]);
	close_from(STDERR_FILENO + 1);
	execv(argv[0], argv);
	die_errno("Could not execute %s", argv[0]);
}

static struct server
start_server(char *const argv[])
{
	int messages[2];
	struct server server;

	if (pipe2(messages, O_CLOEXEC) < 0)
		die_errno("Could not create a pipe");
	if ((server.pid = fork()) < 0)
		die_errno("Could not fork");
	if (server.pid == 0)
		execute_server(argv, messages);
	(void)close(messages[1]);
	server.messages = messages[0];
	return server;
}

/* The last line that the server wrote, for the error. */
static noreturn void
report_failure(const struct server *server, const char *program, const char *what)
{
	struct buffer text = {0};
	char *line;

	(void)read_all(server->messages, MESSAGE_LIMIT, &text);
	while (text.length > 0 && text.data[text.length - 1] == '\n')
		text.data[--text.length] = '\0';
	line = strrchr(text.data, '\n');
	die("Could not mount %s with %s: %s", what, program, line != NULL ? line + 1 : text.data);
}

/* Waits until the server has mounted `directory`: the kernel tells of every change of the mount table. */
static void
await_mount(const struct server *server, const char *program, const char *directory, const char *what)
{
	cleanup_fd int table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct pollfd events[2] = {{.fd = table, .events = POLLPRI}, {.fd = server->messages, .events = 0}};

	if (table < 0)
		die_errno("Could not open the mount table");
	while (!is_mounted(directory)) {
		if (poll(events, 2, -1) < 0 && errno != EINTR)
			die_errno("Could not wait for %s", program);
		if (events[1].revents != 0)
			report_failure(server, program, what);
	}
}

static void
mount_kernel_overlay(const char *directory)
{
	/* Whiteouts and opaque marks of a user namespace are user xattrs; tmpfs has those from Linux 6.6 on. */
	static const char *const attempts[] = {
	    "lowerdir=lower,upperdir=upper,workdir=work,xino=off,userxattr",
	    "lowerdir=lower,upperdir=upper,workdir=work,xino=off",
	    "lowerdir=lower,upperdir=upper,workdir=work",
	};

	/* Relative names: nothing in the path of the directory can then be taken for a separator. */
	if (chdir(directory) < 0)
		die_errno("Could not enter %s", directory);
	for (size_t i = 0; i < ARRAY_SIZE(attempts); ++i) {
		if (mount("overlay", directory, "overlay", MS_NOSUID | MS_NODEV, attempts[i]) == 0)
			return;
	}
	die("Could not mount an overlay: %s (set ENROOT_NATIVE_OVERLAYFS=no to use fuse-overlayfs)", error_text(errno));
}

static void
serve(const struct image *image)
{
	cleanup_free char *lower = must_format("%s/lower", image->directory);
	cleanup_free char *ids = must_format("uid=%u,gid=%u", geteuid(), getegid());
	char *squashfuse[] = {must_dup(image->squashfuse), must_dup("-f"), must_dup("-o"), ids, must_dup(image->file),
	    lower, NULL};
	char *overlay[] = {NULL, must_dup("-f"), must_dup("-o"), must_dup("lowerdir=lower,upperdir=upper,workdir=work"),
	    must_dup(image->directory), NULL};
	struct server server = start_server(squashfuse);

	await_mount(&server, image->squashfuse, lower, image->file);
	if (image->fuse_overlayfs == NULL) {
		mount_kernel_overlay(image->directory);
		return;
	}
	if (chdir(image->directory) < 0 || setenv("FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT", "y", 1) < 0)
		die_errno("Could not enter %s", image->directory);
	overlay[0] = must_dup(image->fuse_overlayfs);
	server = start_server(overlay);
	await_mount(&server, image->fuse_overlayfs, image->directory, image->file);
}

/* Keeps the servers until the container's process ends. */
static noreturn void
keep(int container, int ready)
{
	struct pollfd event = {.fd = container, .events = POLLIN};
	int null = open("/dev/null", O_RDWR);

	/* The caller waits for the end of what it gave us: only the container may hold it. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		die_errno("Could not open /dev/null");
	if (write_all(ready, ".", 1) < 0)
		exit(EXIT_FAILURE);
	(void)close(ready);
	if (chdir("/") < 0)
		exit(EXIT_FAILURE);
	while (container < 0)
		(void)pause();
	while (retry_eintr(poll(&event, 1, -1)) < 1)
		continue;
	/* They would end with us, but reaped by a stranger, at a time of its choosing. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)kill(0, SIGTERM);
	while (retry_eintr(waitpid(-1, NULL, 0)) > 0)
		continue;
	exit(EXIT_SUCCESS);
}

/* Leaves only the pipe, as 3, and the container's pidfd, as 4, besides the standard three: the rest is the container's. */
static void
arrange_descriptors(int ready, int container)
{
	int high_ready = fcntl(ready, F_DUPFD, 10);
	int high_container = container >= 0 ? fcntl(container, F_DUPFD, 10) : -1;

	if (high_ready < 0 || dup2(high_ready, 3) < 0 || (container >= 0 && dup2(high_container, 4) < 0))
		die_errno("Could not arrange descriptors");
	close_from(container >= 0 ? 5 : 4);
	/* Neither belongs to the servers. */
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	(void)fcntl(4, F_SETFD, FD_CLOEXEC);
}

static noreturn void
run_keeper(const struct image *image, int ready, int container)
{
	(void)setsid();
	arrange_descriptors(ready, container);
	serve(image);
	keep(container >= 0 ? 4 : -1, 3);
}

void
image_mount(const struct image *image)
{
	int container = (int)syscall(SYS_pidfd_open, getpid(), 0U);
	int ready[2];
	pid_t child;
	char answer;

	if (pipe2(ready, O_CLOEXEC) < 0)
		die_errno("Could not create a pipe");
	if ((child = fork()) < 0)
		die_errno("Could not fork");
	if (child == 0) {
		if (container < 0) {
			if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
				die_errno("Could not tie the image to the container");
			run_keeper(image, ready[1], container);
		}
		/* A child that the command knows nothing of would confuse its wait(2): the keeper gets another parent. */
		if ((child = fork()) < 0)
			die_errno("Could not fork");
		if (child == 0)
			run_keeper(image, ready[1], container);
		_exit(EXIT_SUCCESS);
	}
	if (container >= 0) {
		(void)close(container);
		(void)retry_eintr(waitpid(child, NULL, 0));
	}
	(void)close(ready[1]);
	/* The end of the pipe instead of an answer: the keeper has said why. */
	if (retry_eintr(read(ready[0], &answer, 1)) != 1)
		exit(EXIT_FAILURE);
	(void)close(ready[0]);
}
