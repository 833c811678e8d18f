/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the parsers of enroot-zfs-mount with mutated inputs and checks what callers rely on. Built with sanitizers, which
 * end it at any misuse of memory. Usage: zfsstore-fuzz SEED ROUNDS
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zfsstore.h"

static const char *const seeds[] = {
    "tank/enroot/name",
    "a-b.c:d+e/.templates/0123456789abcdef",
    "tank/enroot/ubuntu:2B22.04/:2E:2F:41:00:7F:C3:A9",
    "ENROOT_DATA_PATH /tank/enroot\n# comment\nENROOT_DATA_PATH=/other\n",
    "ENROOT_DATA_PATH\t= \"/tank/${USER}/$UID/$(id -u)/$HOME\" \r\n",
    "\nENROOT_DATA_PATH_MORE /no\n  ENROOT_DATA_PATH $HOME/store",
    "36 35 98:0 /mnt1 /mnt2\\040x rw,noatime master:1 shared:2 - zfs tank/enroot\\134x rw,errors=continue\n"
    "37 36 0:31 / /tank/enroot rw - zfs tank/enroot rw\n",
    "ENROOT_DATA_PATH /../..//./",
};

static uint64_t state;

static uint32_t
next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* A seed, with bytes changed, cut, doubled and filled up, in memory of exactly its size. */
static char *
make_input(void)
{
	static const char odd[] = "/.@$\\{}()\"' \t\n\r=:-+0127%\x01\x7f\xff";
	const char *seed = seeds[next() % (sizeof(seeds) / sizeof(*seeds))];
	size_t length = strlen(seed), extra = next() % 64 == 0 ? next() % 9000 : 0;
	char *input = malloc(length + extra + 1);

	assert(input != NULL);
	memcpy(input, seed, length);
	for (uint32_t count = next() % 6; count > 0; --count)
		input[next() % length] = next() % 2 ? odd[next() % (sizeof(odd) - 1)] : (char)(next() % 255 + 1);
	if (next() % 4 == 0)
		length = next() % (length + 1);
	if (next() % 4 == 0 && length > 1)
		memmove(input, input + length / 2, length - length / 2);
	memset(input + length, next() % 2 ? '/' : 'x', extra);
	input[length + extra] = '\0';
	return realloc(input, length + extra + 1);
}

static void
check_dataset(const char *input)
{
	if (dataset_valid(input)) {
		assert(strlen(input) <= DATASET_LIMIT && *input != '/' && *input != '-');
		assert(strstr(input, "..") == NULL || strstr(input, "/../") == NULL);
		assert(strpbrk(input, "@#% \t\n\\$;'\"") == NULL && strstr(input, "//") == NULL);
	}
	const char *below = dataset_below("tank/enroot", input);

	assert(below == NULL || (strncmp(input, "tank/enroot/", 12) == 0 && *below != '\0'));
	char place[DATASET_LIMIT + 1];

	if (dataset_valid(input) && dataset_place(input, place)) {
		char framed[DATASET_LIMIT + 3];

		snprintf(framed, sizeof(framed), "/%s/", place);
		assert(strlen(place) <= strlen(input) && strstr(framed, "//") == NULL);
		assert(strstr(framed, "/./") == NULL && strstr(framed, "/../") == NULL);
	}
}

static void
check_path(const char *input)
{
	static char path[PATH_MAX];
	static char home[PATH_MAX + 10];
	struct caller caller = {.uid = 4294967294UL, .name = next() % 4 ? "user" : NULL, .home = "/home/user"};

	if (next() % 16 == 0) {
		memset(home, '/', sizeof(home) - 1);
		caller.home = home;
	}
	if (store_path(input, &caller, path) != SETTING_FOUND)
		return;
	assert(*path == '/' && path[1] != '\0' && strlen(path) < PATH_MAX && path[strlen(path) - 1] != '/');
	assert(strstr(path, "//") == NULL && strstr(path, "/../") == NULL && strpbrk(path, "$`\\\"' \n") == NULL);
}

static void
check_mounts(const char *input)
{
	static struct mount_line mount;

	if (mount_by_id(input, 37, &mount))
		assert(mount.id == 37 && strlen(mount.source) < PATH_MAX && *mount.type != '\0');
	if (mount_by_dataset(input, "tank/enroot", &mount))
		assert(strcmp(mount.type, "zfs") == 0 && strcmp(mount.source, "tank/enroot") == 0);
}

int
main(int argc, char *argv[])
{
	assert(argc == 3);
	state = strtoull(argv[1], NULL, 10) * 2 + 1;
	for (long rounds = strtol(argv[2], NULL, 10); rounds > 0; --rounds) {
		char *input = make_input();

		check_dataset(input);
		check_path(input);
		check_mounts(input);
		free(input);
	}
	puts("done");
	return EXIT_SUCCESS;
}
