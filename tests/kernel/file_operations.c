/* SPDX-License-Identifier: MIT */
#include "tests/kernel/file_operations.h"

#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/page_alloc.h"
#include "tests/suite.h"

/* More allocations than any of them makes. */
#define ALL  300U

/* With blocks of 1 KiB and of 4 KiB there are blocks of numbers. */
#define SIZE 70000U
#define FILE "/fail-file"
#define DIR  "/fail-dir"

/* The file's bytes from AT on, at most MOST of them and as many as there is room for.
 * Byte N is N * 13 + N / 256: so 256 bytes further on each is one more. */
static uint8_t piece[5000];
static_assert(sizeof(piece) % sizeof(uint64_t) == 0, "whole words");

static size_t fill_piece(uint64_t at, size_t most)
{
	size_t room = min(sizeof(piece), SIZE - at);
	size_t length = min(room, most);

	for (size_t i = 0; i < min(length, (size_t)256); i++)
		piece[i] = (uint8_t)((at + i) * 13 + (at + i) / 256);
	for (size_t i = 256; i < length; i += sizeof(uint64_t)) {
		uint64_t bytes;

		__builtin_memcpy(&bytes, piece + i - 256, sizeof(bytes));
		bytes = pattern_next_row(bytes);
		__builtin_memcpy(piece + i, &bytes, sizeof(bytes));
	}
	return length;
}

/* ---- Bits of operations -------------------------------------------------- */

static int file_operations_write_file(struct ext2 *fs)
{
	struct inode *inode;
	int error = ext2_create(fs, FILE, &inode);

	if (error != 0)
		return error;
	for (uint64_t at = 0; at < SIZE && error == 0; at += sizeof(piece)) {
		size_t length = fill_piece(at, sizeof(piece));
		long done = ext2_write(inode, at, piece, length);

		if (done != (long)length)
			error = done < 0 ? (int)done : -ENOMEM;
	}
	ext2_close(inode);
	return error;
}

/*
 * The first SIZE bytes of the file are those of file_operations_write_file().
 */
static int file_operations_read_file(struct ext2 *fs, uint64_t size)
{
	uint8_t part[sizeof(piece) / 5];
	struct inode *inode;
	int error = ext2_open(fs, FILE, &inode);

	if (error != 0)
		return error;
	if (inode->size != size)
		error = -ERANGE;
	/* A short count: the next call returns the error that stopped it. */
	for (uint64_t at = 0; at < size && error == 0;) {
		long done = ext2_read(inode, at, part, sizeof(part));

		if (done > 0)
			fill_piece(at, (size_t)done);
		if (done <= 0)
			error = done < 0 ? (int)done : -EUCLEAN;
		else if (memcmp(part, piece, (size_t)done) != 0)
			error = -EUCLEAN;
		at += (uint64_t)max(done, 0L);
	}
	ext2_close(inode);
	return error;
}

static bool file_operations_has_name(struct ext2 *fs, const char *path)
{
	struct inode *inode;

	if (ext2_open(fs, path, &inode) != 0)
		return false;
	ext2_close(inode);
	return true;
}

static int remove_leftovers(struct ext2 *fs)
{
	int error = ext2_unlink(fs, FILE);

	if (error == 0 || error == -ENOENT)
		error = ext2_rmdir(fs, DIR);
	return error == -ENOENT ? 0 : error;
}

/* ---- The operations ------------------------------------------------------ */

static int file_operations_run_mount(struct block_device *device,
                                     struct ext2 **fs)
{
	return ext2_mount(device, false, fs);
}

const struct file_operation file_operation_mount = {
	.name = "mount",
	.least = 8,
	.run = file_operations_run_mount,
};

static int run_read(struct block_device *device __unused, struct ext2 **fs)
{
	return file_operations_read_file(*fs, SIZE);
}

const struct file_operation file_operation_read = {
	.name = "read",
	.least = 18,
	.prepare = file_operations_write_file,
	.run = run_read,
};

static int file_operations_run_write(struct block_device *device __unused,
                                     struct ext2 **fs)
{
	return file_operations_write_file(*fs);
}

/* Nothing, an empty file, its begin, or all of it. */
static const char *judge_write(struct ext2 *fs, int error)
{
	struct inode *inode;
	uint64_t size;

	if (!file_operations_has_name(fs, FILE))
		return error == 0 ? "there is no file" : NULL;
	if (ext2_open(fs, FILE, &inode) != 0)
		return "the file cannot be opened";
	size = inode->size;
	ext2_close(inode);
	if (error == 0 && size != SIZE)
		return "the file is short";
	return file_operations_read_file(fs, size) == 0
	               ? NULL
	               : "the file has other bytes";
}

const struct file_operation file_operation_write = {
	.name = "write",
	.least = 18,
	.run = file_operations_run_write,
	.judge = judge_write,
};

static int run_unlink(struct block_device *device __unused, struct ext2 **fs)
{
	return ext2_unlink(*fs, FILE);
}

static const char *judge_unlink(struct ext2 *fs, int error)
{
	if (error == 0)
		return file_operations_has_name(fs, FILE)
		               ? "the file is still there"
		               : NULL;
	return file_operations_read_file(fs, SIZE) == 0 ? NULL
	                                                : "the file is damaged";
}

const struct file_operation file_operation_unlink = {
	.name = "unlink",
	.least = 3,
	.prepare = file_operations_write_file,
	.run = run_unlink,
	.judge = judge_unlink,
};

static int file_operations_run_mkdir(struct block_device *device __unused,
                                     struct ext2 **fs)
{
	return ext2_mkdir(*fs, DIR);
}

static const char *judge_mkdir(struct ext2 *fs, int error)
{
	if (file_operations_has_name(fs, DIR) == (error == 0))
		return NULL;
	return error == 0 ? "there is no directory" : "there is a directory";
}

const struct file_operation file_operation_mkdir = {
	.name = "mkdir",
	.least = 3,
	.run = file_operations_run_mkdir,
	.judge = judge_mkdir,
};

static int run_truncate(struct block_device *device __unused, struct ext2 **fs)
{
	struct inode *inode;
	int error = ext2_open(*fs, FILE, &inode);

	if (error != 0)
		return error;
	error = ext2_truncate(inode, 5001);
	ext2_close(inode);
	return error;
}

static const char *judge_truncate(struct ext2 *fs, int error)
{
	return file_operations_read_file(fs, error == 0 ? 5001 : SIZE) == 0
	               ? NULL
	               : "the file is neither whole nor cut";
}

const struct file_operation file_operation_truncate = {
	.name = "truncate",
	.least = 3,
	.prepare = file_operations_write_file,
	.run = run_truncate,
	.judge = judge_truncate,
};

static int file_operations_run_sync(struct block_device *device __unused,
                                    struct ext2 **fs)
{
	return ext2_sync(*fs);
}

/* Writing allocates nothing: nothing can fail. */
const struct file_operation file_operation_sync = {
	.name = "sync",
	.begin = file_operations_write_file,
	.run = file_operations_run_sync,
};

static int run_unmount(struct block_device *device __unused, struct ext2 **fs)
{
	int error = ext2_unmount(*fs);

	if (error != -EBUSY)
		*fs = NULL;
	return error;
}

const struct file_operation file_operation_unmount = {
	.name = "unmount",
	.begin = file_operations_write_file,
	.run = run_unmount,
};

/* ---- Trying -------------------------------------------------------------- */

static const char *before_mount(const struct file_operation *operation,
                                struct block_device *device)
{
	struct ext2 *fs;

	if (ext2_mount(device, false, &fs) != 0)
		return "it cannot be mounted before";
	if (remove_leftovers(fs) != 0)
		return "what was left behind cannot be removed";
	if (operation->prepare != NULL && operation->prepare(fs) != 0)
		return "it cannot be prepared";
	return ext2_unmount(fs) == 0 ? NULL : "it cannot be unmounted before";
}

/* With allocation NTH failing; *HIT: one did. */
static const char *run_with(const struct file_operation *operation,
                            struct block_device *device, struct ext2 **fs,
                            unsigned int nth, bool forever, bool *hit)
{
	struct thread *self = current_thread();
	int error;

	if (operation->run != file_operations_run_mount &&
	    ext2_mount(device, false, fs) != 0)
		return "it cannot be mounted";
	if (operation->begin != NULL && operation->begin(*fs) != 0)
		return "it cannot be begun";
	fail_nth_set(self, nth, forever);
	error = operation->run(device, fs);
	*hit = fail_nth_failed(self) > 0;
	fail_nth_set(self, 0, false);
	if (error != 0 && error != -ENOMEM)
		return test_failure("it says %d", error);
	if (error != 0 && !*hit)
		return "it fails although no allocation did";
	return operation->judge == NULL ? NULL : operation->judge(*fs, error);
}

static const char *
file_operations_attempt(const struct file_operation *operation,
                        struct block_device *device, unsigned int nth,
                        bool forever, bool *hit)
{
	struct ext2 *fs = NULL;
	const char *broken = before_mount(operation, device);

	if (broken == NULL)
		broken = run_with(operation, device, &fs, nth, forever, hit);
	if (fs != NULL && ext2_unmount(fs) != 0 && broken == NULL)
		broken = "it cannot be unmounted afterwards";
	return broken;
}

static const char *clean_up(struct block_device *device)
{
	static const struct file_operation nothing;

	return before_mount(&nothing, device);
}

const char *file_operation_sweep(const struct file_operation *operation,
                                 struct block_device *device, bool forever,
                                 const char *(*after)(void))
{
	struct fault_attr *attr = &main_node()->fail_page_alloc;
	unsigned int verbose = attr->verbose;
	const char *broken = NULL;
	unsigned int nth = 0;
	bool hit = true;

	attr->verbose = 0;
	while (broken == NULL && hit && nth++ < ALL) {
		broken = file_operations_attempt(operation, device, nth,
		                                 forever, &hit);
		if (broken == NULL)
			broken = after();
		if (broken != NULL)
			test_note("%s, allocation %u fails%s: %s",
			          operation->name, nth,
			          forever ? " forever" : "", broken);
	}
	attr->verbose = verbose;
	if (broken == NULL)
		broken = clean_up(device);
	if (broken != NULL)
		return broken;
	test_note("%s: %u allocations%s", operation->name, nth - 1,
	          forever ? ", and all behind" : "");
	if (nth > ALL || (!forever && nth - 1 < operation->least))
		return test_failure("%u allocations could fail", nth - 1);
	return NULL;
}
