/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enroot-rootfs: reads and changes files of a container's root file system from the host's side, for hooks. A path means
 * what it means in the container: no link of an image leads us to files of the host, as it would lead a plain `>` or cp.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "inroot.h"

#define FILE_LIMIT (16U << 20)
#define MAX_DEPTH 32

/* Ends each answer of `query`: a character that has no business in the files that hooks read. */
#define SEPARATOR '\036'

/* A file to be made: the directory that holds it, and its name there. */
struct target {
	const char *path; /* for messages */
	const char *name;
	int directory;
};

static noreturn void
usage(int status)
{
	fputs("Usage: enroot-rootfs [--root DIR] OPERATION\n"
	      "\n"
	      "Read and change files of a container's root file system (ENROOT_ROOTFS unless --root says otherwise).\n"
	      "Paths mean what they mean in the container, and missing directories are made.\n"
	      "\n"
	      " Operations:\n"
	      "   query [-e|-x|-r PATH]...      Whether it exists or can be executed (yes or nothing), what is in the file;\n"
	      "                                 each answer ends with the character 036\n"
	      "   write PATH                    Replace the file by standard input\n"
	      "   link TARGET PATH...           Make PATH a symbolic link to TARGET; as many pairs as you like\n"
	      "   mirror PATH                   Make PATH the symbolic link that it is on the host, and copy the host's file\n"
	      "                                 that it leads to if the container has none there\n"
	      "   directory PATH MODE [SOURCE]  Make a directory unless PATH exists, with a copy of what SOURCE holds in the\n"
	      "                                 container\n",
	    status == EXIT_SUCCESS ? stdout : stderr);
	exit(status);
}

/* A root file system that cannot be changed is used as it is: what could not be done in it is said, and is no failure. */
static noreturn void
give_up(const char *what, const char *path)
{
	if (errno != EROFS)
		die_errno("Could not %s %s in the container", what, path);
	warn_errno("Could not %s %s in the container", what, path);
	exit(EXIT_SUCCESS);
}

/* Finds, or makes, the directory that holds `path`. */
static void
open_target(int root, const char *path, struct target *target)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	/* Seen as a component on the way, and not as the last one, the directory is made with a mode that can be used. */
	cleanup_free char *directory = must_format("%.*s/.", (int)(name - path), path);
	struct place place;

	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		die("Invalid path: %s", path);
	if (place_find(root, directory, S_IFDIR, &place) < 0)
		give_up("open the directory of", path);
	*target = (struct target){.path = path, .name = name, .directory = steal_fd(&place.fd)};
	place_close(&place);
}

/* What has been made beside the target takes its place. What is mounted there is somebody's will: it stays. */
static void
replace(const struct target *target, const char *fresh)
{
	if (renameat(target->directory, fresh, target->directory, target->name) == 0)
		return;
	int error = errno;

	(void)unlinkat(target->directory, fresh, 0);
	errno = error;
	if (error != EBUSY)
		die_errno("Could not replace %s in the container", target->path);
}

static bool
holds(const struct target *target, const struct buffer *text)
{
	cleanup_fd int fd = openat(target->directory, target->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	struct buffer old = {0};
	bool same = false;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (size_t)status.st_size == text->length &&
	    read_all(fd, FILE_LIMIT, &old) == 0)
		same = old.length == text->length && memcmp(old.data, text->data, old.length) == 0;
	free(old.data);
	return same;
}

static void
write_file(int root, const char *path, const struct buffer *text)
{
	cleanup_free char *fresh = must_format(".enroot.%d", (int)getpid());
	struct target target;

	open_target(root, path, &target);
	if (!holds(&target, text)) {
		(void)unlinkat(target.directory, fresh, 0);
		cleanup_fd int fd =
		    openat(target.directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd < 0 || write_all(fd, text->data, text->length) < 0)
			give_up("write", path);
		replace(&target, fresh);
	}
	close_fd(&target.directory);
}

static void
make_link(int root, const char *to, const char *path)
{
	cleanup_free char *fresh = must_format(".enroot.%d", (int)getpid());
	struct target target;
	char old[PATH_MAX];

	open_target(root, path, &target);
	ssize_t length = readlinkat(target.directory, target.name, old, sizeof(old));

	if (length < 0 || (size_t)length != strlen(to) || memcmp(old, to, (size_t)length) != 0) {
		(void)unlinkat(target.directory, fresh, 0);
		if (symlinkat(to, target.directory, fresh) < 0)
			give_up("make the link", path);
		replace(&target, fresh);
	}
	close_fd(&target.directory);
}

/* Whether there is anything at `path`, and of which mode. */
static bool
find(int root, const char *path, mode_t *mode)
{
	struct place place;
	struct stat status = {0};
	bool found = place_find(root, path, 0, &place) == 0 && place.fd >= 0 && fstat(place.fd, &status) == 0;

	place_close(&place);
	*mode = status.st_mode;
	return found;
}

/* What is no regular file of the container counts as empty. */
static void
print_file(int root, const char *path)
{
	cleanup_fd int fd = open_below(root, path);
	struct buffer text = {0};

	if (fd < 0 && (errno == EACCES || errno == EIO))
		die_errno("Could not open %s in the container", path);
	if (fd >= 0 && read_all(fd, FILE_LIMIT, &text) < 0)
		die_errno("Could not read %s in the container", path);
	for (size_t i = 0; i < text.length; ++i) {
		if (text.data[i] != SEPARATOR && text.data[i] != '\0')
			putchar(text.data[i]);
	}
	free(text.data);
}

static void
query(int root, char **arguments)
{
	for (; arguments[0] != NULL && arguments[1] != NULL; arguments += 2) {
		mode_t mode = 0;

		if (strcmp(arguments[0], "-r") == 0)
			print_file(root, arguments[1]);
		else if (strcmp(arguments[0], "-x") == 0)
			fputs(find(root, arguments[1], &mode) && S_ISREG(mode) && (mode & 0111) ? "yes" : "", stdout);
		else if (strcmp(arguments[0], "-e") == 0)
			fputs(find(root, arguments[1], &mode) ? "yes" : "", stdout);
		else
			usage(EXIT_FAILURE);
		putchar(SEPARATOR);
	}
	if (arguments[0] != NULL)
		usage(EXIT_FAILURE);
	if (fflush(stdout) != 0)
		die_errno("Could not write to standard output");
}

static void
write_input(int root, char **arguments)
{
	struct buffer text = {0};

	if (read_all(STDIN_FILENO, FILE_LIMIT, &text) < 0)
		die_errno("Could not read standard input");
	write_file(root, arguments[0], &text);
	free(text.data);
}

static void
link_pairs(int root, char **arguments)
{
	for (; arguments[0] != NULL; arguments += 2) {
		if (arguments[1] == NULL)
			usage(EXIT_FAILURE);
		make_link(root, arguments[0], arguments[1]);
	}
}

static void
mirror(int root, char **arguments)
{
	const char *path = arguments[0];
	char to[PATH_MAX];
	ssize_t length = readlink(path, to, sizeof(to) - 1);
	mode_t mode;

	if (length < 0)
		die_errno("Could not read the link %s", path);
	to[length] = '\0';
	make_link(root, to, path);

	cleanup_free char *file = realpath(path, NULL);
	cleanup_fd int fd = file != NULL ? open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct buffer text = {0};

	/* What leads nowhere on the host may well do so here. */
	if (fd < 0 || find(root, file, &mode))
		return;
	if (read_all(fd, FILE_LIMIT, &text) < 0)
		die_errno("Could not read %s", file);
	write_file(root, file, &text);
	free(text.data);
}

static void
copy_file(int from, int to, const char *name, const struct stat *status)
{
	cleanup_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_fd int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct buffer text = {0};

	if (in >= 0 && out >= 0 && read_all(in, FILE_LIMIT, &text) == 0 && write_all(out, text.data, text.length) == 0) {
		(void)fchmod(out, status->st_mode & 0777);
		(void)futimens(out, (const struct timespec[]){status->st_atim, status->st_mtim});
	}
	free(text.data);
}

static void
copy_link(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return;
	target[length] = '\0';
	(void)symlinkat(target, to, name);
}

/* Copies what a directory holds, each thing as what it is. A home without one of its files is still a home. */
static void
copy_tree(int from, int to, int depth)
{
	int list = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = list >= 0 ? fdopendir(list) : NULL;
	struct dirent *entry;
	struct stat status;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(status.st_mode))
			copy_file(from, to, name, &status);
		else if (S_ISLNK(status.st_mode))
			copy_link(from, to, name);
		else if (S_ISDIR(status.st_mode) && depth < MAX_DEPTH && mkdirat(to, name, status.st_mode & 0777) == 0) {
			cleanup_fd int below = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			cleanup_fd int copy = openat(to, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (below >= 0 && copy >= 0)
				copy_tree(below, copy, depth + 1);
		}
	}
	if (directory != NULL)
		(void)closedir(directory);
}

static void
make_directory(int root, char **arguments)
{
	const char *path = arguments[0];
	char *end;
	mode_t mode = (mode_t)strtoul(arguments[1], &end, 8), old;
	struct target target;
	struct place source = {.parent = -1, .fd = -1};

	if (end == arguments[1] || *end != '\0' || mode > 0777)
		die("Invalid mode: %s", arguments[1]);
	if (find(root, path, &old))
		return;
	open_target(root, path, &target);
	if (mkdirat(target.directory, target.name, mode) < 0)
		give_up("make the directory", path);
	cleanup_fd int made = openat(target.directory, target.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (arguments[2] != NULL && made >= 0 && place_find(root, arguments[2], 0, &source) == 0 && source.fd >= 0)
		copy_tree(source.fd, made, 0);
	place_close(&source);
	close_fd(&target.directory);
}

static const struct operation {
	const char *name;
	int min, max; /* arguments */
	void (*perform)(int root, char **arguments);
} operations[] = {
    {"query", 2, INT_MAX, query},
    {"write", 1, 1, write_input},
    {"link", 2, INT_MAX, link_pairs},
    {"mirror", 1, 1, mirror},
    {"directory", 2, 3, make_directory},
};

static const struct operation *
find_operation(const char *name, int count)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); ++i) {
		if (strcmp(operations[i].name, name) == 0 && count >= operations[i].min && count <= operations[i].max)
			return &operations[i];
	}
	usage(EXIT_FAILURE);
}

int
main(int argc, char *argv[])
{
	const char *path = getenv("ENROOT_ROOTFS");
	int at = 1;

	if (argc == 1 || strcmp(argv[1], "--help") == 0)
		usage(EXIT_SUCCESS);
	if (argc > 3 && strcmp(argv[1], "--root") == 0) {
		path = argv[2];
		at = 3;
	}
	const struct operation *operation = find_operation(argv[at], argc - at - 1);

	if (path == NULL || *path == '\0')
		die("ENROOT_ROOTFS is not set");
	cleanup_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		die_errno("Could not open the root file system %s", path);
	(void)umask(022);
	operation->perform(root, argv + at + 1);
	return EXIT_SUCCESS;
}
