/* SPDX-License-Identifier: Apache-2.0 */
#include "fstab.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common.h"
#include "inroot.h"

#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1UL << 25)
#endif

#define PROPAGATION (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)

/* What an option means besides flags of mount(2). */
enum extra {
	CREATE_DIR = 1 << 0,
	CREATE_FILE = 1 << 1,
	CREATE_AUTO = 1 << 2,
	DETACH = 1 << 3,
	NOFAIL = 1 << 4,
	QUIET = 1 << 5,
	LOUD = 1 << 6,
	RECURSIVE_BIND = 1 << 7,
};

struct option {
	const char *name;
	unsigned long set;
	unsigned long clear;
	unsigned int extra;
};

static const struct option options[] = {
    {"async", 0, MS_SYNCHRONOUS, 0},
    {"atime", 0, MS_NOATIME, 0},
    {"auto", 0, 0, 0},
    {"bind", MS_BIND, 0, 0},
    {"defaults", 0, 0, 0},
    {"dev", 0, MS_NODEV, 0},
    {"diratime", 0, MS_NODIRATIME, 0},
    {"dirsync", MS_DIRSYNC, 0, 0},
    {"exec", 0, MS_NOEXEC, 0},
    {"group", 0, 0, 0},
    {"iversion", MS_I_VERSION, 0, 0},
    {"lazytime", MS_LAZYTIME, 0, 0},
    {"loud", 0, MS_SILENT, LOUD},
    {"mand", MS_MANDLOCK, 0, 0},
    {"noatime", MS_NOATIME, 0, 0},
    {"noauto", 0, 0, 0},
    {"nodev", MS_NODEV, 0, 0},
    {"nodiratime", MS_NODIRATIME, 0, 0},
    {"noexec", MS_NOEXEC, 0, 0},
    {"nofail", 0, 0, NOFAIL},
    {"nogroup", 0, 0, 0},
    {"noiversion", 0, MS_I_VERSION, 0},
    {"nolazytime", 0, MS_LAZYTIME, 0},
    {"nomand", 0, MS_MANDLOCK, 0},
    {"noowner", 0, 0, 0},
    {"norelatime", 0, MS_RELATIME, 0},
    {"nostrictatime", 0, MS_STRICTATIME, 0},
    {"nosuid", MS_NOSUID, 0, 0},
    {"nouser", 0, 0, 0},
    {"nousers", 0, 0, 0},
    {"owner", 0, 0, 0},
    {"private", MS_PRIVATE, 0, 0},
    {"rbind", MS_BIND | MS_REC, 0, RECURSIVE_BIND},
    {"relatime", MS_RELATIME, 0, 0},
    {"remount", MS_REMOUNT, 0, 0},
    {"ro", MS_RDONLY, 0, 0},
    {"rprivate", MS_PRIVATE | MS_REC, 0, 0},
    {"rshared", MS_SHARED | MS_REC, 0, 0},
    {"rslave", MS_SLAVE | MS_REC, 0, 0},
    {"runbindable", MS_UNBINDABLE | MS_REC, 0, 0},
    {"rw", 0, MS_RDONLY, 0},
    {"shared", MS_SHARED, 0, 0},
    {"silent", MS_SILENT, 0, QUIET},
    {"slave", MS_SLAVE, 0, 0},
    {"strictatime", MS_STRICTATIME, 0, 0},
    {"suid", 0, MS_NOSUID, 0},
    {"sync", MS_SYNCHRONOUS, 0, 0},
    {"unbindable", MS_UNBINDABLE, 0, 0},
    {"user", 0, 0, 0},
    {"users", 0, 0, 0},
    {"x-create=auto", 0, 0, CREATE_AUTO},
    {"x-create=dir", 0, 0, CREATE_DIR},
    {"x-create=file", 0, 0, CREATE_FILE},
    {"x-detach", 0, 0, DETACH},
    {"x-move", MS_MOVE, 0, 0},
    /* As the first enroot wrote them. */
    {"create=dir", 0, 0, CREATE_DIR},
    {"create=file", 0, 0, CREATE_FILE},
};

struct entry {
	const char *source, *target, *type, *options;
	unsigned long flags;
	unsigned int extra;
	struct buffer data; /* options that the file system itself gets */
};

static const struct option *
find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); ++i) {
		if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
			return &options[i];
	}
	return NULL;
}

static void
parse_options(struct entry *entry)
{
	const char *at = entry->options;

	buffer_add(&entry->data, NULL, 0);
	for (; *at != '\0'; at += *at == ',') {
		size_t length = strcspn(at, ",");
		const struct option *option = find_option(at, length);

		if (option != NULL) {
			entry->flags = (entry->flags & ~option->clear) | option->set;
			entry->extra |= option->extra;
		} else if (length > 0) {
			if (entry->data.length > 0)
				buffer_add(&entry->data, ",", 1);
			buffer_add(&entry->data, at, length);
		}
		at += length;
	}
}

/* Turns octal escapes (\040) into characters, in place. */
static void
unescape(char *text)
{
	char *to = text;

	while (*text != '\0') {
		unsigned int value = 0;
		int digits = 0;

		if (text[0] == '\\' && text[1] == '\\') {
			*to++ = '\\';
			text += 2;
			continue;
		}
		while (*text == '\\' && digits < 3 && text[1 + digits] >= '0' && text[1 + digits] <= '7')
			value = value * 8 + (unsigned int)(text[1 + digits++] - '0');
		if (value > 0 && value < 256) {
			*to++ = (char)value;
			text += 1 + digits;
		} else
			*to++ = *text++;
	}
	*to = '\0';
}

/* A word that can only be mount options: a known one, or a list. */
static bool
is_options(const char *word)
{
	return strchr(word, ',') != NULL || find_option(word, strlen(word)) != NULL;
}

/*
 * Omitted fields, as far as they can be told apart: `SRC`, `SRC OPTIONS`, `SRC DST`, `SRC DST OPTIONS`,
 * `tmpfs DST [OPTIONS]`, `none DST TYPE`. False when the entry says too little.
 */
static bool
complete(struct entry *entry)
{
	if (entry->target != NULL && entry->type == NULL && is_options(entry->target)) {
		entry->options = entry->target;
		entry->target = NULL;
	} else if (entry->type != NULL && entry->options == NULL && is_options(entry->type)) {
		entry->options = entry->type;
		entry->type = NULL;
	}
	if (entry->type != NULL && strcmp(entry->type, "none") == 0)
		entry->type = NULL;
	if (strcmp(entry->source, "tmpfs") == 0) {
		if (entry->type == NULL)
			entry->type = "tmpfs";
	} else {
		if (entry->target == NULL || (strcmp(entry->target, "none") == 0 && entry->type == NULL))
			entry->target = entry->source;
		if (entry->type == NULL && (entry->options == NULL || *entry->options == '\0'))
			entry->options = "rbind,x-create=auto";
	}
	if (entry->options == NULL)
		entry->options = "";
	return entry->target != NULL && *entry->target != '\0';
}

/*
 * What an unprivileged mount must keep: flags of the source that the user namespace's owner may not clear.
 * In the initial namespace it is the caller who says.
 */
static unsigned long
locked_flags(const char *path)
{
	static const struct {
		unsigned long status, mount;
	} map[] = {
	    {ST_NOSUID, MS_NOSUID},
	    {ST_NODEV, MS_NODEV},
	    {ST_NOEXEC, MS_NOEXEC},
	    {ST_RDONLY, MS_RDONLY},
	    {ST_NOATIME, MS_NOATIME},
	    {ST_NODIRATIME, MS_NODIRATIME},
	    {ST_RELATIME, MS_RELATIME},
	};
	struct statvfs status;
	unsigned long flags = 0;

	if (statvfs(path, &status) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(map); ++i) {
		if (status.f_flag & map[i].status)
			flags |= map[i].mount;
	}
	return flags;
}

static bool
in_user_namespace(void)
{
	struct buffer map = {0};
	unsigned long inside = 1, outside = 1, count = 0;
	cleanup_fd int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read_all(fd, 4096, &map) < 0)
		return true;
	if (sscanf(map.data, "%lu %lu %lu", &inside, &outside, &count) != 3)
		count = 0;
	free(map.data);
	return inside != 0 || outside != 0 || count != UINT32_MAX;
}

static void
descriptor_path(int fd, char path[64])
{
	snprintf(path, 64, "/proc/self/fd/%d", fd);
}

/* A source inside of the root is subject to the image's links as much as a target is. */
static int
open_source(const char *source, const char *root, int root_fd)
{
	size_t length = strlen(root);
	struct place place;
	int fd;

	if (strcmp(root, "/") == 0 || strncmp(source, root, length) != 0 || source[length] != '/')
		return open(source, O_PATH | O_CLOEXEC);
	if (place_find(root_fd, source + length, 0, &place) < 0)
		return -1;
	fd = steal_fd(&place.fd);
	place_close(&place);
	if (fd < 0)
		errno = ENOENT;
	return fd;
}

static int
bind_entry(const struct entry *entry, struct place *place, int source)
{
	unsigned long flags = entry->flags & ~(unsigned long)PROPAGATION;
	char from[64], to[64];

	if (!(entry->extra & RECURSIVE_BIND))
		flags &= ~(unsigned long)MS_REC;
	descriptor_path(source, from);
	if (in_user_namespace())
		flags |= locked_flags(from);
	descriptor_path(place->fd, to);
	if (mount(from, to, NULL, flags & (MS_BIND | MS_REC | MS_SILENT), NULL) < 0 || place_refresh(place) < 0)
		return -1;
	if (!(flags & ~(unsigned long)(MS_BIND | MS_REC | MS_SILENT)) && entry->data.length == 0)
		return 0;
	/* A bind mount takes its flags only when it is mounted once more. */
	descriptor_path(place->fd, to);
	return mount(NULL, to, NULL, flags | MS_REMOUNT, entry->data.data);
}

static int
mount_entry(const struct entry *entry, struct place *place, int source)
{
	unsigned long flags = entry->flags & ~(unsigned long)PROPAGATION;
	char from[64], to[64];

	descriptor_path(place->fd, to);
	if (entry->extra & DETACH)
		return umount2(to, MNT_DETACH);
	if (entry->flags & MS_REMOUNT) {
		if (!(entry->extra & RECURSIVE_BIND))
			flags &= ~(unsigned long)MS_REC;
		if (in_user_namespace())
			flags |= locked_flags(to);
		return mount(NULL, to, NULL, flags, entry->data.data);
	}
	if (entry->flags & MS_BIND)
		return bind_entry(entry, place, source);
	if (entry->flags & MS_MOVE) {
		descriptor_path(source, from);
		if (mount(from, to, NULL, MS_MOVE, NULL) < 0)
			return -1;
	} else if (entry->type != NULL || (flags & ~(unsigned long)(MS_REC | MS_SILENT))) {
		flags &= ~(unsigned long)MS_REC;
		if (mount(entry->source, to, entry->type ? entry->type : "none", flags, entry->data.data) < 0)
			return -1;
	} else
		return 0;
	return place_refresh(place);
}

static int
propagate(const struct entry *entry, const struct place *place)
{
	static const unsigned long kinds[] = {MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE};
	static const char *const recursive[] = {"rshared", "rslave", "rprivate", "runbindable"};
	char path[64];

	descriptor_path(place->fd, path);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); ++i) {
		bool deep = strstr(entry->options, recursive[i]) != NULL;

		if ((entry->flags & kinds[i]) && mount(NULL, path, NULL, kinds[i] | (deep ? MS_REC : 0), NULL) < 0)
			return -1;
	}
	return 0;
}

static mode_t
wanted_type(const struct entry *entry, int source)
{
	struct stat status;

	if (entry->extra & CREATE_FILE)
		return S_IFREG;
	if (entry->extra & CREATE_DIR)
		return S_IFDIR;
	if (!(entry->extra & CREATE_AUTO))
		return 0;
	if (source >= 0 && fstat(source, &status) == 0 && !S_ISDIR(status.st_mode))
		return S_IFREG;
	return S_IFDIR;
}

/* Returns 0, or -1 with errno and what failed in `problem`. */
static int
perform(const struct entry *entry, const char *root, int root_fd, char *problem, size_t size)
{
	bool needs_source = (entry->flags & (MS_BIND | MS_MOVE)) && !(entry->flags & MS_REMOUNT) && !(entry->extra & DETACH);
	bool in_root = strcmp(root, "/") != 0 && strncmp(entry->source, root, strlen(root)) == 0;
	cleanup_fd int source = -1;
	struct place place = {.parent = -1, .fd = -1};
	int result = -1;

	/* A volume's source is its own target: it exists only once that has been created. */
	if (needs_source && !in_root)
		source = open_source(entry->source, root, root_fd);
	snprintf(problem, size, "Could not find %s in %s", entry->target, root);
	if (needs_source && !in_root && source < 0) {
		snprintf(problem, size, "Could not mount %s at %s", entry->source, entry->target);
	} else if (place_find(root_fd, entry->target, wanted_type(entry, source), &place) == 0) {
		if (needs_source && in_root)
			source = open_source(entry->source, root, root_fd);
		if (place.fd < 0)
			errno = ENOENT;
		else if (needs_source && source < 0)
			snprintf(problem, size, "Could not mount %s at %s", entry->source, entry->target);
		else {
			snprintf(problem, size, "Could not %smount %s at %s", entry->extra & DETACH ? "un" : "",
			    entry->source, entry->target);
			result = mount_entry(entry, &place, source);
			if (result == 0 && !(entry->extra & DETACH))
				result = propagate(entry, &place);
		}
	}
	int error = errno;

	place_close(&place);
	errno = error;
	return result;
}

static void
carry_out(struct entry *entry, const char *root, int root_fd)
{
	char problem[1024];

	parse_options(entry);
	if (perform(entry, root, root_fd, problem, sizeof(problem)) < 0) {
		if (!(entry->extra & NOFAIL))
			die_errno("%s", problem);
		if (!(entry->extra & QUIET) || (entry->extra & LOUD))
			warn_errno("%s", problem);
	}
	free(entry->data.data);
}

/* Splits a line into at most six fields, in place. Returns how many there are. */
static size_t
split(char *line, char *fields[6])
{
	size_t count = 0;
	char *next = line;
	char *word;

	while (count < 6 && (word = strsep(&next, " \t\r")) != NULL) {
		if (*word == '\0')
			continue;
		if (*word == '#' && count == 0)
			break;
		fields[count++] = word;
	}
	return count;
}

/* Pass number of a line: the sixth field, or the fifth when the sixth is missing or 0. */
static long
pass_of(char *const fields[6], size_t count)
{
	long frequency = 0, pass = 0;

	if (count > 4 && !parse_number(fields[4], INT_MIN, INT_MAX, &frequency))
		frequency = 0;
	if (count > 5 && !parse_number(fields[5], INT_MIN, INT_MAX, &pass))
		pass = 0;
	return pass != 0 ? pass : frequency;
}

void
fstab_mount(const char *text, const char *origin, const char *root, long pass)
{
	cleanup_free char *copy = must_dup(text);
	cleanup_fd int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *next = copy;
	char *line;

	if (root_fd < 0)
		die_errno("Could not open %s", root);
	while ((line = strsep(&next, "\n")) != NULL) {
		cleanup_free char *shown = must_dup(line);
		char *fields[6] = {NULL};
		size_t count = split(line, fields);

		if (count == 0 || pass_of(fields, count) != pass)
			continue;
		for (size_t i = 0; i < count && i < 4; ++i)
			unescape(fields[i]);
		struct entry entry = {.source = fields[0], .target = fields[1], .type = fields[2], .options = fields[3]};

		if (!complete(&entry))
			die("Invalid fstab entry in %s: %s", origin, shown);
		carry_out(&entry, root, root_fd);
	}
}
