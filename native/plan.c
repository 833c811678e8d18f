/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stdint.h>
#include <string.h>

#include "common.h"

#define HEADER "enroot-plan 1"

static char *
next_string(const struct buffer *text, size_t *at)
{
	char *string = text->data + *at;
	size_t length;

	if (*at >= text->length)
		die("Invalid start plan: it ends too early");
	length = strnlen(string, text->length - *at);
	if (*at + length >= text->length)
		die("Invalid start plan: it ends within a word");
	*at += length + 1;
	return string;
}

static const struct step_kind *
find_kind(const struct step_kind *kinds, const char *name)
{
	for (; kinds->name != NULL; ++kinds) {
		if (strcmp(kinds->name, name) == 0)
			return kinds;
	}
	die("Invalid start plan: unknown step %.100s", name);
}

static struct step
parse_step(const struct buffer *text, size_t *at, const struct step_kind *kinds)
{
	const char *name = next_string(text, at);
	struct step step = {.kind = find_kind(kinds, name)};
	long count;

	/* An argument takes at least its NUL, so the text bounds what is allocated. */
	if (!parse_number(next_string(text, at), 0, (long)(text->length - *at), &count) ||
	    (size_t)count < step.kind->min || (size_t)count > step.kind->max)
		die("Invalid start plan: wrong number of arguments for %s", name);
	step.count = (size_t)count;
	step.arguments = must_alloc(step.count + 1, sizeof(*step.arguments));
	for (size_t i = 0; i < step.count; ++i)
		step.arguments[i] = next_string(text, at);
	return step;
}

struct plan
plan_parse(struct buffer *text, const struct step_kind *kinds)
{
	struct plan plan = {0};
	size_t at = 0, capacity = 64;

	if (strcmp(next_string(text, &at), HEADER) != 0)
		die("Invalid start plan: not made for this launcher");
	plan.steps = must_alloc(capacity, sizeof(*plan.steps));
	while (at < text->length) {
		if (plan.count == capacity) {
			struct step *grown = must_alloc(capacity * 2, sizeof(*grown));

			memcpy(grown, plan.steps, capacity * sizeof(*grown));
			free_pointer(&plan.steps);
			plan.steps = grown;
			capacity *= 2;
		}
		plan.steps[plan.count++] = parse_step(text, &at, kinds);
	}
	if (plan.count == 0 || !plan.steps[plan.count - 1].kind->last)
		die("Invalid start plan: no command");
	return plan;
}
