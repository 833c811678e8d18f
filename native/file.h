/* SPDX-License-Identifier: Apache-2.0 */
/* Small text files of a start. Whatever fails ends the program with a message. */
#ifndef ENROOT_FILE_H
#define ENROOT_FILE_H

struct buffer;

void file_read(const char *path, struct buffer *text);

/* flags: O_APPEND or O_TRUNC. */
void file_write(const char *path, int flags, const struct buffer *text);

/* Appends the host's `file` to `path`, variables substituted. */
void file_append_substituted(const char *path, const char *file);

/* The same for a file inside the directory `root`, which may be hostile; one that is not there is passed over. */
void file_append_from(const char *path, int root, const char *file);

/* Appends a line as it is. */
void file_append_line(const char *path, const char *line);

#endif
