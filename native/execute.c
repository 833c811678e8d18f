/* SPDX-License-Identifier: Apache-2.0 */
#include "execute.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "enter.h"
#include "environ.h"
#include "file.h"
#include "fstab.h"
#include "image.h"
#include "lock.h"
#include "login.h"
#include "namespace.h"
#include "plan.h"
#include "script.h"
#include "watcher.h"

/* What the steps so far have brought about. */
struct execution {
	pid_t pid;	      /* ours, as the caller sees it */
	const char *runtime;  /* directory of the private tmpfs */
	const char *rootfs;
	char *environment;    /* path of the environment file */
	struct buffer formatted; /* what the environment file held when it was last normalised */
	char *mounts;	      /* path of the mount file */
	int root;	      /* the root file system, O_PATH */
	int lock;
	struct script script;
	struct buffer rc;     /* command script, if there is one */
	bool has_rc;
	struct guest guest;
};

static void
set_variable(const char *name, const char *value)
{
	if (setenv(name, value, 1) < 0)
		die_errno("Could not set %s", name);
}

static void
do_setenv(struct execution *execution, const struct step *step)
{
	(void)execution;
	set_variable(step->arguments[0], step->arguments[1]);
}

static void
do_unsetenv(struct execution *execution, const struct step *step)
{
	(void)execution;
	(void)unsetenv(step->arguments[0]);
}

static void
do_afterwards(struct execution *execution, const struct step *step)
{
	(void)execution;
	watcher_start(step->arguments);
}

static void
do_unshare(struct execution *execution, const struct step *step)
{
	struct namespaces wanted = {0};
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
	    {"user", &wanted.user},
	    {"mount", &wanted.mount},
	    {"pid", &wanted.pid},
	    {"net", &wanted.net},
	    {"ipc", &wanted.ipc},
	    {"uts", &wanted.uts},
	    {"remap-root", &wanted.remap_root},
	};

	for (size_t i = 0; i < step->count; ++i) {
		for (size_t j = 0; j < ARRAY_SIZE(flags); ++j) {
			if (strcmp(step->arguments[i], flags[j].name) == 0)
				*flags[j].flag = true;
		}
	}
	execution->pid = namespace_create(&wanted);
	if (wanted.user)
		namespace_filter_calls();
}

static void
make_directories(const char *path)
{
	cleanup_free char *copy = must_dup(path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(copy, 0700);
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		die_errno("Could not create directory %s (set ENROOT_RUNTIME_PATH to a directory of yours)", path);
}

static void
do_runtime(struct execution *execution, const struct step *step)
{
	static const char *const directories[] = {"overlay", "overlay/lower", "overlay/upper", "overlay/work"};
	const char *directory = step->arguments[0];

	make_directories(directory);
	if (mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") < 0)
		die("Could not mount a tmpfs at %s: %s%s", directory, error_text(errno), namespace_hint(errno));
	execution->runtime = directory;
	execution->environment = must_format("%s/environment", directory);
	execution->mounts = must_format("%s/fstab", directory);
	for (size_t i = 0; i < ARRAY_SIZE(directories); ++i) {
		cleanup_free char *path = must_format("%s/%s", directory, directories[i]);

		if (mkdir(path, 0755) < 0)
			die_errno("Could not create directory %s", path);
	}
	file_write(execution->environment, O_TRUNC, &(struct buffer){.data = must_dup("")});
	file_write(execution->mounts, O_TRUNC, &(struct buffer){.data = must_dup("")});
}

static void
do_image(struct execution *execution, const struct step *step)
{
	char *const *arguments = step->arguments;
	char *directory = must_format("%s/overlay", execution->runtime);
	bool fuse = strcmp(arguments[1], "fuse") == 0;

	image_mount(&(struct image){
	    .file = arguments[0],
	    .squashfuse = arguments[2],
	    .fuse_overlayfs = fuse ? arguments[3] : NULL,
	    .directory = directory,
	});
	execution->rootfs = directory;
}

static void
do_rootfs(struct execution *execution, const struct step *step)
{
	execution->rootfs = step->arguments[0];
}

static void
do_prepare(struct execution *execution, const struct step *step)
{
	const char *rootfs = execution->rootfs;
	cleanup_free char *pid = must_format("%d", (int)execution->pid);

	(void)step;
	if (mount(rootfs, rootfs, NULL, MS_BIND, NULL) < 0 || mount(NULL, rootfs, NULL, MS_SLAVE, NULL) < 0)
		die_errno("Could not mount the root file system %s", rootfs);
	fstab_mount("none / none remount,bind,nosuid,nodev", "start", rootfs, 0);
	if ((execution->root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		die_errno("Could not open the root file system %s", rootfs);
	set_variable("ENROOT_PID", pid);
	set_variable("ENROOT_ROOTFS", rootfs);
	set_variable("ENROOT_ENVIRON", execution->environment);
	set_variable("ENROOT_MOUNTS", execution->mounts);
}

static void
do_lock(struct execution *execution, const struct step *step)
{
	const int flags = O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct stat status;
	long seconds;

	if (!parse_number(step->arguments[0], 0, 86400, &seconds))
		die("Invalid start plan: %s is no time", step->arguments[0]);
	execution->lock = openat(execution->root, ".lock", flags, 0644);
	/* What nobody can change needs no lock. */
	if (execution->lock < 0 && errno == EROFS)
		return;
	if (execution->lock < 0 || fstat(execution->lock, &status) < 0)
		die_errno("Could not open %s/.lock", execution->rootfs);
	/* An image may bring anything under this name; a pipe would have made us wait. */
	if (!S_ISREG(status.st_mode))
		die("Could not open %s/.lock: not a regular file", execution->rootfs);
	if (lock_within(execution->lock, seconds) < 0)
		die("Could not lock the root file system %s: another start has held it for %ld seconds", execution->rootfs,
		    seconds);
}

static void
do_config(struct execution *execution, const struct step *step)
{
	script_open(&execution->script, step->arguments[0], step->arguments + 1);
}

static void
do_config_text(struct execution *execution, const struct step *step)
{
	char *path = must_format("%s/config", execution->runtime);

	file_write(path, O_TRUNC, &(struct buffer){.data = step->arguments[0], .length = strlen(step->arguments[0])});
	script_open(&execution->script, path, step->arguments + 1);
}

static void
do_environ_rootfs(struct execution *execution, const struct step *step)
{
	file_append_from(execution->environment, execution->root, step->arguments[0]);
}

static void
do_environ_file(struct execution *execution, const struct step *step)
{
	file_append_substituted(execution->environment, step->arguments[0]);
}

static void
do_environ_text(struct execution *execution, const struct step *step)
{
	file_append_line(execution->environment, step->arguments[0]);
}

/* The file has one variable a line. */
static void
do_environ_variable(struct execution *execution, const struct step *step)
{
	const char *value = getenv(step->arguments[0]);
	cleanup_free char *line = must_format("%s=%s", step->arguments[0], value != NULL ? value : "");

	line[strcspn(line, "\n")] = '\0';
	file_append_line(execution->environment, line);
}

static void
do_environ_format(struct execution *execution, const struct step *step)
{
	struct buffer source = {0}, text = {0};

	(void)step;
	file_read(execution->environment, &source);
	environ_format(source.data, execution->formatted.data, &text);
	file_write(execution->environment, O_TRUNC, &text);
	free(source.data);
	free(execution->formatted.data);
	execution->formatted = text;
}

static void
do_mounts_rootfs(struct execution *execution, const struct step *step)
{
	file_append_from(execution->mounts, execution->root, step->arguments[0]);
}

static void
do_mounts_file(struct execution *execution, const struct step *step)
{
	file_append_substituted(execution->mounts, step->arguments[0]);
}

static void
do_mounts_text(struct execution *execution, const struct step *step)
{
	file_append_line(execution->mounts, step->arguments[0]);
}

static void
do_function(struct execution *execution, const struct step *step)
{
	script_call(&execution->script, step->arguments[0], step->arguments[1]);
}

static void
mount_pass(const struct execution *execution, long pass)
{
	struct buffer text = {0};

	file_read(execution->mounts, &text);
	fstab_mount(text.data, execution->mounts, execution->rootfs, pass);
	free(text.data);
}

static void
do_mount(struct execution *execution, const struct step *step)
{
	long pass;

	if (!parse_number(step->arguments[0], INT_MIN, INT_MAX, &pass))
		die("Invalid start plan: %s is no pass number", step->arguments[0]);
	mount_pass(execution, pass);
}

static void
do_hooks_begin(struct execution *execution, const struct step *step)
{
	cleanup_free char *aside = must_format("%s~", execution->mounts);

	(void)step;
	if (rename(execution->mounts, aside) < 0)
		die_errno("Could not set %s aside", execution->mounts);
	file_write(execution->mounts, O_TRUNC, &(struct buffer){.data = must_dup("")});
}

static void
do_hook(struct execution *execution, const struct step *step)
{
	struct buffer environment = {0};

	file_read(execution->environment, &environment);
	script_run_hook(step->arguments[0], environment.data);
	free(environment.data);
}

static void
do_hooks_end(struct execution *execution, const struct step *step)
{
	cleanup_free char *aside = must_format("%s~", execution->mounts);

	(void)step;
	mount_pass(execution, 0);
	if (rename(aside, execution->mounts) < 0)
		die_errno("Could not bring %s back", execution->mounts);
}

static void
do_rc_file(struct execution *execution, const struct step *step)
{
	file_read(step->arguments[0], &execution->rc);
	execution->has_rc = true;
}

static void
do_rc_function(struct execution *execution, const struct step *step)
{
	cleanup_free char *path = must_format("%s/rc", execution->runtime);

	(void)step;
	script_call(&execution->script, "rc", "rc");
	if (access(path, F_OK) == 0) {
		file_read(path, &execution->rc);
		execution->has_rc = true;
	}
}

static void
do_readonly(struct execution *execution, const struct step *step)
{
	(void)step;
	fstab_mount("none / none remount,bind,nosuid,nodev,ro", "start", execution->rootfs, 0);
}

static void
do_protect(struct execution *execution, const struct step *step)
{
	static const struct {
		const char *name;
		mode_t type;
		const char *entry;
	} parts[] = {
	    {".enroot", S_IFDIR, "none /.enroot none remount,bind,nosuid,nodev,ro"},
	    {".lock", S_IFREG, "none /.lock none remount,bind,nosuid,nodev,noexec,ro"},
	};
	struct stat status;

	(void)step;
	for (size_t i = 0; i < ARRAY_SIZE(parts); ++i) {
		char path[64];
		cleanup_fd int fd = openat(execution->root, parts[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &status) < 0 || (status.st_mode & S_IFMT) != parts[i].type)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (mount(path, path, NULL, MS_BIND | (parts[i].type == S_IFDIR ? MS_REC : 0), NULL) < 0)
			die_errno("Could not protect /%s in the container", parts[i].name);
		fstab_mount(parts[i].entry, "start", execution->rootfs, 0);
	}
}

static noreturn void
do_command(struct execution *execution, const struct step *step)
{
	struct buffer environment = {0};
	struct login login = {
	    .rootfs = execution->rootfs,
	    .environment = &environment,
	    .script = execution->has_rc ? &execution->rc : NULL,
	    .login = strcmp(step->arguments[0], "login") == 0,
	    .command = step->arguments + 1,
	};

	script_close(&execution->script);
	close_fd(&execution->lock);
	close_fd(&execution->root);
	file_read(execution->environment, &environment);
	login_switch_root(execution->rootfs);
	login_drop_privileges();
	namespace_allow_speculation();
#ifdef HARDENED
	close_from(STDERR_FILENO + 1);
#endif
	login_execute(&login);
}

static void
do_variable(struct execution *execution, const struct step *step)
{
	enter_set(&execution->guest, step->arguments[0], step->arguments[1]);
}

static void
do_join(struct execution *execution, const struct step *step)
{
	long pid;

	if (!parse_number(step->arguments[0], 1, INT_MAX, &pid))
		die("Invalid start plan: %s is no process", step->arguments[0]);
	enter_process(&execution->guest, (pid_t)pid);
}

static noreturn void
do_execute(struct execution *execution, const struct step *step)
{
	enter_execute(&execution->guest, step->arguments);
}

static const struct step_kind kinds[] = {
    {"setenv", 2, 2, do_setenv, false},
    {"unsetenv", 1, 1, do_unsetenv, false},
    {"afterwards", 1, SIZE_MAX, do_afterwards, false},
    {"unshare", 1, 7, do_unshare, false},
    {"runtime", 1, 1, do_runtime, false},
    {"image", 4, 4, do_image, false},
    {"rootfs", 1, 1, do_rootfs, false},
    {"prepare", 0, 0, do_prepare, false},
    {"lock", 1, 1, do_lock, false},
    {"config", 1, SIZE_MAX, do_config, false},
    {"config-text", 1, SIZE_MAX, do_config_text, false},
    {"environ-rootfs", 1, 1, do_environ_rootfs, false},
    {"environ-file", 1, 1, do_environ_file, false},
    {"environ-text", 1, 1, do_environ_text, false},
    {"environ-variable", 1, 1, do_environ_variable, false},
    {"environ-format", 0, 0, do_environ_format, false},
    {"mounts-rootfs", 1, 1, do_mounts_rootfs, false},
    {"mounts-file", 1, 1, do_mounts_file, false},
    {"mounts-text", 1, 1, do_mounts_text, false},
    {"function", 2, 2, do_function, false},
    {"mount", 1, 1, do_mount, false},
    {"hooks-begin", 0, 0, do_hooks_begin, false},
    {"hook", 1, 1, do_hook, false},
    {"hooks-end", 0, 0, do_hooks_end, false},
    {"rc-file", 1, 1, do_rc_file, false},
    {"rc-function", 0, 0, do_rc_function, false},
    {"readonly", 0, 0, do_readonly, false},
    {"protect", 0, 0, do_protect, false},
    {"command", 1, SIZE_MAX, do_command, true},
    {"variable", 1, 2, do_variable, false},
    {"join", 1, 1, do_join, false},
    {"execute", 1, SIZE_MAX, do_execute, true},
    {NULL, 0, 0, NULL, false},
};

void
execute_plan(struct buffer *text)
{
	struct execution execution = {.pid = getpid(), .root = -1, .lock = -1};
	struct plan plan = plan_parse(text, kinds);

	for (size_t i = 0; i < plan.count; ++i)
		plan.steps[i].kind->perform(&execution, &plan.steps[i]);
	/* The last step, command or execute, does not come back. */
	abort();
}
