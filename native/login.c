/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A login as login(1) of the shadow suite would do it, from the container's own /etc/passwd and /etc/login.defs
 * (login.defs(5)), but without a terminal of its own, a password or records in utmp.
 */
#include "login.h"

#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <paths.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "environ.h"

#define CONFIG_LIMIT (1U << 20)
#define SHELL "/bin/sh"

void
login_switch_root(const char *rootfs)
{
	cleanup_fd int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int new_root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* Both at one place: the old root ends up on top of the new one, and is detached from there. */
	if (old_root < 0 || new_root < 0 || fchdir(new_root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    fchdir(old_root) < 0 || mount(NULL, ".", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    umount2(".", MNT_DETACH) < 0 || fchdir(new_root) < 0 || chroot(".") < 0)
		die_errno("Could not switch to the root file system %s", rootfs);
	/* Owned by the container's user namespace, so that others can join it from outside. */
	if (unshare(CLONE_NEWCGROUP) < 0 && errno != EINVAL)
		die_errno("Could not create a cgroup namespace");
}

void
login_drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die_errno("Could not give up new privileges");
	if (geteuid() == 0)
		return;
	for (unsigned long n = 0; n < 64; ++n) {
		/* EINVAL: past the last one. EPERM: not ours to drop, so we do not have it. */
		if (prctl(PR_CAPBSET_DROP, n, 0, 0, 0) < 0 && errno != EPERM && errno != EINVAL)
			die_errno("Could not drop capabilities");
	}
	if (syscall(SYS_capset, &header, none) < 0)
		die_errno("Could not drop capabilities");
}

/* Value of `name` in a file of `NAME VALUE` or `NAME=VALUE` lines; NULL when it is not set. */
static char *
config_value(const struct buffer *config, const char *name)
{
	size_t length = strlen(name);
	char *found = NULL;

	for (const char *line = config->data; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		const char *at = line + strspn(line, " \t");

		if (strncmp(at, name, length) == 0 && strchr(" \t=", at[length]) != NULL && at[length] != '\0') {
			at += length;
			at += strspn(at, " \t=\"");
			free(found);
			found = at < end ? strndup(at, strcspn(at, " \t\"\n")) : NULL;
		}
		line = *end == '\0' ? end : end + 1;
	}
	return found;
}

static bool
is_yes(const char *value)
{
	return value != NULL && (strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0);
}

static bool
config_flag(const struct buffer *config, const char *name)
{
	cleanup_free char *value = config_value(config, name);

	return is_yes(value);
}

static void
read_config(const char *path, struct buffer *config)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	buffer_add(config, NULL, 0);
	if (fd >= 0 && read_all(fd, CONFIG_LIMIT, config) < 0)
		config->length = 0, config->data[0] = '\0';
}

static void
print_file(const char *path, int to)
{
	struct buffer text = {0};

	read_config(path, &text);
	(void)write_all(to, text.data, text.length);
	free(text.data);
}

/* Default unless the environment file says something. */
static void
set_default(const char *name, const char *value)
{
	if (value != NULL && *value != '\0' && setenv(name, value, 0) < 0)
		die("Out of memory");
}

/* With privileges `nologin` means nothing; for others it ends the login, quietly as login(1) does. */
static void
refuse_logins(const struct buffer *config)
{
	cleanup_free char *file = config_value(config, "NOLOGINS_FILE");
	const char *path = file != NULL ? file : "/etc/nologin";

	if (geteuid() != 0 && access(path, F_OK) == 0) {
		print_file(path, STDOUT_FILENO);
		exit(EXIT_SUCCESS);
	}
}

static void
set_path(const struct buffer *config)
{
	bool root = geteuid() == 0;
	cleanup_free char *value = config_value(config, root ? "ENV_SUPATH" : "ENV_PATH");
	const char *path = value;

	if (path != NULL && strncmp(path, "PATH=", 5) == 0)
		path += 5;
	if (path == NULL || *path == '\0')
		path = root ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" :
			      "/usr/local/bin:/usr/bin:/bin";
	set_default("PATH", path);
}

static void
set_mailbox(const struct buffer *config)
{
	cleanup_free char *directory = config_value(config, "MAIL_DIR");
	cleanup_free char *file = config_value(config, "MAIL_FILE");
	const char *user = getenv("USER"), *home = getenv("HOME");
	cleanup_free char *path = NULL;

	if (!config_flag(config, "MAIL_CHECK_ENAB"))
		return;
	if (directory != NULL && user != NULL)
		path = must_format("%s/%s", directory, user);
	else if (file != NULL && home != NULL)
		path = must_format("%s/%s", home, file);
	else if (user != NULL)
		path = must_format("/var/mail/%s", user);
	set_default("MAIL", path);
}

/* ENV_TZ is a zone or a file that names one, both with or without `TZ=`. */
static void
set_timezone(const struct buffer *config)
{
	cleanup_free char *value = config_value(config, "ENV_TZ");
	struct buffer text = {0};

	if (value == NULL)
		return;
	if (*value == '/')
		read_config(value, &text);
	else
		buffer_add_text(&text, value);
	text.data[strcspn(text.data, "\n")] = '\0';
	set_default("TZ", strncmp(text.data, "TZ=", 3) == 0 ? text.data + 3 : text.data);
	free(text.data);
}

static void
set_locale(void)
{
	static const char *const names[] = {"LANG", "LANGUAGE", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE",
	    "LC_MONETARY", "LC_MESSAGES", "LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT",
	    "LC_IDENTIFICATION"};
	struct buffer config = {0};

	read_config("/etc/locale.conf", &config);
	for (size_t i = 0; i < ARRAY_SIZE(names); ++i) {
		cleanup_free char *value = config_value(&config, names[i]);

		set_default(names[i], value);
	}
	free(config.data);
}

/* A user with a group of the same name may let that group write. */
static void
set_umask(const struct buffer *config, const struct passwd *user)
{
	cleanup_free char *value = config_value(config, "UMASK");
	struct group *group;
	mode_t mask;

	if (value != NULL)
		umask((mode_t)strtoul(value, NULL, 0) & 0777);
	if (!config_flag(config, "USERGROUPS_ENAB") || user == NULL || user->pw_uid == 0 ||
	    user->pw_uid != user->pw_gid)
		return;
	group = getgrgid(user->pw_gid);
	if (group == NULL || strcmp(group->gr_name, user->pw_name) != 0)
		return;
	mask = umask(0777);
	umask((mask & ~(mode_t)070) | ((mask >> 3) & 070));
}

static void
set_file_limit(const struct buffer *config)
{
	cleanup_free char *value = config_value(config, "ULIMIT");
	long blocks;
	struct rlimit limit;

	if (value == NULL || !parse_number(value, -1, 1L << 40, &blocks))
		return;
	limit.rlim_cur = limit.rlim_max = blocks < 0 ? RLIM_INFINITY : (rlim_t)blocks * 512;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
}

/* The id that we have outside of the user namespace: with --root, who is really logging in. */
static uid_t
outer_uid(void)
{
	struct buffer map = {0};
	unsigned int inside, outside;
	uid_t uid = getuid();
	cleanup_fd int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read_all(fd, 65536, &map) == 0 && sscanf(map.data, "%u %u", &inside, &outside) == 2)
		uid = outside;
	free(map.data);
	return uid;
}

static void
go_home(const struct buffer *config)
{
	const char *home = getenv("HOME");

	if (home == NULL || *home == '\0' || chdir(home) == 0)
		return;
	if (!config_flag(config, "DEFAULT_HOME"))
		die_errno("Could not change directory to %s", home);
	warn_errno("Could not change directory to %s", home);
}

static void
log_in(const struct buffer *config)
{
	struct passwd *user;

	refuse_logins(config);
	if ((user = getpwuid(outer_uid())) != NULL) {
		cleanup_free char *name = must_dup(user->pw_name);

		set_default("LOGNAME", name);
	}
	set_default("TERM", "dumb");
	if ((user = getpwuid(geteuid())) != NULL) {
		set_default("HOME", user->pw_dir);
		set_default("SHELL", user->pw_shell);
		set_default("USER", user->pw_name);
	}
	set_path(config);
	set_mailbox(config);
	set_timezone(config);
	set_locale();
	set_umask(config, user);
	set_file_limit(config);
	go_home(config);
}

static void
print_messages(const struct buffer *config)
{
	cleanup_free char *hush = config_value(config, "HUSHLOGIN_FILE");
	cleanup_free char *files = config_value(config, "MOTD_FILE");
	char *next = files;
	char *file;

	if (hush != NULL && access(hush, F_OK) == 0)
		return;
	while (next != NULL && (file = strsep(&next, ":")) != NULL) {
		if (*file != '\0')
			print_file(file, STDOUT_FILENO);
	}
}

static char *
choose_shell(const struct buffer *config)
{
	char *fake = config_value(config, "FAKE_SHELL");
	const char *shell = getenv("SHELL");

	if (fake != NULL && access(fake, R_OK | X_OK) == 0)
		return fake;
	free(fake);
	return must_dup(shell != NULL && *shell != '\0' && access(shell, R_OK | X_OK) == 0 ? shell : SHELL);
}

/* The script lives in memory: its file may be on a file system that is gone by now. */
static char *
script_path(const struct buffer *script)
{
	int fd = (int)syscall(SYS_memfd_create, "rc", 0U);

	if (fd < 0 || write_all(fd, script->data, script->length) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		die_errno("Could not copy the command script");
	return must_format("/proc/self/fd/%d", fd);
}

static noreturn void
execute(const char *shell, char **argv)
{
	struct statvfs status;

	execv(shell, argv);
	int error = errno;

	if (error == EACCES && statvfs("/", &status) == 0 && (status.f_flag & ST_NOEXEC))
		die("Could not execute %s: the container's file system is mounted noexec (set ENROOT_DATA_PATH to another "
		    "one)", shell);
	errno = error;
	die_errno("Could not execute %s in the container", shell);
}

void
login_execute(const struct login *login)
{
	struct buffer config = {0};
	cleanup_free char *script = login->script != NULL ? script_path(login->script) : NULL;
	const char *rc = script != NULL ? script : "/etc/rc";
	size_t count = 0, at = 0;

	if (login->environment != NULL)
		environ_load(login->environment->data);
	if (login->login) {
		read_config("/etc/login.defs", &config);
		log_in(&config);
	} else
		buffer_add(&config, NULL, 0);
	if (login->workdir != NULL && chdir(login->workdir) < 0)
		die_errno("Could not change directory to %s", login->workdir);

	char *shell = choose_shell(&config);
	cleanup_free char *copy = must_dup(shell);
	char *name = basename(copy);
	char **command = login->command;

	while (command[count] != NULL)
		count++;
	char **argv = must_alloc(count + 5, sizeof(*argv));

	argv[at++] = must_format("%s%s", login->login ? "-" : "", name);
	if (!login->no_script && access(rc, F_OK) == 0)
		argv[at++] = must_dup(rc);
	else if (count > 0 && strchr(command[0], ' ') != NULL) {
		/* One word with spaces is a line for the shell. */
		argv[at++] = must_dup("-c");
		argv[at++] = *command++;
		argv[at++] = name;
		count--;
	} else if (count > 0 && (access(command[0], F_OK) < 0 || access(command[0], R_OK | X_OK) == 0)) {
		argv[at++] = must_dup("-c");
		argv[at++] = must_dup("exec \"$@\"");
		argv[at++] = name;
	} else if (count == 0)
		print_messages(&config);
	memcpy(argv + at, command, count * sizeof(*argv));
	execute(shell, argv);
}
