/* SPDX-License-Identifier: Apache-2.0 */
/* Starting an image as it is: squashfuse below, an overlay in memory above. */
#ifndef ENROOT_IMAGE_H
#define ENROOT_IMAGE_H

struct image {
	const char *file;	     /* the squashfs image */
	const char *squashfuse;	     /* program */
	const char *fuse_overlayfs;  /* program; NULL: the kernel's overlayfs */
	const char *directory;	     /* with lower, upper and work in it; becomes the root file system */
};

/*
 * Mounts the image. Its servers end when this process, whatever it executes meanwhile, does.
 * Ends the program with a message when something fails.
 */
void image_mount(const struct image *image);

#endif
