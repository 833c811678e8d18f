/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps of a start: the new root, the privileges, the login, the command. */
#ifndef ENROOT_LOGIN_H
#define ENROOT_LOGIN_H

#include <stdbool.h>
#include <stdnoreturn.h>

struct buffer;

struct login {
	const char *rootfs;
	struct buffer *environment;   /* text of the environment file; NULL: keep the environment */
	const struct buffer *script;  /* command script instead of /etc/rc; NULL: none */
	const char *workdir;	      /* where to go before the command; NULL: where the login ends up */
	bool login;		      /* as a login shell */
	bool no_script;		      /* not even /etc/rc */
	char **command;		      /* NULL-terminated */
};

/* Makes `rootfs` the root of our mount namespace, detaches the old one, enters a new cgroup namespace. */
void login_switch_root(const char *rootfs);

/* No new privileges from here on; no capabilities either, unless we are root in there. */
void login_drop_privileges(void);

/* Becomes the command. Never returns. */
noreturn void login_execute(const struct login *login);

#endif
