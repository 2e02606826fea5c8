// SPDX-License-Identifier: MIT
/*
 * kernel/files.c -- the file system that people see.
 */
#include "kernel/files.h"

#include "kernel/core/printk.h"
#include "lib/errno.h"

#define BOOT_DEVICE "hda1"

static struct ext2 *mounted;

/* The device that files_return() mounts; NULL: none. */
static struct block_device *left;
static bool left_read_only;

struct ext2 *files(void)
{
	return mounted;
}

int files_mount(struct block_device *device, bool read_only)
{
	struct ext2_usage usage;
	int error;

	if (mounted != NULL)
		return -EBUSY;
	error = ext2_mount(device, read_only, &mounted);
	if (error != 0)
		return error;
	ext2_usage(mounted, &usage);
	pr_info("ext2: %s mounted%s: %u of %u blocks of %u bytes free\n",
	        device->name, usage.read_only ? " read-only" : "",
	        usage.free_blocks, usage.blocks, usage.block_size);
	return 0;
}

int files_unmount(void)
{
	int error;

	if (mounted == NULL)
		return -ENODEV;
	error = ext2_unmount(mounted);
	if (error != -EBUSY)
		mounted = NULL;
	return error;
}

int files_leave(void)
{
	struct ext2_usage usage;
	int error;

	left = NULL;
	if (mounted == NULL)
		return 0;
	ext2_usage(mounted, &usage);
	left_read_only = usage.read_only;
	left = block_find(ext2_device_name(mounted));
	error = files_unmount();
	if (error != 0)
		left = NULL;
	return error;
}

void files_return(void)
{
	int error = left == NULL ? 0 : files_mount(left, left_read_only);

	if (error != 0)
		pr_warn("files: %s cannot be mounted again: error %d\n",
		        left->name, -error);
	left = NULL;
}

void files_init(void)
{
	struct block_device *device = block_find(BOOT_DEVICE);
	int error;

	if (device == NULL) {
		pr_info("files: there is no %s, so there are no files\n",
		        BOOT_DEVICE);
		return;
	}
	error = files_mount(device, false);
	if (error != 0)
		pr_warn("files: %s cannot be mounted: error %d\n", BOOT_DEVICE,
		        -error);
}

void files_end(void)
{
	int error = files_unmount();

	if (error != 0 && error != -ENODEV)
		pr_err("files: error %d while unmounting\n", -error);
}
