/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *
error_text(int error)
{
	/* Tests of Slurm plugins look for these very words. */
	return error == EXDEV ? "Invalid cross-device link" : strerror(error);
}

__attribute__((format(printf, 4, 0))) static void
print_line(const char *colour, const char *tag, int error, const char *format, va_list args)
{
	char text[8192], line[8300];
	bool terminal = isatty(STDERR_FILENO) == 1;
	int length;

	vsnprintf(text, sizeof(text), format, args);
	length = snprintf(line, sizeof(line), "%s%s%s %s%s%s\n", terminal ? colour : "", tag, terminal ? "\033[0m" : "",
	    text, error ? ": " : "", error ? error_text(error) : "");
	if (length > 0)
		(void)write_all(STDERR_FILENO, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

void
die_with(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("\033[1;31m", "[ERROR]", 0, format, args);
	va_end(args);
	exit(status);
}

void
die_errno(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	print_line("\033[1;31m", "[ERROR]", error, format, args);
	va_end(args);
	exit(EXIT_FAILURE);
}

void
warn_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("\033[1;33m", "[WARN]", 0, format, args);
	va_end(args);
}

void
warn_errno(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	print_line("\033[1;33m", "[WARN]", error, format, args);
	va_end(args);
}

void
close_fd(int *fd)
{
	int error = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = error;
}

void
free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

int
steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

void *
must_alloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (memory == NULL)
		die("Out of memory");
	return memory;
}

char *
must_dup(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		die("Out of memory");
	return copy;
}

char *
must_format(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0 || text == NULL)
		die("Out of memory");
	return text;
}

void
buffer_add(struct buffer *buffer, const void *data, size_t length)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 256;

	/* One byte more, so that the data can always be used as a string. */
	while (capacity < buffer->length + length + 1) {
		if (capacity > SIZE_MAX / 2)
			die("Out of memory");
		capacity *= 2;
	}
	if (capacity != buffer->capacity) {
		char *grown = realloc(buffer->data, capacity);

		if (grown == NULL)
			die("Out of memory");
		buffer->data = grown;
		buffer->capacity = capacity;
	}
	if (length > 0)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
}

void
buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

int
read_all(int fd, size_t limit, struct buffer *buffer)
{
	char chunk[65536];
	ssize_t count;

	buffer_add(buffer, NULL, 0);
	while ((count = retry_eintr(read(fd, chunk, sizeof(chunk)))) > 0) {
		if (buffer->length + (size_t)count > limit) {
			errno = EFBIG;
			return -1;
		}
		buffer_add(buffer, chunk, (size_t)count);
	}
	return count < 0 ? -1 : 0;
}

int
write_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t count = retry_eintr(write(fd, at, length));

		if (count < 0)
			return -1;
		at += count;
		length -= (size_t)count;
	}
	return 0;
}

bool
parse_number(const char *text, long min, long max, long *number)
{
	char *end = NULL;

	errno = 0;
	*number = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *number >= min && *number <= max;
}

static void
close_listed(int first)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	long fd;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		if (parse_number(entry->d_name, first, INT_MAX, &fd) && (int)fd != dirfd(directory))
			(void)close((int)fd);
	}
	closedir(directory);
}

void
close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned int)first, ~0U, 0U) == 0)
		return;
#endif
	/* Kernels before 5.9. */
	close_listed(first);
}
