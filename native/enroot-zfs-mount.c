/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enroot-zfs-mount: lets an unprivileged user mount and unmount the ZFS file systems of his own containers.
 *
 * Who calls us: any user, with any arguments, descriptors, environment, limits and namespaces. What we have: the file
 * capability cap_sys_admin, for mount(2) alone; everything else here is done with the caller's own rights. What we
 * trust: /etc/enroot/enroot.conf and enroot.conf.d while they are root's, and the kernel. Neither the dataset's
 * properties (`mountpoint` first of all) nor its name nor the place are trusted: the place is the store's directory plus
 * the dataset's name below the store's dataset, reached by descriptors without links; the file system's root directory
 * must belong to the caller, which is looked at while the mount is attached to nothing; and what is in it gains no
 * privilege from set-user-id bits or device nodes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "zfsstore.h"

#define CONFIGURATION "/etc/enroot/enroot.conf"
#define CONFIGURATION_LIMIT (1U << 20)
#define MOUNTS_LIMIT (256U << 20)

struct request {
	const char *dataset;
	bool unmount;
	bool allowed; /* whether we have the capability at all */
	struct caller caller;
	char store_path[PATH_MAX];
	char place[DATASET_LIMIT + 1]; /* the dataset's place below the store */
};

/* Where a dataset belongs. */
struct target {
	int parent;
	char name[DATASET_LIMIT + 1];
	int fd; /* the directory as a lookup finds it now, O_PATH; -1 when there is none */
};

static void
set_capabilities(unsigned int permitted, unsigned int effective)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.permitted = permitted, .effective = effective}};

	if (syscall(SYS_capset, &header, data) < 0)
		die_errno("Could not set capabilities");
}

/* From here on we have cap_sys_admin at most, and not in effect. */
static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		die_errno("Could not read capabilities");
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	data[0].permitted &= 1U << CAP_SYS_ADMIN;
	set_capabilities(data[0].permitted, 0);
	return data[0].permitted != 0;
}

/* The capability is in effect between these two, around single system calls. */
static void
raise_capability(const struct request *request)
{
	if (!request->allowed)
		die("enroot-zfs-mount lacks the capability cap_sys_admin: install the package enroot+caps");
	set_capabilities(1U << CAP_SYS_ADMIN, 1U << CAP_SYS_ADMIN);
}

static void
lower_capability(void)
{
	int error = errno;

	set_capabilities(1U << CAP_SYS_ADMIN, 0);
	errno = error;
}

/* A file that we open must not become descriptor 0, 1 or 2: messages or lookups of others would end up in it. */
static void
check_descriptors(void)
{
	for (int fd = 0; fd <= 2; ++fd) {
		if (fcntl(fd, F_GETFD) < 0)
			die("Descriptor %d is closed", fd);
	}
	close_from(3);
}

static void
usage(void)
{
	puts("Usage: enroot-zfs-mount [--unmount] DATASET");
	exit(EXIT_SUCCESS);
}

static void
parse(int argc, char *argv[], struct request *request)
{
	int at = 1;

	if (at < argc && strcmp(argv[at], "--unmount") == 0) {
		request->unmount = true;
		++at;
	}
	if (argc <= 1 || strcmp(argv[1], "--help") == 0)
		usage();
	if (argc != at + 1)
		die("One dataset is needed: enroot-zfs-mount [--unmount] DATASET");
	if (!dataset_valid(argv[at]))
		die("Invalid dataset name: at most %d letters, digits and _-.:+ in parts divided by /", DATASET_LIMIT);
	request->dataset = argv[at];
}

static bool
only_root_writes(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A file of the system's configuration: false when it is absent. */
static bool
read_configuration(int directory, const char *name, const char *shown, struct buffer *text)
{
	cleanup_fd int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0)
		die_errno("Could not open %s", shown);
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || !only_root_writes(fd))
		die("%s must be a file that only root can write", shown);
	if (read_all(fd, CONFIGURATION_LIMIT, text) < 0)
		die_errno("Could not read %s", shown);
	return true;
}

/* Whether this file names the store; ends the program when it does so in a way that we do not take. */
static bool
find_setting(int directory, const char *name, const char *shown, struct request *request)
{
	struct buffer text = {0};
	enum setting setting = SETTING_ABSENT;

	if (read_configuration(directory, name, shown, &text))
		setting = store_path(text.data, &request->caller, request->store_path);
	free(text.data);
	if (setting == SETTING_INVALID)
		die("ENROOT_DATA_PATH of %s must be an absolute path, with $HOME, $USER or $UID at most", shown);
	return setting == SETTING_FOUND;
}

static int
is_dropin(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return *entry->d_name != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* In plain byte order, as the rest of enroot reads them. */
static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool
find_dropin(struct request *request)
{
	cleanup_fd int directory = open(CONFIGURATION ".d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent **names = NULL;
	bool found = false;
	int count;

	if (directory < 0)
		return false;
	if (!only_root_writes(directory))
		die("%s must be a directory that only root can write", CONFIGURATION ".d");
	if ((count = scandir(CONFIGURATION ".d", &names, is_dropin, by_bytes)) < 0)
		die_errno("Could not read %s", CONFIGURATION ".d");
	for (int i = 0; i < count; ++i) {
		cleanup_free char *shown = must_format("%s/%s", CONFIGURATION ".d", names[i]->d_name);

		found = found || find_setting(directory, names[i]->d_name, shown, request);
		free(names[i]);
	}
	free(names);
	return found;
}

static void
read_settings(struct request *request)
{
	cleanup_fd int directory = open("/etc/enroot", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct passwd *account = getpwuid(getuid());

	request->caller = (struct caller){.uid = getuid()};
	if (account != NULL) {
		request->caller.name = must_dup(account->pw_name);
		request->caller.home = must_dup(account->pw_dir);
	}
	if (directory < 0)
		die_errno("Could not open /etc/enroot");
	if (!only_root_writes(directory))
		die("/etc/enroot must be a directory that only root can write");
	if (!find_setting(directory, "enroot.conf", CONFIGURATION, request) && !find_dropin(request))
		die("No store is named: set ENROOT_DATA_PATH in %s", CONFIGURATION);
}

/* In a user namespace the capability would be worth nothing, and /proc may not be what it seems. */
static void
check_namespace(void)
{
	cleanup_fd int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	struct buffer text = {0};
	unsigned long inside, outside, count;

	if (fd < 0 || read_all(fd, 65536, &text) < 0)
		die_errno("Could not read /proc/self/uid_map");
	if (sscanf(text.data, "%lu %lu %lu", &inside, &outside, &count) != 3 || inside != 0 || outside != 0 ||
	    count != 4294967295UL)
		die("File systems cannot be mounted from inside a user namespace");
	free(text.data);
}

static void
read_mounts(struct buffer *text)
{
	cleanup_fd int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read_all(fd, MOUNTS_LIMIT, text) < 0)
		die_errno("Could not read /proc/self/mountinfo");
}

/* The number of the mount that a descriptor is on. */
static long
mount_of(int fd)
{
	cleanup_free char *path = must_format("/proc/self/fdinfo/%d", fd);
	cleanup_fd int info = open(path, O_RDONLY | O_CLOEXEC);
	struct buffer text = {0};
	long id = -1;
	char *line;

	if (info < 0 || read_all(info, 65536, &text) < 0)
		die_errno("Could not read %s", path);
	if ((line = strstr(text.data, "mnt_id:")) == NULL || sscanf(line, "mnt_id: %ld", &id) != 1)
		die("Could not find the mount of a directory");
	free(text.data);
	return id;
}

/* Opens a directory that no symbolic link is part of; -1 with errno. */
static int
open_directory(int parent, const char *name)
{
	return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Goes down a relative path one component at a time, making those missing if wanted. The last one is left in `name`. */
static int
walk(int root, const char *path, bool create, char name[static DATASET_LIMIT + 1])
{
	int fd = fcntl(root, F_DUPFD_CLOEXEC, 3);

	for (;;) {
		size_t length = strcspn(path, "/");
		int next;

		if (fd < 0)
			return -1;
		if (length > DATASET_LIMIT) {
			errno = ENAMETOOLONG;
			close_fd(&fd);
			return -1;
		}
		memcpy(name, path, length);
		name[length] = '\0';
		if (path[length] == '\0')
			return fd;
		path += length + 1;
		if (create && mkdirat(fd, name, 0755) < 0 && errno != EEXIST) {
			close_fd(&fd);
			return -1;
		}
		next = open_directory(fd, name);
		close_fd(&fd);
		fd = next;
	}
}

/* Opens the store's directory, and finds the dataset that is mounted there and the asked one's name below it. */
static int
open_store(struct request *request, const char *mounts)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct mount_line *mount = must_alloc(1, sizeof(*mount));
	char name[DATASET_LIMIT + 1];
	cleanup_fd int parent = root < 0 ? -1 : walk(root, request->store_path + 1, false, name);
	int fd = parent < 0 ? -1 : open_directory(parent, name);

	if (fd < 0)
		die_errno("Could not reach the store %s (symbolic links are not followed)", request->store_path);
	if (!mount_by_id(mounts, mount_of(fd), mount) || strcmp(mount->type, "zfs") != 0 || strcmp(mount->root, "/") != 0 ||
	    strcmp(mount->point, request->store_path) != 0)
		die("The store %s is not the mount point of a ZFS dataset", request->store_path);
	const char *below = dataset_below(mount->source, request->dataset);

	if (below == NULL)
		die("The dataset %s is not below the store %s", request->dataset, mount->source);
	if (!dataset_place(below, request->place))
		die("Invalid dataset name: %s (a colon stands before two hexadecimal digits)", request->dataset);
	free(mount);
	return fd;
}

static void
find_target(int store, const struct request *request, bool create, struct target *target)
{
	*target = (struct target){.fd = -1};
	target->parent = walk(store, request->place, create, target->name);
	if (target->parent < 0)
		die_errno("Could not reach the place of %s in %s", request->dataset, request->store_path);
	/* Private from the start: what matters later are the permissions of the file system that covers it. */
	if (create && mkdirat(target->parent, target->name, 0700) < 0 && errno != EEXIST)
		die_errno("Could not make the directory %s/%s", request->store_path, request->place);
	target->fd = open_directory(target->parent, target->name);
	if (target->fd < 0 && (create || errno != ENOENT))
		die_errno("Could not open %s/%s", request->store_path, request->place);
}

/* Whether the dataset is mounted where it belongs. Ends the program when something else is mounted there. */
static bool
is_mounted(const struct request *request, const struct target *target, const char *mounts)
{
	struct mount_line *mount = must_alloc(1, sizeof(*mount));
	bool mounted = false;

	if (target->fd >= 0 && mount_of(target->fd) != mount_of(target->parent)) {
		if (!mount_by_id(mounts, mount_of(target->fd), mount) || strcmp(mount->type, "zfs") != 0 ||
		    strcmp(mount->source, request->dataset) != 0 || strcmp(mount->root, "/") != 0)
			die("Something else is mounted on %s/%s", request->store_path, request->place);
		mounted = true;
	}
	free(mount);
	return mounted;
}

static bool
is_callers(int fd, const struct request *request)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		die_errno("Could not look at %s", request->dataset);
	return S_ISDIR(status.st_mode) && status.st_uid == request->caller.uid;
}

/* Locks the directory that is to be covered: of two calls for one dataset, the second finds what the first has done. */
static int
lock_target(const struct request *request, const struct target *target)
{
	int fd = openat(target->parent, target->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		die_errno("Could not lock %s/%s", request->store_path, request->place);
	return fd;
}

static void
check_empty(const struct request *request, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (directory == NULL)
		die_errno("Could not read %s/%s", request->store_path, request->place);
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			die("The directory %s/%s is not empty", request->store_path, request->place);
	}
	closedir(directory);
}

/* Mounts the dataset nowhere yet. Only kernels before 5.2 lack these calls, and there we rather refuse. */
static int
mount_detached(const struct request *request)
{
	cleanup_fd int context = -1;
	int fd = -1;

	raise_capability(request);
	context = (int)syscall(SYS_fsopen, "zfs", FSOPEN_CLOEXEC);
	if (context >= 0 && syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", request->dataset, 0) == 0 &&
	    syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	lower_capability();
	if (fd < 0)
		die_errno("Could not mount %s", request->dataset);
	return fd;
}

static void
attach(const struct request *request, int mount, int place)
{
	long result;

	raise_capability(request);
	result = syscall(SYS_move_mount, mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	lower_capability();
	if (result < 0)
		die_errno("Could not mount %s on %s/%s", request->dataset, request->store_path, request->place);
}

static void
check_elsewhere(const struct request *request, const char *mounts)
{
	struct mount_line *mount = must_alloc(1, sizeof(*mount));

	if (mount_by_dataset(mounts, request->dataset, mount))
		die("The dataset %s is mounted on %s", request->dataset, mount->point);
	free(mount);
}

static void
do_mount(const struct request *request, int store)
{
	struct target target;
	struct buffer mounts = {0};

	find_target(store, request, true, &target);
	read_mounts(&mounts);
	if (is_mounted(request, &target, mounts.data))
		return;
	if (!is_callers(target.fd, request))
		die("The directory %s/%s belongs to another user", request->store_path, request->place);
	cleanup_fd int place = lock_target(request, &target);

	/* While we waited for the lock, another call may have mounted it. */
	close_fd(&target.fd);
	target.fd = open_directory(target.parent, target.name);
	mounts.length = 0;
	read_mounts(&mounts);
	if (is_mounted(request, &target, mounts.data))
		return;
	check_elsewhere(request, mounts.data);
	check_empty(request, place);
	cleanup_fd int mount = mount_detached(request);

	if (!is_callers(mount, request))
		die("The dataset %s belongs to another user", request->dataset);
	/* The very directory that was looked at, wherever somebody may have moved it. */
	if (!is_callers(place, request))
		die("The directory %s/%s belongs to another user", request->store_path, request->place);
	attach(request, mount, place);
	free(mounts.data);
}

static void
do_unmount(const struct request *request, int store)
{
	struct target target;
	struct buffer mounts = {0};
	long result;

	find_target(store, request, false, &target);
	read_mounts(&mounts);
	if (!is_mounted(request, &target, mounts.data)) {
		check_elsewhere(request, mounts.data);
		return;
	}
	free(mounts.data);
	if (!is_callers(target.fd, request))
		die("The dataset %s belongs to another user", request->dataset);
	/* Our own descriptor would keep it busy. A directory with a mount on it can be neither renamed nor replaced. */
	close_fd(&target.fd);
	if (fchdir(target.parent) < 0)
		die_errno("Could not enter the directory of %s", request->dataset);
	raise_capability(request);
	result = umount2(target.name, UMOUNT_NOFOLLOW);
	lower_capability();
	if (result < 0)
		die_errno("Could not unmount %s", request->dataset);
}

int
main(int argc, char *argv[])
{
	struct request request = {0};
	struct buffer mounts = {0};

	check_descriptors();
	clearenv();
	umask(022);
	request.allowed = drop_capabilities();
	parse(argc, argv, &request);
	check_namespace();
	read_settings(&request);
	read_mounts(&mounts);
	cleanup_fd int store = open_store(&request, mounts.data);

	free(mounts.data);
	if (request.unmount)
		do_unmount(&request, store);
	else
		do_mount(&request, store);
	return EXIT_SUCCESS;
}
