/* SPDX-License-Identifier: MIT */
/*
 * kernel/files.h -- the file system that people see.
 *
 * One at a time is mounted, on "/".  Thread context; may sleep.
 */
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

#include "kernel/fs/ext2.h"

/* At boot: mount hda1 if there is one, and say what happened. */
void files_init(void);

/* Mount DEVICE.  -EBUSY: something is mounted; and those of ext2_mount(). */
__must_check int files_mount(struct block_device *device, bool read_only);

/* -ENODEV: nothing is mounted; and those of ext2_unmount(). */
__must_check int files_unmount(void);

/*
 * Unmount for a while, for tests that mount the disk themselves, and mount it
 * again.  files_leave(): 0, also if nothing was, or the error of the
 * unmounting; then files_return() does nothing.
 */
__must_check int files_leave(void);
void files_return(void);

/* The machine is about to end: everything to the disk, with a message if that
 * cannot be. */
void files_end(void);

/* The mounted file system, or NULL.  Good until files_unmount(): the shell's thread
 * calls both. */
struct ext2 *files(void);

#endif
