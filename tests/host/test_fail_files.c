// SPDX-License-Identifier: MIT
/*
 * tests/host/test_fail_files.c -- files with each allocation failing in turn,
 * e2fsck after each.
 */
#include "tests/host/ext2_image.h"
#include "tests/kernel/file_operations.h"
#include "tests/suite.h"

SUITE(fail_files_host);

static unsigned long free_before;

static const char *clean_and_nothing_leaks(void)
{
	EXPECT_EQUAL(node_free(image.node), free_before);
	return image_check();
}

static const char *test_fail_files_try(const struct file_operation *operation)
{
	TRY(image_make("-b 1024", 1024));
	image_attach(IMAGE_PAGES);
	free_before = node_free(image.node);
	TRY(file_operation_sweep(operation, image.device, false,
	                         clean_and_nothing_leaks));
	TRY(file_operation_sweep(operation, image.device, true,
	                         clean_and_nothing_leaks));
	image_detach();
	return image_check();
}

CASE(fail_files_host, mount_stays_clean)
{
	return test_fail_files_try(&file_operation_mount);
}

CASE(fail_files_host, read_stays_clean)
{
	return test_fail_files_try(&file_operation_read);
}

CASE(fail_files_host, write_stays_clean)
{
	return test_fail_files_try(&file_operation_write);
}

CASE(fail_files_host, unlink_stays_clean)
{
	return test_fail_files_try(&file_operation_unlink);
}

CASE(fail_files_host, mkdir_stays_clean)
{
	return test_fail_files_try(&file_operation_mkdir);
}

CASE(fail_files_host, truncate_stays_clean)
{
	return test_fail_files_try(&file_operation_truncate);
}

CASE(fail_files_host, sync_and_unmount_allocate_nothing)
{
	TRY(test_fail_files_try(&file_operation_sync));
	return test_fail_files_try(&file_operation_unmount);
}
