// SPDX-License-Identifier: MIT
/*
 * tests/host/test_ext2_damage.c -- disks that lie, fail, or come at a bad time: inodes,
 * directories, requests that fail, no memory, reclaim.
 *
 * Whatever a disk says, the answer is an error: no fault (the sanitizers watch),
 * no endless walk, and nothing is written where it must not be.
 */
#include "tests/host/test_ext2_damage.h"

#include "lib/format.h"
#include "lib/random.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "tests/suite.h"

SUITE(ext2_damage);

struct ext2_super_block damage_read_super(void)
{
	struct ext2_super_block super;

	image_peek(EXT2_SUPER_BYTE, &super, sizeof(super));
	return super;
}

long damage_inode_at(uint32_t number)
{
	struct ext2_group group;

	image_peek(2048, &group, sizeof(group));
	return (long)group.inode_table * 1024 +
	       (long)(number - 1) * damage_read_super().inode_size;
}

uint32_t damage_peek32(long offset)
{
	uint32_t value;

	image_peek(offset, &value, sizeof(value));
	return value;
}

const char *damage_mount_ends_with(int error)
{
	image_attach(512);
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), error);
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return NULL;
}

/* ---- Inodes and their blocks --------------------------------------------- */

/* An image of one group with one file, inode 12, of 400 blocks. */
static const char *make_one_file(void)
{
	TRY(image_start("-b 1024", 2048));
	WORKS(image_write("/file", 1, 400 * 1024));
	return image_finish();
}

/* As if nobody had noted an error yet. */
static const char *attach_and_mount(void)
{
	image_poke16(SUPER(state), EXT2_STATE_CLEAN);
	image_attach(IMAGE_PAGES);
	return image_mount();
}

static const char *end_damaged(void)
{
	TRY(image_unmount());
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	EXPECT(damage_read_super().state & EXT2_STATE_ERRORS);
	return NULL;
}

static const char *try_everything_on(const char *path)
{
	uint8_t bytes[3000];
	struct inode *inode;

	if (ext2_open(image.fs, path, &inode) == 0) {
		for (uint64_t at = 0; at < 500 * 1024; at += sizeof(bytes))
			(void)!ext2_read(inode, at, bytes, sizeof(bytes));
		(void)!ext2_write(inode, 398 * 1024, bytes, sizeof(bytes));
		(void)!ext2_write(inode, 4000000, bytes, sizeof(bytes));
		(void)!ext2_truncate(inode, 5000);
		ext2_close(inode);
	}
	(void)!ext2_unlink(image.fs, path);
	return NULL;
}

CASE(ext2_damage, numbers_of_blocks_that_cannot_be_are_errors)
{
	static const uint32_t numbers[] = { 1, 2, 5, 40, 2048, 0xffffffff };
	static const unsigned int indexes[] = { 0, 11, 12, 13 };

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(indexes); j++) {
			TRY(make_one_file());
			image_poke32(INODE(12, block[indexes[j]]), numbers[i]);
			TRY(attach_and_mount());
			TRY(try_everything_on("/file"));
			TRY(end_damaged());
		}
	}
	return NULL;
}

/* As if another file had the same block, and its data were written there. */
CASE(ext2_damage, numbers_that_changed_meanwhile_are_not_written_to)
{
	struct inode *inode;
	struct page *numbers;

	TRY(make_one_file());
	TRY(attach_and_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	EXPECT_EQUAL(ext2_write(inode, 16 * 1024, "changed", 7), 7);
	numbers = find_get_page(&image.fs->meta, inode->block[12]);
	EXPECT(numbers != NULL);
	((uint32_t *)page_address(numbers))[16 - 12] = 0x7fffffff;
	put_page(numbers);
	EXPECT_EQUAL(-ext2_sync(image.fs), EUCLEAN);
	EXPECT_EQUAL(block_statistics(image.device).errors, 0);
	ext2_close(inode);
	EXPECT_EQUAL(-ext2_unmount(image.fs), EUCLEAN);
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return NULL;
}

CASE(ext2_damage, blocks_of_numbers_that_lead_in_a_circle_end)
{
	for (unsigned int index = 12; index < 15; index++) {
		uint32_t circle;

		TRY(make_one_file());
		/* The first block of numbers: each entry is itself. */
		circle = damage_peek32(INODE(12, block[12]));
		for (unsigned int i = 0; i < 256; i++)
			image_poke32((long)circle * 1024 + i * 4, circle);
		image_poke32(INODE(12, block[index]), circle);
		image_poke32(INODE(12, size_high), 3);
		TRY(attach_and_mount());
		TRY(try_everything_on("/file"));
		TRY(end_damaged());
	}
	return NULL;
}

CASE(ext2_damage, a_block_that_is_freed_twice_is_an_error)
{
	TRY(make_one_file());
	image_poke32(INODE(12, block[3]), damage_peek32(INODE(12, block[4])));
	TRY(attach_and_mount());
	WORKS(ext2_unlink(image.fs, "/file"));
	EXPECT(image.fs->state & EXT2_STATE_ERRORS);
	return end_damaged();
}

CASE(ext2_damage, an_inode_that_cannot_be_is_an_error)
{
	struct inode *inode;

	TRY(make_one_file());
	image_poke16(INODE(12, links), 0);
	TRY(attach_and_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/file", &inode), EUCLEAN);
	TRY(end_damaged());
	TRY(make_one_file());
	image_poke32(INODE(12, size_high), 0xffffffff);
	TRY(attach_and_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/file", &inode), EUCLEAN);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 0, &inode), EUCLEAN);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 5, &inode), EUCLEAN);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 1U << 31, &inode), EUCLEAN);
	TRY(end_damaged());
	TRY(make_one_file());
	image_poke32(INODE(2, size), 1000);
	TRY(damage_mount_ends_with(EUCLEAN));
	/* A root that is a file, and leaves nothing behind either. */
	TRY(make_one_file());
	image_poke16(INODE(2, mode), EXT2_FILE | 0755);
	return damage_mount_ends_with(EUCLEAN);
}

/* ---- Directories --------------------------------------------------------- */

CASE(ext2_damage, entries_that_cannot_be_end_the_search)
{
	static const uint16_t lengths[] = { 0,    1,    4,     8,   13,
		                            1016, 1028, 65532, 3000 };
	struct ext2_name name;
	struct inode *inode;

	TRY(make_one_file());
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		long at = (long)damage_peek32(INODE(2, block[0])) * 1024;
		uint64_t position = 0;
		uint16_t truth;

		/* The second entry is "..". */
		image_peek(at + 12 + 4, &truth, 2);
		image_poke16(at + 12 + 4, lengths[i]);
		TRY(attach_and_mount());
		EXPECT_EQUAL(-ext2_open(image.fs, "/file", &inode), EUCLEAN);
		EXPECT_EQUAL(-ext2_mkdir(image.fs, "/new"), EUCLEAN);
		EXPECT_EQUAL(-ext2_unlink(image.fs, "/file"), EUCLEAN);
		WORKS(ext2_open(image.fs, "/", &inode));
		EXPECT_EQUAL(ext2_next_name(inode, &position, &name), 1);
		EXPECT_EQUAL(-ext2_next_name(inode, &position, &name), EUCLEAN);
		ext2_close(inode);
		TRY(end_damaged());
		image_poke16(at + 12 + 4, truth);
	}
	return NULL;
}

CASE(ext2_damage, an_entry_of_an_inode_that_is_not_there_is_an_error)
{
	struct inode *inode;
	long at;

	TRY(make_one_file());
	at = (long)damage_peek32(INODE(2, block[0])) * 1024;
	image_poke32(at + 12, 0x7fffffff);
	TRY(attach_and_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/..", &inode), EUCLEAN);
	return end_damaged();
}

/* ---- Anything ------------------------------------------------------------ */

/* Walk the tree from the root, not forever, and change each entry found. */
static void use_somehow(struct random *dice)
{
	struct ext2_name name;
	struct inode *dir;
	uint64_t position = 0;
	char path[300];

	if (ext2_open(image.fs, "/", &dir) != 0)
		return;
	for (unsigned int i = 0; i < 50; i++) {
		if (ext2_next_name(dir, &position, &name) != 1)
			break;
		scnprintf(path, sizeof(path), "/%s", name.text);
		if (random_below(dice, 2) == 0)
			(void)try_everything_on(path);
		else
			(void)!image_write(path, 3, 30000);
		(void)!ext2_mkdir(image.fs, "/made");
		(void)!ext2_rmdir(image.fs, path);
	}
	ext2_close(dir);
	(void)!ext2_sync(image.fs);
}

CASE(ext2_damage, any_damage_is_survived)
{
	struct random dice;
	long span = 60 * 1024; /* where the file system's own blocks are */

	dice = (struct random){ test_seed() };
	TRY(image_start("-b 1024 -N 64", 1024));
	for (unsigned int i = 0; i < 12; i++) {
		char path[40];

		scnprintf(path, sizeof(path), "/file-%u", i);
		WORKS(image_write(path, i, i * 5000));
	}
	TRY(image_finish());
	TRY(image_tool(0, "cp %s %s/whole", image.path, image.folder));
	for (unsigned int round = 0; round < 60; round++) {
		int error;

		TRY(image_tool(0, "cp %s/whole %s", image.folder, image.path));
		for (unsigned int i = 0; i < 1 + round % 20; i++) {
			uint8_t byte = (uint8_t)random_below(&dice, 256);
			long at = (long)random_below(&dice, (uint32_t)span);

			/* Panicking is an answer, and tested elsewhere. */
			if (at != SUPER(errors))
				image_poke(at, &byte, 1);
		}
		image_attach(IMAGE_PAGES);
		if (ext2_mount(image.device, false, &image.fs) == 0) {
			use_somehow(&dice);
			error = ext2_unmount(image.fs);
			/* Files that share blocks may have lost some. */
			EXPECT(error == 0 || error == -EUCLEAN);
		}
		image_detach();
		EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	}
	return NULL;
}

/* ---- Disks that fail ----------------------------------------------------- */

CASE(ext2_damage, a_read_error_is_reported_and_the_next_read_works)
{
	struct inode *inode;
	uint8_t byte;
	uint64_t sector;

	TRY(make_one_file());
	sector = (uint64_t)damage_peek32(INODE(12, block[4])) * 2;
	TRY(attach_and_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	machine_disk_fail(false, sector, 1, -EIO);
	EXPECT_EQUAL(-ext2_read(inode, 5000, &byte, 1), EIO);
	EXPECT_EQUAL(ext2_read(inode, 5000, &byte, 1), 1);
	EXPECT_EQUAL(byte, image_byte(1, 5000));
	ext2_close(inode);
	TRY(image_same("/file", 1, 400 * 1024));
	return image_finish();
}

CASE(ext2_damage, a_write_error_is_reported_and_nothing_is_lost)
{
	struct inode *inode;
	struct page *page;
	uint64_t sector;

	TRY(make_one_file());
	sector = (uint64_t)damage_peek32(INODE(12, block[4])) * 2;
	TRY(attach_and_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	EXPECT_EQUAL(ext2_write(inode, 5000, "changed", 7), 7);
	machine_disk_fail(true, sector, 1, -EIO);
	EXPECT_EQUAL(-ext2_sync(image.fs), EIO);
	page = find_get_page(&inode->data, 1);
	EXPECT(page_has(page, PG_error) && page_has(page, PG_dirty));
	WORKS(ext2_sync(image.fs));
	EXPECT(!page_has(page, PG_error) && !page_has(page, PG_dirty));
	put_page(page);
	ext2_close(inode);
	TRY(image_unmount());
	TRY(image_tool(0,
	               "debugfs -R 'cat /file' %s 2>/dev/null | tail -c +5001 "
	               "| head -c 7 | grep -q changed",
	               image.path));
	image_detach();
	return image_check();
}

CASE(ext2_damage, a_failed_write_of_the_superblock_forbids_the_mount)
{
	TRY(image_make("-b 1024", 1024));
	image_attach(512);
	machine_disk_fail(true, 2, 1, -EIO);
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), EIO);
	TRY(image_mount());
	return image_finish();
}

/* ---- No memory ----------------------------------------------------------- */

/* A bit of everything; the first error. */
static int work(void)
{
	struct inode *inode;
	int error = ext2_mkdir(image.fs, "/dir");

	if (error == 0)
		error = image_write("/dir/one", 1, 20000);
	if (error == 0)
		error = ext2_unlink(image.fs, "/file");
	if (error == 0)
		error = ext2_open(image.fs, "/dir/one", &inode);
	if (error == 0) {
		error = ext2_truncate(inode, 5001);
		ext2_close(inode);
	}
	if (error == 0)
		error = ext2_sync(image.fs);
	return error;
}

/* Mount and work with PAGES pages in all. */
static const char *work_with(unsigned long pages, int *error)
{
	TRY(image_tool(0, "cp %s/whole %s", image.folder, image.path));
	image_attach(pages);
	*error = ext2_mount(image.device, false, &image.fs);
	if (*error == 0) {
		*error = work();
		if (*error != 0 && *error != -ENOMEM)
			return test_failure("%lu pages: error %d", pages,
			                    *error);
		TRY(image_unmount());
	}
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return image_check();
}

CASE(ext2_damage, without_memory_it_stops_and_stays_clean)
{
	unsigned long pages = 8; /* so many have caches and bios */
	int error = -ENOMEM;

	TRY(make_one_file());
	TRY(image_tool(0, "cp %s %s/whole", image.path, image.folder));
	for (; error != 0 && pages < 200; pages++)
		TRY(work_with(pages, &error));
	test_note("%lu pages are enough", pages - 1);
	EXPECT_EQUAL(error, 0);
	EXPECT(pages > 20);
	return NULL;
}

/* ---- Reclaim ------------------------------------------------------------- */

/* Do what reclaim does with a page: write it if it is dirty, and take it. */
static bool test_ext2_damage_reclaim_page(struct page *page)
{
	const struct address_space_ops *ops = page->mapping->ops;
	bool taken;

	lock_page(page);
	if (clear_page_dirty_for_io(page)) {
		if (ops->writepage(page) != 0)
			return false;
		lock_page(page);
	}
	lru_remove(image.node, page);
	taken = ops->release(page);
	if (!taken)
		lru_add(image.node, page);
	unlock_page(page);
	return taken;
}

CASE(ext2_damage, pressure_forgets_idle_inodes_unless_it_may_not)
{
	struct ext2_usage usage;
	struct inode *inode;
	char path[40];

	TRY(image_start("-b 1024", 2048));
	for (unsigned int i = 0; i < 60; i++) {
		scnprintf(path, sizeof(path), "/file-%u", i);
		WORKS(image_write(path, i, 3000));
	}
	WORKS(ext2_open(image.fs, "/file-7", &inode));
	ext2_usage(image.fs, &usage);
	EXPECT_EQUAL(usage.cached, 61);
	EXPECT_EQUAL(shrink_slab(image.node, GFP_NOFS, 0), 0);
	/* Dirty pages keep their inodes. */
	EXPECT_EQUAL(shrink_slab(image.node, GFP_KERNEL, 0), 1);
	WORKS(ext2_sync(image.fs));
	EXPECT_EQUAL(shrink_slab(image.node, GFP_KERNEL, 0), 59);
	ext2_usage(image.fs, &usage);
	EXPECT_EQUAL(usage.cached, 1);
	EXPECT_EQUAL(inode->users, 1);
	ext2_close(inode);
	TRY(image_same("/file-12", 12, 3000));
	return image_finish();
}

static unsigned long asked, asked_without_scope;

/* Each request wakes kswapd, since all memory is below the LOW mark. */
static void note_scope(struct node *node, unsigned int order,
                       enum zone_type highest, bool may_sleep __unused)
{
	(void)node;
	(void)order;
	(void)highest;
	asked++;
	if ((current_thread()->flags & THREAD_MEMALLOC_NOFS) == 0 ||
	    !mutex_is_mine(&image.fs->lock))
		asked_without_scope++;
}

CASE(ext2_damage, every_request_under_the_mutex_is_nofs)
{
	struct inode *inode;

	TRY(image_start("-b 1024", 2048));
	machine_set_marks(&image.node->zone[ZONE_NORMAL], 8, IMAGE_PAGES,
	                  IMAGE_PAGES + 8);
	asked = asked_without_scope = 0;
	machine_set_kswapd_hook(image.node, note_scope);
	WORKS(image_write("/file", 1, 400000));
	WORKS(ext2_mkdir(image.fs, "/dir"));
	WORKS(ext2_sync(image.fs));
	WORKS(ext2_open(image.fs, "/file", &inode));
	WORKS(ext2_truncate(inode, 5));
	ext2_close(inode);
	WORKS(ext2_unlink(image.fs, "/file"));
	machine_set_kswapd_hook(image.node, NULL);
	EXPECT(asked > 100);
	EXPECT_EQUAL(asked_without_scope, 0);
	EXPECT_EQUAL(current_thread()->flags, 0);
	return image_finish();
}

CASE(ext2_damage, reclaim_writes_without_memory_and_takes_what_is_clean)
{
	struct filemap *maps[2];
	struct inode *inode;
	unsigned int taken = 0;

	TRY(image_start("-b 1024 -g 512 -O ^resize_inode", 4096));
	WORKS(image_write("/file", 1, 700 * 1024));
	WORKS(ext2_open(image.fs, "/file", &inode));
	maps[0] = &image.fs->meta;
	maps[1] = &inode->data;
	/* First the blocks of numbers, so that they must be read again. */
	for (unsigned int m = 0; m < 2; m++) {
		unsigned long free = node_free(image.node);

		for (unsigned long i = 0; i < 4096; i++) {
			struct page *page = find_get_page(maps[m], i);

			if (page == NULL)
				continue;
			taken += test_ext2_damage_reclaim_page(page);
			put_page(page);
		}
		EXPECT(node_free(image.node) > free);
	}
	EXPECT_EQUAL(inode->data.space.nrpages, 0);
	EXPECT(taken >= 175);
	ext2_close(inode);
	TRY(image_same("/file", 1, 700 * 1024));
	return image_finish();
}
