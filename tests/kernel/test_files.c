// SPDX-License-Identifier: MIT
/*
 * tests/kernel/test_files.c -- files on a real disk, with threads and interrupts.
 *
 * hda1 is a file system of mke2fs.  Each case mounts it, and leaves nothing on it
 * and no page in use.
 */
#include "kernel/fs/ext2.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "tests/suite.h"

SUITE(files);

#define SIZE  60000U
#define CHUNK 500U

static uint8_t byte_of(unsigned int file, unsigned int at)
{
	return (uint8_t)(at * 7 + at / 256 + file * 31);
}

static int write_file(struct ext2 *fs, const char *path, unsigned int file)
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

/* 0: it has the bytes that write_file() wrote. */
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
	struct ext2_usage before, after;
	struct ext2 *fs;

	if (device == NULL)
		SKIP("disk");
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	ext2_usage(fs, &before);
	EXPECT_EQUAL(ext2_mkdir(fs, "/selftest"), 0);
	EXPECT_EQUAL(write_file(fs, "/selftest/one", 1), 0);
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
	writer->error = write_file(writer->fs, path, writer->number);
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
