/* SPDX-License-Identifier: Apache-2.0 */
#include "environ.h"

#include <stdlib.h>
#include <string.h>

#include "common.h"

/* Letters of names, whatever the locale. */
static bool
name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t
name_length(const char *text)
{
	size_t length = 0;

	if (!name_start(*text))
		return 0;
	while (name_start(text[length]) || (text[length] >= '0' && text[length] <= '9'))
		length++;
	return length;
}

bool
environ_valid(const char *line)
{
	size_t length = name_length(line);

	return length > 0 && line[length] == '=';
}

void
environ_substitute(const char *text, struct buffer *out)
{
	const char *dollar;

	while ((dollar = strstr(text, "${")) != NULL) {
		size_t length = name_length(dollar + 2);

		if (length == 0 || dollar[2 + length] != '}') {
			buffer_add(out, text, (size_t)(dollar + 2 - text));
			text = dollar + 2;
			continue;
		}
		buffer_add(out, text, (size_t)(dollar - text));
		cleanup_free char *name = strndup(dollar + 2, length);
		const char *value = name != NULL ? getenv(name) : NULL;

		if (value != NULL)
			buffer_add_text(out, value);
		text = dollar + 2 + length + 1;
	}
	buffer_add_text(out, text);
	if (out->length > 0 && out->data[out->length - 1] != '\n')
		buffer_add_text(out, "\n");
}

static bool
has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	for (const char *at = text; at != NULL && (at = strstr(at, line)) != NULL; at++) {
		if ((at == text || at[-1] == '\n') && at[length] == '\n')
			return true;
	}
	return false;
}

static void
format_line(char *line, const char *settled, struct buffer *out)
{
	char *value, *end;

	line += strspn(line, " \t\r\v\f");
	if (!environ_valid(line) || strncmp(line, "ENROOT_", 7) == 0)
		return;
	value = strchr(line, '=') + 1;
	end = value + strlen(value);
	while (end > value && strchr(" \t\r\v\f", end[-1]) != NULL)
		end--;
	if (end - value >= 2 && (*value == '"' || *value == '\'') && (end[-1] == '"' || end[-1] == '\'') &&
	    !has_line(settled, line)) {
		buffer_add(out, line, (size_t)(value - line));
		buffer_add(out, value + 1, (size_t)(end - value - 2));
	} else
		buffer_add_text(out, line);
	buffer_add_text(out, "\n");
}

void
environ_format(const char *text, const char *settled, struct buffer *out)
{
	cleanup_free char *copy = must_dup(text);
	char *next = copy;
	char *line;

	buffer_add(out, NULL, 0);
	while ((line = strsep(&next, "\n")) != NULL)
		format_line(line, settled, out);
}

void
environ_load(char *text)
{
	char *line;

	clearenv();
	while ((line = strsep(&text, "\n")) != NULL) {
		if (environ_valid(line) && putenv(line) != 0)
			die("Out of memory");
	}
}
