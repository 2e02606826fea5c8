/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/file_operations.h -- the operations of a file system, each with
 * its Nth allocation failing, once and forever.  On a real disk and on the
 * host.
 */
#ifndef TESTS_KERNEL_FILE_OPERATIONS_H
#define TESTS_KERNEL_FILE_OPERATIONS_H

#include "kernel/fs/ext2.h"

struct file_operation {
	const char *name;
	unsigned int least; /* allocations that can be made to fail */
	/* Creates what it needs, on an earlier mount; NULL: nothing. */
	int (*prepare)(struct ext2 *fs);
	/* The same, on its own mount. */
	int (*begin)(struct ext2 *fs);
	/* The operation itself.  *FS is NULL if it mounts or has unmounted. */
	int (*run)(struct block_device *device, struct ext2 **fs);
	/* It has said ERROR: NULL, or what is not as it should be. */
	const char *(*judge)(struct ext2 *fs, int error);
};

extern const struct file_operation file_operation_mount;
extern const struct file_operation file_operation_read;
extern const struct file_operation file_operation_write;
extern const struct file_operation file_operation_unlink;
extern const struct file_operation file_operation_mkdir;
extern const struct file_operation file_operation_truncate;
extern const struct file_operation file_operation_sync;
extern const struct file_operation file_operation_unmount;

/*
 * Do OPERATION on the file system of DEVICE, which is not mounted, with its first,
 * second, ... allocation failing (FOR_EVER: and all later ones), until none
 * does.  AFTER is called after each, with nothing mounted, and returns NULL or
 * an error message.  Nothing is left on the disk.
 */
const char *file_operation_sweep(const struct file_operation *operation,
                                 struct block_device *device, bool forever,
                                 const char *(*after)(void));

/* Eight bytes of a pattern, in the next row of which each is one more: without a carry
 * from one byte into the next. */
static inline uint64_t pattern_next_row(uint64_t bytes)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;

	return ((bytes & low) + 0x0101010101010101ULL) ^ (bytes & ~low);
}

#endif
