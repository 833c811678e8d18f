/* SPDX-License-Identifier: Apache-2.0 */
/* What every program here shares: how to fail, and how not to leak descriptors. */
#ifndef ENROOT_COMMON_H
#define ENROOT_COMMON_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

/* Closes the descriptor when the variable goes out of scope. */
#define cleanup_fd __attribute__((cleanup(close_fd)))

/* Frees the pointer when the variable goes out of scope. */
#define cleanup_free __attribute__((cleanup(free_pointer)))

/* Retries a system call that a signal interrupted. */
#define retry_eintr(call)                                     \
	__extension__({                                       \
		__typeof__(call) result_;                     \
		do                                            \
			result_ = (call);                     \
		while (result_ == -1 && errno == EINTR);      \
		result_;                                      \
	})

/* Prints one error line and exits 1, or with another status; die_errno adds what errno means. */
#define die(...) die_with(EXIT_FAILURE, __VA_ARGS__)
noreturn void die_with(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints one warning line; warn_errno adds what errno means. */
void warn_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warn_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What errno means, with the wording of glibc where scripts are known to look for it. */
const char *error_text(int error);

void close_fd(int *fd);
void free_pointer(void *pointer);

/* Takes the descriptor out of a cleanup_fd variable. */
int steal_fd(int *fd);

/* Memory and strings that are there, or the program is not. */
void *must_alloc(size_t count, size_t size);
char *must_dup(const char *text);
char *must_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A string that grows. */
struct buffer {
	char *data;
	size_t length;
	size_t capacity;
};

void buffer_add(struct buffer *buffer, const void *data, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);

/* Reads a descriptor to its end, at most `limit` bytes (EFBIG). The data is followed by a NUL that is not counted. */
int read_all(int fd, size_t limit, struct buffer *buffer);
int write_all(int fd, const void *data, size_t length);

/* Parses a decimal number within bounds; false when `text` is anything else. */
bool parse_number(const char *text, long min, long max, long *number);

/* Closes every descriptor from `first` on. */
void close_from(int first);

#endif
