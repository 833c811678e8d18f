/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"
#include "environ.h"
#include "inroot.h"

#define FILE_LIMIT (64U << 20)

void
file_read(const char *path, struct buffer *text)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read_all(fd, FILE_LIMIT, text) < 0)
		die_errno("Could not read %s", path);
}

void
file_write(const char *path, int flags, const struct buffer *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	if (fd < 0 || write_all(fd, text->data, text->length) < 0)
		die_errno("Could not write %s", path);
}

static void
append_substituted(const char *path, const struct buffer *source)
{
	struct buffer text = {0};

	environ_substitute(source->data, &text);
	file_write(path, O_APPEND, &text);
	free(text.data);
}

void
file_append_substituted(const char *path, const char *file)
{
	struct buffer source = {0};

	file_read(file, &source);
	append_substituted(path, &source);
	free(source.data);
}

void
file_append_from(const char *path, int root, const char *file)
{
	struct buffer source = {0};
	cleanup_fd int fd = open_below(root, file);

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || read_all(fd, FILE_LIMIT, &source) < 0)
		die_errno("Could not read %s in the container", file);
	append_substituted(path, &source);
	free(source.data);
}

void
file_append_line(const char *path, const char *line)
{
	struct buffer text = {0};

	buffer_add_text(&text, line);
	buffer_add_text(&text, "\n");
	file_write(path, O_APPEND, &text);
	free(text.data);
}
