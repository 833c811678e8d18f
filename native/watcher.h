/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done when a process has ended, however it ended: a small process of its own waits for that. */
#ifndef ENROOT_WATCHER_H
#define ENROOT_WATCHER_H

/*
 * Starts a process that waits for the end of ours and then becomes the program `argv`, with our present environment and
 * no descriptor of ours. It is no child of ours, and in a session of its own. Ends the program when it cannot.
 */
void watcher_start(char *const *argv);

#endif
