/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENROOT_LOCK_H
#define ENROOT_LOCK_H

/* flock(2), exclusive, for at most so many seconds. Returns 0, or -1 with errno: EINTR when the time is over. */
int lock_within(int fd, long seconds);

#endif
