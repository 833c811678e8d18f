/* SPDX-License-Identifier: Apache-2.0 */
/* fstab(5) with enroot's extensions (docs/plan.md): parsing, and mounting below a root. */
#ifndef ENROOT_FSTAB_H
#define ENROOT_FSTAB_H

/*
 * Carries out the entries of `text` (its name: `origin`, for messages) whose pass number is `pass`, in order, targets
 * resolved inside the directory `root`. Ends the program with a message at the first that fails, unless `nofail`.
 */
void fstab_mount(const char *text, const char *origin, const char *root, long pass);

#endif
