/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of a container: making new ones, joining those of a process, and what goes with them. */
#ifndef ENROOT_NAMESPACE_H
#define ENROOT_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

struct namespaces {
	bool user, mount, pid, net, ipc, uts;
	bool remap_root; /* map to 0 instead of one to one */
};

/*
 * Leaves the caller's namespaces for new ones. With `pid` the process forks: the child returns, the parent passes signals
 * and status on and never returns. Returns the PID that the caller's namespace knows us by.
 */
pid_t namespace_create(const struct namespaces *wanted);

/*
 * Joins the namespaces of the process with number `pid` whose directory of /proc is open as `process`. With a PID
 * namespace to join it forks as above. Returns whether it joined a user namespace: we may have been in it already.
 */
bool namespace_join(int process, pid_t pid, const struct namespaces *wanted);

/*
 * Makes calls that change owners or ids succeed without effect (only one id is mapped, the kernel would refuse), so that
 * package managers work. Standard flavour: without the mitigations that a filter switches on.
 */
void namespace_filter_calls(void);

/* Standard flavour: speculation mitigations off for this process and what it runs. Hardened: left on. */
void namespace_allow_speculation(void);

/* One line on why unprivileged user namespaces may be refused here, or "". */
const char *namespace_hint(int error);

#endif
