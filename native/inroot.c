/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk keeps a descriptor for every directory on the way down. `..` goes back to one of those, never through the
 * kernel's own `..`, which a concurrent rename could lead elsewhere; and each component is opened without following
 * links. So it needs no openat2(2), which kernels before 5.6 lack.
 */
#include "inroot.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

#define MAX_DEPTH 256
#define MAX_LINKS 40

struct walk {
	int stack[MAX_DEPTH]; /* stack[0] is the root, borrowed */
	int depth;
	int links;
	char *rest; /* what is still to be walked */
};

static void
walk_up(struct walk *walk, int depth)
{
	while (walk->depth > depth)
		close_fd(&walk->stack[walk->depth--]);
}

static int
walk_into(struct walk *walk, int *fd)
{
	if (walk->depth + 1 >= MAX_DEPTH) {
		errno = ENAMETOOLONG;
		return -1;
	}
	walk->stack[++walk->depth] = steal_fd(fd);
	return 0;
}

/* Takes the next component off the rest. Returns its length, 0 at the end, -1 when it is too long. */
static ssize_t
next_component(struct walk *walk, char name[256], bool *last)
{
	char *at = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(at, "/");

	if (length > 255) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, at, length);
	name[length] = '\0';
	memmove(walk->rest, at + length, strlen(at + length) + 1);
	*last = walk->rest[strspn(walk->rest, "/")] == '\0';
	return (ssize_t)length;
}

/* Puts the target of the link `fd` before the rest. */
static int
follow_link(struct walk *walk, int fd)
{
	char target[PATH_MAX];
	char *joined;
	ssize_t length = readlinkat(fd, "", target, sizeof(target) - 1);

	if (length < 0)
		return -1;
	if (++walk->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	target[length] = '\0';
	if (*target == '/')
		walk_up(walk, 0);
	joined = must_format("%s/%s", target, walk->rest);
	free(walk->rest);
	walk->rest = joined;
	return 0;
}

static int
make_missing(int parent, const char *name, bool last, mode_t create)
{
	int result;

	if (!last || S_ISDIR(create))
		result = mkdirat(parent, name, last ? 0 : 0755);
	else
		result = mknodat(parent, name, S_IFREG, 0);
	return result < 0 && errno != EEXIST ? -1 : 0;
}

/* Opens one component, making it when it is missing and wanted. Returns -1 with errno. */
static int
open_component(int parent, const char *name, bool last, mode_t create)
{
	int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || create == 0)
		return fd;
	if (make_missing(parent, name, last, create) < 0)
		return -1;
	return openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int
finish(struct walk *walk, int *fd, const char *name, struct place *place)
{
	int parent = fcntl(walk->stack[walk->depth], F_DUPFD_CLOEXEC, 3);

	if (parent < 0)
		return -1;
	place->parent = parent;
	place->fd = steal_fd(fd);
	snprintf(place->name, sizeof(place->name), "%s", name);
	return 0;
}

/* The path ended in `/`, `.` or `..`: the place is the directory on top of the stack, seen from above if it can be. */
static int
finish_directory(struct walk *walk, struct place *place)
{
	cleanup_fd int fd = fcntl(walk->stack[walk->depth], F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? -1 : finish(walk, &fd, ".", place);
}

static int
walk_path(struct walk *walk, mode_t create, struct place *place)
{
	char name[256];
	bool last = false;
	struct stat status;

	for (;;) {
		ssize_t length = next_component(walk, name, &last);

		if (length < 0)
			return -1;
		if (length == 0)
			return finish_directory(walk, place);
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (walk->depth == 0) {
				errno = EXDEV;
				return -1;
			}
			walk_up(walk, walk->depth - 1);
			continue;
		}
		cleanup_fd int fd = open_component(walk->stack[walk->depth], name, last, create);

		if (fd < 0)
			return last && errno == ENOENT ? finish(walk, &fd, name, place) : -1;
		if (fstat(fd, &status) < 0)
			return -1;
		if (S_ISLNK(status.st_mode)) {
			if (follow_link(walk, fd) < 0)
				return -1;
			continue;
		}
		if (last)
			return finish(walk, &fd, name, place);
		if (!S_ISDIR(status.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		if (walk_into(walk, &fd) < 0)
			return -1;
	}
}

int
place_find(int root, const char *path, mode_t create, struct place *place)
{
	struct walk walk = {.stack = {root}, .rest = must_dup(path)};
	int result;

	*place = (struct place){.parent = -1, .fd = -1};
	result = walk_path(&walk, create, place);
	walk_up(&walk, 0);
	free(walk.rest);
	return result;
}

int
place_refresh(struct place *place)
{
	int fd = openat(place->parent, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	close_fd(&place->fd);
	place->fd = fd;
	return 0;
}

void
place_close(struct place *place)
{
	close_fd(&place->fd);
	close_fd(&place->parent);
}

int
open_below(int root, const char *path)
{
	struct place place;
	struct stat status;
	int fd = -1;

	if (place_find(root, path, 0, &place) < 0)
		return -1;
	if (place.fd < 0)
		errno = ENOENT;
	else if (fstat(place.fd, &status) == 0 && !S_ISREG(status.st_mode))
		errno = EINVAL;
	else
		fd = openat(place.parent, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	place_close(&place);
	return fd;
}
