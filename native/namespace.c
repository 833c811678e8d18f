/* SPDX-License-Identifier: Apache-2.0 */
#include "namespace.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "standin.h"

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "unsupported architecture"
#endif

/* Leaves errno alone: callers have yet to say what failed. */
static bool
setting_is(const char *path, char value)
{
	int error = errno;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first = '\0';
	bool is = fd >= 0 && read(fd, &first, 1) == 1 && first == value;

	close_fd(&fd);
	errno = error;
	return is;
}

const char *
namespace_hint(int error)
{
	if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", '0'))
		return " (unprivileged user namespaces are off: set the sysctl kernel.unprivileged_userns_clone to 1)";
	if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1'))
		return " (AppArmor restricts user namespaces: load enroot's AppArmor profile, or set the sysctl "
		       "kernel.apparmor_restrict_unprivileged_userns to 0)";
	if (error == ENOSPC || setting_is("/proc/sys/user/max_user_namespaces", '0'))
		return " (too many user namespaces: raise the sysctl user.max_user_namespaces)";
	if (error == EINVAL || error == ENOSYS)
		return " (the kernel lacks user namespaces: CONFIG_USER_NS)";
	return "";
}

static void
write_file(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0) {
		const char *hint = namespace_hint(errno);

		die("Could not write %s: %s%s", path, error_text(errno), hint);
	}
}

static void
unshare_user(bool remap_root)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	cleanup_free char *uids = must_format("%u %u 1", remap_root ? 0 : uid, uid);
	cleanup_free char *gids = must_format("%u %u 1", remap_root ? 0 : gid, gid);

	if (unshare(CLONE_NEWUSER) < 0) {
		const char *hint = namespace_hint(errno);

		die("Could not create a user namespace: %s%s", error_text(errno), hint);
	}
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/gid_map", gids);
	write_file("/proc/self/uid_map", uids);
}

/* We own the namespace, but an exec would lose its capabilities unless our id in there is 0: hooks need them. */
static void
raise_ambient_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		die_errno("Could not read capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(data); ++i)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		die_errno("Could not set capabilities");
	for (unsigned long n = 0; n < 32 * ARRAY_SIZE(data); ++n) {
		if ((data[n / 32].permitted & (1U << n % 32)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
			die_errno("Could not raise capabilities");
	}
}

static void
bring_loopback_up(void)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		die_errno("Could not read the state of the loopback interface");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die_errno("Could not bring the loopback interface up");
}

/* The child goes on in the new PID namespace; the parent stays behind as its stand-in. */
static pid_t
fork_into_namespace(void)
{
	int status;
	pid_t pid = standin_fork(&status);

	if (pid == 0)
		standin_end(status);
	return pid;
}

pid_t
namespace_create(const struct namespaces *wanted)
{
	pid_t pid = getpid();

	if (wanted->user) {
		unshare_user(wanted->remap_root);
		if (!wanted->remap_root)
			raise_ambient_capabilities();
	}
	if (wanted->pid) {
		if (unshare(CLONE_NEWPID) < 0)
			die_errno("Could not create a PID namespace");
		pid = fork_into_namespace();
	}
	if (wanted->mount) {
		if (unshare(CLONE_NEWNS) < 0)
			die_errno("Could not create a mount namespace");
		/* Mounts of the host may come in; ours never go out. */
		if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
			die("Could not detach mounts from the host: %s%s", error_text(errno), namespace_hint(errno));
	}
	if (wanted->net) {
		if (unshare(CLONE_NEWNET) < 0)
			die_errno("Could not create a network namespace");
		bring_loopback_up();
	}
	if (wanted->ipc && unshare(CLONE_NEWIPC) < 0)
		die_errno("Could not create an IPC namespace");
	if (wanted->uts && unshare(CLONE_NEWUTS) < 0)
		die_errno("Could not create a UTS namespace");
	return pid;
}

struct target {
	const char *name;
	int type;
	bool wanted;
	int fd;
};

static void
open_target(int process, pid_t pid, struct target *target)
{
	cleanup_free char *path = must_format("ns/%s", target->name);
	cleanup_free char *own = must_format("/proc/self/ns/%s", target->name);
	struct stat theirs, ours;

	target->fd = openat(process, path, O_RDONLY | O_CLOEXEC);
	if (target->fd < 0) {
		if (errno == ENOENT && target->type == CLONE_NEWCGROUP)
			return;
		if (errno == ENOENT || errno == ESRCH)
			die("Process not found: %d", (int)pid);
		die_errno("Could not open the %s namespace of process %d", target->name, (int)pid);
	}
	/* The kernel refuses to join a user namespace that we are in. */
	if (fstat(target->fd, &theirs) == 0 && stat(own, &ours) == 0 && theirs.st_ino == ours.st_ino &&
	    theirs.st_dev == ours.st_dev)
		close_fd(&target->fd);
}

bool
namespace_join(int process, pid_t pid, const struct namespaces *wanted)
{
	bool joins_user;

	struct target targets[] = {
	    {"user", CLONE_NEWUSER, wanted->user, -1},
	    {"pid", CLONE_NEWPID, wanted->pid, -1},
	    {"mnt", CLONE_NEWNS, wanted->mount, -1},
	    {"net", CLONE_NEWNET, wanted->net, -1},
	    {"ipc", CLONE_NEWIPC, wanted->ipc, -1},
	    {"uts", CLONE_NEWUTS, wanted->uts, -1},
	    {"cgroup", CLONE_NEWCGROUP, true, -1},
	};

	/* All are opened first: the mount namespace may have another /proc, or none. */
	for (size_t i = 0; i < ARRAY_SIZE(targets); ++i) {
		if (targets[i].wanted)
			open_target(process, pid, &targets[i]);
	}
	joins_user = targets[0].fd >= 0;
	for (size_t i = 0; i < ARRAY_SIZE(targets); ++i) {
		if (targets[i].fd < 0)
			continue;
		if (setns(targets[i].fd, targets[i].type) < 0)
			die_errno("Could not join the %s namespace of process %d", targets[i].name, (int)pid);
		close_fd(&targets[i].fd);
		if (targets[i].type == CLONE_NEWPID)
			(void)fork_into_namespace();
	}
	return joins_user;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(value))
/* If the call is `number`, answer success. */
#define PRETEND(number) EQUAL(number, 0, 1), RETURN(SECCOMP_RET_ERRNO | 0)

void
namespace_filter_calls(void)
{
	struct sock_filter filter[] = {
	    LOAD(arch),
	    /* Calls of other architectures (32-bit) have other numbers: they are left alone. */
	    EQUAL(NATIVE_ARCH, 1, 0),
	    RETURN(SECCOMP_RET_ALLOW),
	    LOAD(nr),
#ifdef SYS_chown
	    PRETEND(SYS_chown),
	    PRETEND(SYS_lchown),
#endif
	    PRETEND(SYS_fchown),
	    PRETEND(SYS_fchownat),
	    PRETEND(SYS_setuid),
	    PRETEND(SYS_setgid),
	    PRETEND(SYS_setreuid),
	    PRETEND(SYS_setregid),
	    PRETEND(SYS_setresuid),
	    PRETEND(SYS_setresgid),
	    PRETEND(SYS_setgroups),
	    /* These two answer with the old id, and -1 only asks for it. */
	    EQUAL(SYS_setfsuid, 2, 0),
	    EQUAL(SYS_setfsgid, 1, 0),
	    RETURN(SECCOMP_RET_ALLOW),
	    LOAD(args[0]),
	    EQUAL(-1, 1, 0),
	    RETURN(SECCOMP_RET_ERRNO | 0),
	    RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = (unsigned short)ARRAY_SIZE(filter), .filter = filter};

#ifndef HARDENED
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0)
		return;
	if (errno != EINVAL)
		die_errno("Could not set a system call filter");
#endif
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		die_errno("Could not set a system call filter");
}

void
namespace_allow_speculation(void)
{
#if !defined(HARDENED) && defined(PR_SET_SPECULATION_CTRL)
	static const unsigned long kinds[] = {PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH};

	/* Where it is not ours to choose, it stays as it is. */
	for (size_t i = 0; i < ARRAY_SIZE(kinds); ++i) {
		int state = prctl(PR_GET_SPECULATION_CTRL, kinds[i], 0, 0, 0);

		if (state > 0 && (state & PR_SPEC_PRCTL) && (state & PR_SPEC_DISABLE))
			(void)prctl(PR_SET_SPECULATION_CTRL, kinds[i], PR_SPEC_ENABLE, 0, 0);
	}
#endif
}
