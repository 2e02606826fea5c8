// SPDX-License-Identifier: MIT
/*
 * tests/kernel/test_files.c -- files on a real disk, with threads and interrupts.
 *
 * hda1 is a file system of mke2fs.  Each case mounts it, and leaves nothing on it
 * and no page in use.
 */
#include "kernel/core/printk.h"
#include "kernel/fs/ext2.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/page_writeback.h"
#include "mm/reclaim/reclaim.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/file_operations.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

SUITE(files);

SUITE_OBJECT(struct space, main_space);

#define SIZE  60000U
#define CHUNK 500U

static uint8_t byte_of(unsigned int file, unsigned int at)
{
	return (uint8_t)(at * 7 + at / 256 + file * 31);
}

static int test_files_write_file(struct ext2 *fs, const char *path,
                                 unsigned int file)
{
	uint8_t bytes[CHUNK];
	struct inode *inode;
	int error = ext2_create(fs, path, &inode);

	if (error != 0)
		return error;
	for (unsigned int at = 0; at < SIZE && error == 0; at += CHUNK) {
		for (unsigned int i = 0; i < CHUNK; i++)
			bytes[i] = byte_of(file, at + i);
		if (ext2_write(inode, at, bytes, CHUNK) != CHUNK)
			error = -EIO;
	}
	ext2_close(inode);
	return error;
}

/* 0: it has the bytes that test_files_write_file() wrote. */
static int check_file(struct ext2 *fs, const char *path, unsigned int file)
{
	uint8_t bytes[CHUNK];
	struct inode *inode;
	int error = ext2_open(fs, path, &inode);

	if (error != 0)
		return error;
	if (inode->size != SIZE)
		error = -ERANGE;
	for (unsigned int at = 0; at < SIZE && error == 0; at += CHUNK) {
		if (ext2_read(inode, at, bytes, CHUNK) != CHUNK)
			error = -EIO;
		for (unsigned int i = 0; i < CHUNK && error == 0; i++) {
			if (bytes[i] != byte_of(file, at + i))
				error = -EUCLEAN;
		}
	}
	ext2_close(inode);
	return error;
}

CASE(files, what_was_written_is_there_after_mounting_again)
{
	struct block_device *device = block_find("hda1");
	struct ext2_usage before;
	struct ext2_usage after;
	struct ext2 *fs;

	if (device == NULL)
		SKIP("disk");
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	ext2_usage(fs, &before);
	EXPECT_EQUAL(ext2_mkdir(fs, "/selftest"), 0);
	EXPECT_EQUAL(test_files_write_file(fs, "/selftest/one", 1), 0);
	EXPECT_EQUAL(ext2_unmount(fs), 0);
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	EXPECT_EQUAL(check_file(fs, "/selftest/one", 1), 0);
	EXPECT_EQUAL(-ext2_rmdir(fs, "/selftest"), ENOTEMPTY);
	EXPECT_EQUAL(ext2_unlink(fs, "/selftest/one"), 0);
	EXPECT_EQUAL(ext2_rmdir(fs, "/selftest"), 0);
	ext2_usage(fs, &after);
	EXPECT_EQUAL(after.free_blocks, before.free_blocks);
	EXPECT_EQUAL(after.free_inodes, before.free_inodes);
	EXPECT(!after.errors);
	EXPECT_EQUAL(ext2_unmount(fs), 0);
	return NULL;
}

#define WRITERS 3

struct writer {
	struct ext2 *fs;
	unsigned int number;
	int error;
};

static void write_and_check(void *argument)
{
	struct writer *writer = argument;
	char path[32];

	scnprintf(path, sizeof(path), "/selftest-%u", writer->number);
	writer->error = test_files_write_file(writer->fs, path, writer->number);
	if (writer->error == 0)
		writer->error = ext2_sync(writer->fs);
	if (writer->error == 0)
		writer->error = check_file(writer->fs, path, writer->number);
	if (writer->error == 0)
		writer->error = ext2_unlink(writer->fs, path);
}

CASE(files, threads_write_at_the_same_time)
{
	struct block_device *device = block_find("hda1");
	struct writer writer[WRITERS];
	struct thread *thread[WRITERS];
	struct ext2 *fs;

	if (device == NULL)
		SKIP("disk");
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	for (unsigned int i = 0; i < WRITERS; i++) {
		writer[i] = (struct writer){ .fs = fs, .number = i };
		thread[i] =
			thread_create("writer", write_and_check, &writer[i]);
	}
	for (unsigned int i = 0; i < WRITERS; i++) {
		if (thread[i] != NULL)
			thread_join(thread[i]);
	}
	EXPECT_EQUAL(ext2_unmount(fs), 0);
	for (unsigned int i = 0; i < WRITERS; i++) {
		EXPECT(thread[i] != NULL);
		EXPECT_EQUAL(-writer[i].error, 0);
	}
	return NULL;
}

/* ---- Pressure ------------------------------------------------------------ */

/* Pages free for the file, and pages that it has. */
#define ROOM  500UL
#define LARGE 1200U

static unsigned long test_files_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

static unsigned long test_files_reclaim_with(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];

	if (gfp_decode(mask, 0, &context, &request, why, sizeof(why)) != GFP_OK)
		return 0;
	return test_direct_reclaim(main_node(), &request);
}

static unsigned long reclaim_all(gfp_t mask)
{
	unsigned long freed = 0;
	unsigned long more;

	while ((more = test_files_reclaim_with(mask)) > 0)
		freed += more;
	return freed;
}

struct large {
	uint8_t bytes[PAGE_SIZE]; /* of one of its pages */
	uint8_t found[PAGE_SIZE];
};

SUITE_OBJECT(struct large, large);

/* 256 bytes in each row; the next row is one more. */
static void fill_large(unsigned int page)
{
	uint64_t *row = (uint64_t *)large->bytes;

	for (unsigned int i = 0; i < 256; i++)
		large->bytes[i] = byte_of(page, i);
	for (unsigned int at = 32; at < PAGE_SIZE / sizeof(*row); at++)
		row[at] = pattern_next_row(row[at - 32]);
}

/* 0: LARGE pages are written. */
static int write_large(struct inode *inode)
{
	for (unsigned int i = 0; i < LARGE; i++) {
		long done;

		fill_large(i);
		done = ext2_write(inode, (uint64_t)i * PAGE_SIZE, large->bytes,
		                  PAGE_SIZE);
		if (done != (long)PAGE_SIZE)
			return done < 0 ? (int)done : -EIO;
	}
	return 0;
}

static int check_large(struct inode *inode)
{
	for (unsigned int i = 0; i < LARGE; i++) {
		fill_large(i);
		if (ext2_read(inode, (uint64_t)i * PAGE_SIZE, large->found,
		              PAGE_SIZE) != (long)PAGE_SIZE)
			return -EIO;
		if (memcmp(large->found, large->bytes, PAGE_SIZE) != 0)
			return -EUCLEAN;
	}
	return 0;
}

/* With hardly any memory: write a file that is larger, read it, and reclaim with
 * and without FS.  The first error. */
static int work_under_pressure(struct ext2 *fs, unsigned long *nofs_freed)
{
	unsigned long skipped = test_files_event(VMSTAT_reclaim_nofs_skipped);
	struct inode *inode;
	int error = ext2_create(fs, "/large", &inode);

	if (error != 0)
		return error;
	error = write_large(inode);
	if (error == 0)
		error = check_large(inode);
	if (error == 0)
		error = ext2_sync(fs);
	/* The last rounds ask for the few idle inodes, too. */
	*nofs_freed = reclaim_all(GFP_NOFS);
	if (test_files_event(VMSTAT_reclaim_nofs_skipped) == skipped)
		error = -ERANGE;
	reclaim_all(GFP_KERNEL);
	ext2_close(inode);
	return error != 0 ? error : ext2_unlink(fs, "/large");
}

CASE(files, file_larger_than_memory_is_written_reclaimed_and_read)
{
	struct block_device *device = block_find("hda1");
	unsigned long stolen = test_files_event(VMSTAT_pgsteal_file);
	unsigned long throttled = test_files_event(VMSTAT_dirty_throttle);
	unsigned long flushed = test_files_event(VMSTAT_flusher_write);
	unsigned long direct = test_files_event(VMSTAT_pgsteal_direct);
	unsigned long nofs_freed = 0;
	struct drained drained;
	struct ext2 *fs;
	int error;

	if (device == NULL)
		SKIP("disk");
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	set_small_marks();
	leave_room(&drained, ROOM);
	error = work_under_pressure(fs, &nofs_freed);
	restore_room(&drained);
	EXPECT_EQUAL(ext2_unmount(fs), 0);
	EXPECT_EQUAL(-error, 0);
	test_note("%lu pages reclaimed, %lu of them directly; a writer waited "
	          "%lu times, the flusher wrote %lu",
	          test_files_event(VMSTAT_pgsteal_file) - stolen,
	          test_files_event(VMSTAT_pgsteal_direct) - direct,
	          test_files_event(VMSTAT_dirty_throttle) - throttled,
	          test_files_event(VMSTAT_flusher_write) - flushed);
	EXPECT(test_files_event(VMSTAT_pgsteal_file) - stolen >
	       2 * (LARGE - ROOM));
	EXPECT(test_files_event(VMSTAT_flusher_write) > flushed);
	EXPECT(nofs_freed >= SWAP_CLUSTER_MAX);
	EXPECT(test_files_event(VMSTAT_reclaim_fs) > 0);
	EXPECT_EQUAL(test_files_event(VMSTAT_reclaim_fs_nofs), 0);
	return NULL;
}

/* Two pages in a hundred may be dirty: the writer is faster than the disk. */
CASE(files, writer_above_the_limit_waits_for_the_flusher)
{
	struct block_device *device = block_find("hda1");
	struct node *node = main_node();
	unsigned long ratio = node->writeback.dirty_ratio;
	unsigned long throttled = test_files_event(VMSTAT_dirty_throttle);
	unsigned long flushed = test_files_event(VMSTAT_flusher_write);
	struct drained drained;
	struct inode *inode;
	struct ext2 *fs;
	int error;

	if (device == NULL)
		SKIP("disk");
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	set_small_marks();
	leave_room(&drained, ROOM);
	WRITE_ONCE(node->writeback.dirty_ratio, 2);
	error = ext2_create(fs, "/large", &inode);
	if (error == 0) {
		error = write_large(inode);
		ext2_close(inode);
	}
	WRITE_ONCE(node->writeback.dirty_ratio, ratio);
	restore_room(&drained);
	if (error == 0)
		error = ext2_unlink(fs, "/large");
	EXPECT_EQUAL(ext2_unmount(fs), 0);
	EXPECT_EQUAL(-error, 0);
	test_note("a writer waited %lu times, the flusher wrote %lu pages",
	          test_files_event(VMSTAT_dirty_throttle) - throttled,
	          test_files_event(VMSTAT_flusher_write) - flushed);
	EXPECT(test_files_event(VMSTAT_dirty_throttle) > throttled);
	EXPECT(test_files_event(VMSTAT_flusher_write) > flushed);
	return NULL;
}

static struct page *scratch;
static struct block_device *swap_like;

static unsigned long test_files_free_slots(void)
{
	return main_space->slots;
}

/* Use the disk like a page on its way to swap, but overwrite nothing. */
static void test_files_use_the_disk(void)
{
	if (block_read_page(swap_like, 0, scratch) != 0)
		pr_err("files: hda cannot be read\n");
}

CASE(files, noio_reclaim_begins_no_io_and_kernel_reclaim_does)
{
	struct node *node = main_node();
	unsigned long (*free_swap)(void) = node->reclaim.free_swap;
	unsigned long io = test_files_event(VMSTAT_reclaim_io);
	unsigned long kernel_freed;
	unsigned long noio_io;

	swap_like = block_find("hda");
	if (swap_like == NULL)
		SKIP("disk");
	scratch = alloc_page(GFP_KERNEL);
	EXPECT(scratch != NULL);
	space_init(main_space, SPACE_ANON);
	main_space->slots = 100;
	main_space->begin_write = test_files_use_the_disk;
	reclaim_set_swap(node, test_files_free_slots);
	space_fill(main_space, GFP_KERNEL, 80);
	test_files_reclaim_with(GFP_NOIO);
	noio_io = test_files_event(VMSTAT_reclaim_io) - io;
	kernel_freed = test_files_reclaim_with(GFP_NOFS);
	reclaim_set_swap(node, free_swap);
	space_clear(main_space);
	__free_page(scratch);
	EXPECT_EQUAL(noio_io, 0);
	EXPECT(kernel_freed >= SWAP_CLUSTER_MAX);
	EXPECT(test_files_event(VMSTAT_reclaim_io) - io >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(test_files_event(VMSTAT_reclaim_io_noio), 0);
	return NULL;
}
