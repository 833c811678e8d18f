/* SPDX-License-Identifier: Apache-2.0 */
/* Environment files: substitution, normal form, loading. */
#ifndef ENROOT_ENVIRON_H
#define ENROOT_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

/* Appends `text`, each ${NAME} replaced by what our environment has for NAME, or nothing. Ends in a newline. */
void environ_substitute(const char *text, struct buffer *out);

/*
 * Appends the variables of `text` in normal form: white space before them, surrounding quotes, comments and what is no
 * variable or ours (ENROOT_*) are gone. Lines of `settled`, what an earlier call made, stay as they are; NULL: there is none.
 */
void environ_format(const char *text, const char *settled, struct buffer *out);

/* Replaces our environment by the well-formed lines of `text`. */
void environ_load(char *text);

/* Whether `line` is NAME=VALUE with a proper name. */
bool environ_valid(const char *line);

#endif
