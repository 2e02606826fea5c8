// SPDX-License-Identifier: MIT
/*
 * tests/kernel/test_fail_files.c -- files on a real disk, with each allocation
 * failing in turn.
 *
 * After each attempt as many pages are in use as before the mount.
 */
#include "kernel/refiller.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/file_operations.h"
#include "tests/suite.h"

SUITE(fail_files);

static unsigned long used_before;

static const char *nothing_leaks(void)
{
	unsigned long used = pages_not_free();

	return used == used_before
	               ? NULL
	               : test_failure("%lu pages not free before, %lu now",
	                              used_before, used);
}

static const char *kernel_fail_files_try(const struct file_operation *operation)
{
	struct block_device *device = block_find("hda1");
	const char *broken;

	if (device == NULL)
		SKIP("disk");
	used_before = pages_not_free();
	broken = file_operation_sweep(operation, device, false, nothing_leaks);
	if (broken != NULL)
		return broken;
	return file_operation_sweep(operation, device, true, nothing_leaks);
}

CASE(fail_files, mount_survives)
{
	return kernel_fail_files_try(&file_operation_mount);
}

CASE(fail_files, read_survives)
{
	return kernel_fail_files_try(&file_operation_read);
}

CASE(fail_files, write_survives)
{
	return kernel_fail_files_try(&file_operation_write);
}

CASE(fail_files, unlink_survives)
{
	return kernel_fail_files_try(&file_operation_unlink);
}

CASE(fail_files, mkdir_survives)
{
	return kernel_fail_files_try(&file_operation_mkdir);
}

CASE(fail_files, truncate_survives)
{
	return kernel_fail_files_try(&file_operation_truncate);
}

CASE(fail_files, sync_allocates_nothing)
{
	return kernel_fail_files_try(&file_operation_sync);
}

CASE(fail_files, unmount_allocates_nothing)
{
	return kernel_fail_files_try(&file_operation_unmount);
}
