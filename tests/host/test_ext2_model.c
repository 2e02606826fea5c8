// SPDX-License-Identifier: MIT
/*
 * tests/host/test_ext2_model.c -- random operations, compared with a naive model.
 *
 * The model of a file is an array of bytes; of the file system, an array of files
 * that exist or not.  The disk is so small that it is often full, and pages and
 * inodes are taken away at any time.  e2fsck looks in between.  The seed is
 * printed, and taken by --seed.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/format.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/shrinker.h"
#include "tests/host/ext2_image.h"
#include "tests/suite.h"

SUITE(ext2_model);

#define FILES   10
#define LARGEST 400000U
#define PIECE   20000U

static struct random dice;

static struct {
	bool exists;
	size_t size;
	uint8_t bytes[LARGEST];
} model[FILES];

static unsigned int test_ext2_model_below(unsigned int bound)
{
	return (unsigned int)random_below(&dice, bound);
}

static const char *test_ext2_model_path_of(unsigned int file)
{
	static char path[40];

	scnprintf(path, sizeof(path), "/dir-%u/file-%u", file % 3, file);
	return path;
}

/* Small sizes and offsets are as likely as large ones. */
static unsigned int some_size(unsigned int bound)
{
	return test_ext2_model_below(1U << (1 + test_ext2_model_below(19))) %
	       bound;
}

/* ---- Operations ---------------------------------------------------------- */

static const char *test_ext2_model_create(unsigned int file)
{
	struct inode *inode;
	int error =
		ext2_create(image.fs, test_ext2_model_path_of(file), &inode);

	if (error == -ENOSPC && !model[file].exists)
		return NULL;
	WORKS(error);
	ext2_close(inode);
	if (!model[file].exists)
		model[file].size = 0;
	model[file].exists = true;
	return NULL;
}

static const char *test_ext2_model_write(unsigned int file, struct inode *inode)
{
	static uint8_t bytes[PIECE];
	unsigned int at = some_size(LARGEST - PIECE);
	unsigned int size = 1 + some_size(PIECE - 1);
	long done;

	for (unsigned int i = 0; i < size; i++)
		bytes[i] = (uint8_t)random_next(&dice);
	done = ext2_write(inode, at, bytes, size);
	if (done == -ENOSPC)
		return NULL;
	if (done <= 0 || done > (long)size)
		return test_failure("a write of %u is %ld", size, done);
	if (at > model[file].size)
		memset(model[file].bytes + model[file].size, 0,
		       at - model[file].size);
	memcpy(model[file].bytes + at, bytes, (size_t)done);
	model[file].size = max(model[file].size, at + (size_t)done);
	return NULL;
}

static const char *truncate(unsigned int file, struct inode *inode)
{
	unsigned int size = some_size(LARGEST);

	WORKS(ext2_truncate(inode, size));
	if (size > model[file].size)
		memset(model[file].bytes + model[file].size, 0,
		       size - model[file].size);
	model[file].size = size;
	return NULL;
}

static const char *read(unsigned int file, struct inode *inode)
{
	static uint8_t bytes[PIECE];
	unsigned int at = some_size(LARGEST);
	unsigned int size = some_size(PIECE);
	size_t end = min((size_t)at + size, model[file].size);
	long wanted = end > at ? (long)(end - at) : 0;

	EXPECT_EQUAL(inode->size, model[file].size);
	EXPECT_EQUAL(ext2_read(inode, at, bytes, size), wanted);
	for (long i = 0; i < wanted; i++) {
		if (bytes[i] != model[file].bytes[(long)at + i])
			return test_failure("%s: byte %ld is %#x, not %#x",
			                    test_ext2_model_path_of(file),
			                    (long)at + i, bytes[i],
			                    model[file].bytes[(long)at + i]);
	}
	return NULL;
}

static const char *test_ext2_model_change(unsigned int file, unsigned int what)
{
	const char *answer;
	struct inode *inode;
	int error = ext2_open(image.fs, test_ext2_model_path_of(file), &inode);

	if (!model[file].exists) {
		EXPECT_EQUAL(-error, ENOENT);
		return NULL;
	}
	WORKS(error);
	if (what < 8)
		answer = test_ext2_model_write(file, inode);
	else if (what < 10)
		answer = truncate(file, inode);
	else
		answer = read(file, inode);
	ext2_close(inode);
	return answer;
}

static const char *test_ext2_model_remove_file(unsigned int file)
{
	EXPECT_EQUAL(-ext2_unlink(image.fs, test_ext2_model_path_of(file)),
	             model[file].exists ? 0 : ENOENT);
	model[file].exists = false;
	return NULL;
}

static void press(void)
{
	if (test_ext2_model_below(2) == 0)
		shrink_slab(image.node, GFP_KERNEL, 0);
	else
		filemap_forget(&image.fs->meta);
}

static const char *mount_again(void)
{
	TRY(image_unmount());
	TRY(image_check());
	return image_mount();
}

static const char *test_ext2_model_step(void)
{
	unsigned int file = test_ext2_model_below(FILES);
	unsigned int what = test_ext2_model_below(20);

	if (what < 14)
		return test_ext2_model_change(file, what);
	if (what < 16)
		return test_ext2_model_create(file);
	if (what == 16)
		return test_ext2_model_below(3) == 0
		               ? test_ext2_model_remove_file(file)
		               : NULL;
	if (what == 17)
		press();
	if (what == 18)
		WORKS(ext2_sync(image.fs));
	if (what == 19 && test_ext2_model_below(12) == 0)
		return mount_again();
	return NULL;
}

static const char *run(const char *options, unsigned int steps)
{
	struct inode *inode;
	char path[20];

	memset(model, 0, sizeof(model));
	TRY(image_start(options, 1400));
	for (unsigned int i = 0; i < 3; i++) {
		scnprintf(path, sizeof(path), "/dir-%u", i);
		WORKS(ext2_mkdir(image.fs, path));
	}
	for (unsigned int i = 0; i < steps; i++)
		TRY(test_ext2_model_step());
	TRY(mount_again());
	for (unsigned int file = 0; file < FILES; file++) {
		if (!model[file].exists)
			continue;
		WORKS(ext2_open(image.fs, test_ext2_model_path_of(file),
		                &inode));
		for (unsigned int i = 0; i < 40; i++)
			TRY(read(file, inode));
		ext2_close(inode);
	}
	return image_finish();
}

CASE(ext2_model, files_do_what_arrays_do)
{
	dice = (struct random){ test_seed() };
	TRY(run("-b 1024", 1200));
	TRY(run("-b 2048 -g 512 -O ^resize_inode", 800));
	return run("-b 4096", 800);
}
