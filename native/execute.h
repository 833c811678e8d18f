/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out a start plan: the steps of docs/plan.md, no decisions. */
#ifndef ENROOT_EXECUTE_H
#define ENROOT_EXECUTE_H

#include <stdnoreturn.h>

struct buffer;

/* Becomes the container's command. */
noreturn void execute_plan(struct buffer *text);

#endif
