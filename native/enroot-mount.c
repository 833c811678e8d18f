/* SPDX-License-Identifier: Apache-2.0 */
/* enroot-mount: mounts what fstab files say, below a root that may be hostile. For hooks and scripts. */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "fstab.h"

#define FSTAB_LIMIT (16U << 20)

struct arguments {
	const char *root;
	long pass;
	char **files;
};

static void
usage(void)
{
	puts("Usage: enroot-mount [--root DIR] [--pass NUM] FSTAB...");
	exit(EXIT_SUCCESS);
}

static struct arguments
parse(int argc, char *argv[])
{
	struct arguments arguments = {.root = "/"};
	int at = 1;

	for (; at + 1 < argc; at += 2) {
		if (strcmp(argv[at], "--root") == 0)
			arguments.root = argv[at + 1];
		else if (strcmp(argv[at], "--pass") == 0) {
			if (!parse_number(argv[at + 1], INT_MIN, INT_MAX, &arguments.pass))
				die("Invalid number: %s", argv[at + 1]);
		} else
			break;
	}
	if (at >= argc)
		usage();
	arguments.files = argv + at;
	return arguments;
}

/* We are in the container's user namespace, mostly with all capabilities: keep those that mounting needs. */
static void
drop_capabilities(void)
{
	const unsigned int keep = 1U << CAP_SYS_ADMIN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		die_errno("Could not read capabilities");
	data[0].permitted &= keep;
	data[0].effective &= keep;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){0};
	if (syscall(SYS_capset, &header, data) < 0)
		die_errno("Could not drop capabilities");
}

int
main(int argc, char *argv[])
{
	struct arguments arguments = parse(argc, argv);

	drop_capabilities();
	for (char **file = arguments.files; *file != NULL; ++file) {
		bool standard = strcmp(*file, "-") == 0;
		cleanup_fd int fd = standard ? dup(STDIN_FILENO) : open(*file, O_RDONLY | O_CLOEXEC);
		struct buffer text = {0};

		if (fd < 0 || read_all(fd, FSTAB_LIMIT, &text) < 0)
			die_errno("Could not read %s", *file);
		fstab_mount(text.data, standard ? "standard input" : *file, arguments.root, arguments.pass);
		free(text.data);
	}
	return EXIT_SUCCESS;
}
