/* SPDX-License-Identifier: Apache-2.0 */
/* A process that stays where its child works: it passes signals on, stops and wakes with it, and ends as it did. */
#ifndef ENROOT_STANDIN_H
#define ENROOT_STANDIN_H

#include <stdnoreturn.h>
#include <sys/types.h>

/*
 * Forks. In the child, which dies with its parent, returns its number as the parent has it. In the parent returns 0 once
 * the child has ended, with the child's wait status; INT and TERM went to the child meanwhile.
 */
pid_t standin_fork(int *status);

/* Ends as a wait status says: with that status, or by that signal. */
noreturn void standin_end(int status);

#endif
