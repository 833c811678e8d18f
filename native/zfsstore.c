/* SPDX-License-Identifier: Apache-2.0 */
#include "zfsstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool
is_among(char c, const char *others)
{
	return c != '\0' && (strchr(letters, c) != NULL || strchr(others, c) != NULL);
}

bool
dataset_valid(const char *name)
{
	size_t length = 0, component = 0;

	if (strnlen(name, DATASET_LIMIT + 1) > DATASET_LIMIT || !is_among(*name, ""))
		return false;
	for (; name[length] != '\0'; ++length) {
		if (name[length] != '/') {
			if (!is_among(name[length], "_-.:+"))
				return false;
			continue;
		}
		if (length == component)
			return false;
		component = length + 1;
	}
	if (component == 0 || component == length)
		return false;
	/* Slashes at both ends, so that every component looks alike. */
	char framed[DATASET_LIMIT + 3];

	snprintf(framed, sizeof(framed), "/%s/", name);
	return strstr(framed, "/./") == NULL && strstr(framed, "/../") == NULL;
}

const char *
dataset_below(const char *store, const char *dataset)
{
	size_t length = strlen(store);

	if (length == 0 || strncmp(store, dataset, length) != 0 || dataset[length] != '/' || dataset[length + 1] == '\0')
		return NULL;
	return dataset + length + 1;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int)(found - digits);
}

bool
dataset_place(const char *name, char path[DATASET_LIMIT + 1])
{
	size_t length = 0;

	for (; *name != '\0' && length < DATASET_LIMIT; ++name) {
		if (*name == ':') {
			int high = hex_digit(name[1]), low = high < 0 ? -1 : hex_digit(name[2]), byte = high * 16 + low;

			if (low < 0 || byte <= ' ' - 1 || byte == 0x7f || byte == '/' || is_among((char)byte, "_-."))
				return false;
			path[length++] = (char)byte;
			name += 2;
		} else
			path[length++] = *name;
	}
	path[length] = '\0';
	return *name == '\0';
}

struct expansion {
	char *path;
	size_t length;
};

static bool
add(struct expansion *expansion, const char *text, size_t length)
{
	if (length >= PATH_MAX - expansion->length)
		return false;
	memcpy(expansion->path + expansion->length, text, length);
	expansion->length += length;
	expansion->path[expansion->length] = '\0';
	return true;
}

/* Whether `text` starts with the variable in one of its spellings; `*length` becomes that of the spelling. */
static bool
is_variable(const char *text, const char *name, size_t *length)
{
	char braced[32], plain[32];

	snprintf(braced, sizeof(braced), "${%s}", name);
	snprintf(plain, sizeof(plain), "$%s", name);
	*length = strlen(braced);
	if (strncmp(text, braced, *length) == 0)
		return true;
	*length = strlen(plain);
	return strncmp(text, plain, *length) == 0 && !is_among(text[*length], "_");
}

/* Expands what stands at `text`. Returns how many bytes it took, 0 when it is nothing that we know. */
static size_t
expand(const char *text, const struct caller *caller, struct expansion *expansion)
{
	char uid[24];
	const struct {
		const char *name, *value;
	} variables[] = {{"HOME", caller->home}, {"USER", caller->name}, {"LOGNAME", caller->name}, {"UID", uid}};
	size_t length;

	snprintf(uid, sizeof(uid), "%lu", caller->uid);
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); ++i) {
		if (!is_variable(text, variables[i].name, &length))
			continue;
		if (variables[i].value == NULL || *variables[i].value == '\0')
			return 0;
		return add(expansion, variables[i].value, strlen(variables[i].value)) ? length : 0;
	}
	length = strlen("$(id -u)");
	if (strncmp(text, "$(id -u)", length) == 0)
		return add(expansion, uid, strlen(uid)) ? length : 0;
	return 0;
}

/* An absolute path without `.`, `..` and doubled or last slashes, of characters that mean nothing to a shell. */
static bool
is_plain_path(const char *path)
{
	char framed[PATH_MAX + 2];

	if (*path != '/' || path[1] == '\0')
		return false;
	for (const char *at = path; *at != '\0'; ++at) {
		if (!is_among(*at, "/_-.:+@,=%"))
			return false;
	}
	snprintf(framed, sizeof(framed), "%s/", path);
	return strstr(framed, "//") == NULL && strstr(framed, "/./") == NULL && strstr(framed, "/../") == NULL;
}

static bool
expand_value(const char *value, size_t length, const struct caller *caller, char path[PATH_MAX])
{
	struct expansion expansion = {.path = path};
	size_t at = 0;

	*path = '\0';
	if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
		++value;
		length -= 2;
	}
	while (at < length) {
		size_t taken = 1;

		if (value[at] == '$')
			taken = expand(value + at, caller, &expansion);
		else if (!add(&expansion, value + at, 1))
			return false;
		if (taken == 0)
			return false;
		at += taken;
	}
	return is_plain_path(path);
}

/* NAME VALUE or NAME=VALUE, as the rest of enroot reads it. */
static const char *
value_of(const char *line, const char *end, const char *name, size_t *length)
{
	line += strspn(line, " \t");
	if (strncmp(line, name, strlen(name)) != 0)
		return NULL;
	line += strlen(name);
	if (line < end && *line != ' ' && *line != '\t' && *line != '=')
		return NULL;
	line += strspn(line, " \t");
	if (*line == '=')
		line += 1 + strspn(line + 1, " \t");
	while (end > line && strchr(" \t\r", end[-1]) != NULL)
		--end;
	*length = end > line ? (size_t)(end - line) : 0;
	return line;
}

enum setting
store_path(const char *text, const struct caller *caller, char path[PATH_MAX])
{
	while (*text != '\0') {
		const char *end = text + strcspn(text, "\n");
		size_t length;
		const char *value = value_of(text, end, "ENROOT_DATA_PATH", &length);

		if (value != NULL && length > 0)
			return expand_value(value, length, caller, path) ? SETTING_FOUND : SETTING_INVALID;
		text = *end == '\n' ? end + 1 : end;
	}
	return SETTING_ABSENT;
}

/* Takes the next field off the line into `field`, with the kernel's octal escapes undone. */
static bool
next_field(const char **at, const char *end, char *field, size_t size)
{
	size_t length = 0;

	while (*at < end && **at != ' ') {
		const char *from = *at;
		char c = *from;

		if (c == '\\' && end - from >= 4 && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			c = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			*at += 3;
		}
		*at += 1;
		if (c == '\0' || length + 1 >= size)
			return false;
		field[length++] = c;
	}
	field[length] = '\0';
	if (*at < end)
		*at += 1;
	return length > 0;
}

bool
mount_parse(const char *line, size_t length, struct mount_line *mount)
{
	const char *end = line + length;
	char skipped[PATH_MAX], *rest = NULL;

	/* ID PARENT DEVICE ROOT POINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS */
	if (!next_field(&line, end, skipped, sizeof(skipped)))
		return false;
	mount->id = strtol(skipped, &rest, 10);
	if (rest == skipped || *rest != '\0' || mount->id < 0)
		return false;
	for (int i = 0; i < 2; ++i) {
		if (!next_field(&line, end, skipped, sizeof(skipped)))
			return false;
	}
	if (!next_field(&line, end, mount->root, sizeof(mount->root)) ||
	    !next_field(&line, end, mount->point, sizeof(mount->point)))
		return false;
	do {
		if (!next_field(&line, end, skipped, sizeof(skipped)))
			return false;
	} while (strcmp(skipped, "-") != 0);
	return next_field(&line, end, mount->type, sizeof(mount->type)) &&
	    next_field(&line, end, mount->source, sizeof(mount->source));
}

/* Calls for every line that parses; a line may be too long or odd, and is then of no interest. */
static bool
next_mount(const char **text, struct mount_line *mount)
{
	while (**text != '\0') {
		const char *line = *text;
		size_t length = strcspn(line, "\n");

		*text = line + length + (line[length] == '\n' ? 1 : 0);
		if (mount_parse(line, length, mount))
			return true;
	}
	return false;
}

bool
mount_by_id(const char *text, long id, struct mount_line *mount)
{
	while (next_mount(&text, mount)) {
		if (mount->id == id)
			return true;
	}
	return false;
}

bool
mount_by_dataset(const char *text, const char *dataset, struct mount_line *mount)
{
	while (next_mount(&text, mount)) {
		if (strcmp(mount->type, "zfs") == 0 && strcmp(mount->source, dataset) == 0)
			return true;
	}
	return false;
}
