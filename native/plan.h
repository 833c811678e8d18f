/* SPDX-License-Identifier: Apache-2.0 */
/* The start plan (docs/plan.md): reading it whole, and refusing what is not one before anything is done. */
#ifndef ENROOT_PLAN_H
#define ENROOT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

struct step {
	const struct step_kind *kind;
	char **arguments; /* NULL-terminated */
	size_t count;
};

struct plan {
	struct step *steps;
	size_t count;
};

struct execution;

/* What a step is called, what it takes and what carries it out. The last kind of a table has no name. */
struct step_kind {
	const char *name;
	size_t min, max;
	void (*perform)(struct execution *execution, const struct step *step);
	bool last; /* Whether a plan ends with it: it does not come back */
};

/* Parses a plan. Ends the program with a message when it is not complete and well-formed. */
struct plan plan_parse(struct buffer *text, const struct step_kind *kinds);

#endif
