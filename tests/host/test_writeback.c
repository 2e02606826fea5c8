// SPDX-License-Identifier: MIT
/*
 * tests/host/test_writeback.c -- limits of dirty pages, writers that wait, and
 * the flusher, with the file system above and a disk below.
 *
 * 4096 pages, marks 64/80/96, no reserves: a file system that has just been
 * mounted leaves about 4000 pages that could be dirty.
 */
#include "kernel/core/clock.h"
#include "kernel/fs/ext2_internal.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/page_writeback.h"
#include "mm/reclaim/reclaim.h"
#include "tests/host/ext2_image.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

SUITE(writeback);

static struct node *node;

static const char *test_writeback_start(void)
{
	TRY(image_start("-b 4096", 16384));
	node = image.node;
	machine_set_marks(&node->zone[ZONE_NORMAL], 64, 80, 96);
	WORKS(ext2_sync(image.fs));
	EXPECT_EQUAL(dirty_pages(node), 0);
	return NULL;
}

static unsigned long test_writeback_stat(enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

/* ---- Limits -------------------------------------------------------------- */

CASE(writeback, limits_are_shares_of_what_could_be_dirty)
{
	struct zone *zone;
	struct dirty_limits limits;

	machine_start(4096);
	node = machine_one_zone(ZONE_NORMAL, 4096);
	zone = &node->zone[ZONE_NORMAL];
	machine_set_marks(zone, 64, 80, 96);
	limits = dirty_limits(node);
	EXPECT_EQUAL(limits.dirtyable, 4000);
	EXPECT_EQUAL(limits.limit, 801);
	EXPECT_EQUAL(limits.background, 401);
	/* Of the reserves for requests to higher zones, the largest. */
	zone->lowmem_reserve[ZONE_MOVABLE] = 500;
	EXPECT_EQUAL(dirty_limits(node).dirtyable, 3500);
	zone->lowmem_reserve[ZONE_MOVABLE] = 0;
	/* Pages of files count whether free or not; the reserve never. */
	zone->lru.count[LRU_INACTIVE_FILE] = 60;
	zone->lru.count[LRU_ACTIVE_FILE] = 40;
	zone->lru.count[LRU_INACTIVE_ANON] = 1000;
	EXPECT_EQUAL(dirty_limits(node).dirtyable, 4100);
	machine_set_marks(zone, 4096, 4096, 4096);
	EXPECT_EQUAL(dirty_limits(node).dirtyable, 100);
	zone->lru.count[LRU_INACTIVE_FILE] = 0;
	zone->lru.count[LRU_ACTIVE_FILE] = 0;
	zone->lru.count[LRU_INACTIVE_ANON] = 0;
	return NULL;
}

CASE(writeback, background_is_always_below_the_limit)
{
	struct dirty_limits limits;

	machine_start(4096);
	node = machine_one_zone(ZONE_NORMAL, 4096);
	node->writeback.background_ratio = 30;
	limits = dirty_limits(node);
	EXPECT_EQUAL(limits.limit, 820);
	EXPECT_EQUAL(limits.background, 410);
	node->writeback.dirty_ratio = 0;
	limits = dirty_limits(node);
	EXPECT_EQUAL(limits.limit, 1);
	EXPECT_EQUAL(limits.background, 0);
	return NULL;
}

CASE(writeback, node_above_its_limit_has_no_fast_pass_for_write)
{
	struct page *page;
	unsigned long passes, over;

	TRY(test_writeback_start());
	node->recovery.too_dirty = node_too_dirty;
	node->writeback.dirty_ratio = 0;
	WORKS(image_write("/file", 1, 40000));
	EXPECT(node_file_dirty(node) >= 10);
	over = test_writeback_stat(VMSTAT_kswapd_wake_request);
	passes = test_writeback_stat(VMSTAT_freelist_pass);
	page = alloc_page(GFP_KERNEL | __GFP_WRITE);
	EXPECT(page != NULL);
	__free_page(page);
	/* Only the pass of the slow path, and kswapd was asked for. */
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_freelist_pass), passes + 1);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_kswapd_wake_request), over + 1);
	page = alloc_page(GFP_KERNEL);
	__free_page(page);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_kswapd_wake_request), over + 1);
	WORKS(ext2_sync(image.fs));
	page = alloc_page(GFP_KERNEL | __GFP_WRITE);
	__free_page(page);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_kswapd_wake_request), over + 1);
	return image_finish();
}

CASE(writeback, pages_of_a_write_are_asked_for_with_write)
{
	struct inode *inode;
	struct page *page;

	TRY(test_writeback_start());
	WORKS(image_write("/file", 1, 40000));
	WORKS(ext2_open(image.fs, "/file", &inode));
	page = find_get_page(&inode->data, 3);
	EXPECT(page != NULL);
	EXPECT(page->gfp & __GFP_WRITE);
	put_page(page);
	ext2_close(inode);
	return image_finish();
}

CASE(writeback, anonymous_pages_do_not_count)
{
	struct page *page;

	TRY(test_writeback_start());
	page = alloc_page(GFP_KERNEL);
	page_set(page, PG_swapbacked);
	set_page_dirty(page);
	EXPECT_EQUAL(node_dirty(node), 1);
	EXPECT_EQUAL(dirty_pages(node), 0);
	clear_page_dirty_for_io(page);
	EXPECT_EQUAL(node_dirty(node), 0);
	EXPECT_EQUAL(dirty_pages(node), 0);
	page_clear(page, PG_swapbacked);
	__free_page(page);
	return image_finish();
}

/* ---- The flusher --------------------------------------------------------- */

CASE(writeback, what_is_dirty_for_30_seconds_is_written_and_nothing_younger)
{
	uint64_t begin;

	TRY(test_writeback_start());
	WORKS(image_write("/file", 1, 40000));
	begin = clock_microseconds();
	EXPECT(node_file_dirty(node) >= 10);
	while (clock_microseconds() - begin < DIRTY_EXPIRE) {
		EXPECT(node_file_dirty(node) >= 10);
		flusher_step(node);
	}
	EXPECT_EQUAL(dirty_pages(node), 0);
	EXPECT(clock_microseconds() - begin <= DIRTY_EXPIRE + DIRTY_INTERVAL);
	EXPECT(test_writeback_stat(VMSTAT_flusher_write) >= 10);
	/* A second file has its own 30 seconds. */
	WORKS(image_write("/other", 2, 40000));
	flusher_step(node);
	EXPECT(node_file_dirty(node) >= 10);
	TRY(image_same("/file", 1, 40000));
	return image_finish();
}

CASE(writeback, above_background_everything_is_written_immediately)
{
	unsigned long dirty;

	TRY(test_writeback_start());
	node->writeback.background_ratio = 1;
	WORKS(image_write("/file", 1, 120000));
	dirty = node_file_dirty(node);
	EXPECT(dirty >= 30 && dirty <= dirty_limits(node).background);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_flusher_wake), 0);
	EXPECT_EQUAL(flusher_write(node), 0);
	WORKS(image_write("/other", 2, 120000));
	EXPECT(test_writeback_stat(VMSTAT_flusher_wake) > 0);
	dirty = node_file_dirty(node);
	EXPECT_EQUAL(flusher_write(node), dirty);
	EXPECT_EQUAL(dirty_pages(node), 0);
	return image_finish();
}

/* A page that is locked or under way is left for the next pass. */
CASE(writeback, flusher_waits_for_no_page_and_comes_back_for_it)
{
	struct inode *inode;
	struct page *page;
	unsigned long dirty;

	TRY(test_writeback_start());
	WORKS(image_write("/file", 1, 40000));
	WORKS(ext2_open(image.fs, "/file", &inode));
	page = find_get_page(&inode->data, 3);
	lock_page(page);
	dirty = node_file_dirty(node);
	machine_advance(DIRTY_EXPIRE);
	EXPECT_EQUAL(flusher_write(node), dirty - 1);
	EXPECT_EQUAL(node_file_dirty(node), 1);
	unlock_page(page);
	EXPECT_EQUAL(flusher_write(node), 1);
	EXPECT_EQUAL(node_file_dirty(node), 0);
	put_page(page);
	ext2_close(inode);
	return image_finish();
}

/*
 * The disk may get old or new contents; the page is not clean before it gets
 * the new ones.
 */
CASE(writeback, a_page_that_is_changed_on_its_way_is_dirty_again)
{
	struct inode *inode;
	struct page *page;
	char byte;

	TRY(test_writeback_start());
	WORKS(image_write("/file", 1, 4000));
	WORKS(ext2_open(image.fs, "/file", &inode));
	page = find_get_page(&inode->data, 0);
	machine_disk_hold(true);
	EXPECT_EQUAL(filemap_flush(&inode->data, clock_microseconds()), 1);
	EXPECT(page_has(page, PG_writeback) && !page_has(page, PG_dirty));
	EXPECT_EQUAL(ext2_write(inode, 100, "!", 1), 1);
	EXPECT(page_has(page, PG_writeback) && page_has(page, PG_dirty));
	EXPECT(machine_disk_end_one());
	machine_disk_hold(false);
	EXPECT(!page_has(page, PG_writeback) && page_has(page, PG_dirty));
	WORKS(ext2_write_data(inode));
	EXPECT(!page_has(page, PG_dirty));
	put_page(page);
	ext2_close(inode);
	TRY(image_unmount());
	TRY(image_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	EXPECT_EQUAL(ext2_read(inode, 100, &byte, 1), 1);
	ext2_close(inode);
	EXPECT_EQUAL(byte, '!');
	return image_finish();
}

CASE(writeback, unmounted_file_system_is_not_asked_any_more)
{
	TRY(test_writeback_start());
	EXPECT(!list_empty(&node->writeback.sources));
	TRY(image_unmount());
	EXPECT(list_empty(&node->writeback.sources));
	EXPECT_EQUAL(flusher_write(node), 0);
	TRY(image_mount());
	return image_finish();
}

static unsigned int turns;

/* Thirty seconds and what they bring; then nobody does anything any more. */
static bool let_time_pass(struct wait_queue *queue)
{
	if (queue != &node->writeback.flusher_wait || ++turns > 10)
		return false;
	machine_advance(DIRTY_INTERVAL);
	wakeup_flusher(node);
	return true;
}

CASE(writeback, the_flusher_works_whenever_it_is_called)
{
	char text[200];
	enum machine_end end;

	TRY(test_writeback_start());
	WORKS(image_write("/file", 1, 40000));
	node->writeback.interval = 0;
	turns = 0;
	machine_set_wait_hook(let_time_pass);
	end = machine_try(flusher_run, node, text, sizeof(text));
	EXPECT_EQUAL(end, MACHINE_PANICKED);
	EXPECT(strncmp(text, "everybody sleeps", 16) == 0);
	EXPECT_EQUAL(turns, 11);
	EXPECT_EQUAL(dirty_pages(node), 0);
	machine_start(16);
	return NULL;
}

/* ---- sync ---------------------------------------------------------------- */

/* Reclaim has locked it and cleared its dirty bit, and then lost the CPU. */
static struct page *in_hand;

static bool reclaim_goes_on(struct wait_queue *queue)
{
	struct page *page = in_hand;

	(void)queue;
	in_hand = NULL;
	return page != NULL && page->mapping->ops->writepage(page) == 0;
}

/* Neither dirty nor under writeback, and not on the disk either. */
CASE(writeback, sync_waits_for_what_reclaim_is_about_to_write)
{
	struct inode *inode;
	struct page *page;

	TRY(test_writeback_start());
	WORKS(image_write("/file", 1, 40000));
	WORKS(ext2_open(image.fs, "/file", &inode));
	page = find_get_page(&inode->data, 3);
	lock_page(page);
	held_hand_on(HELD_PAGE_LOCK, page);
	EXPECT(clear_page_dirty_for_io(page));
	in_hand = page;
	machine_set_wait_hook(reclaim_goes_on);
	WORKS(ext2_sync(image.fs));
	EXPECT(in_hand == NULL);
	put_page(page);
	ext2_close(inode);
	TRY(image_tool(0, "debugfs -R 'dump /file %s/file' %s", image.folder,
	               image.path));
	TRY(image_host_same("file", 1, 40000));
	return image_finish();
}

/* ---- Writers ------------------------------------------------------------- */

static unsigned long most_dirty;

/* The flusher, while a writer waits. */
static bool flush_when_throttled(struct wait_queue *queue)
{
	most_dirty = max(most_dirty, dirty_pages(node));
	return queue == &node->writeback.throttled && flusher_write(node) > 0;
}

CASE(writeback, writer_of_more_than_memory_waits_and_stays_at_the_limit)
{
	unsigned long limit;

	TRY(test_writeback_start());
	node->writeback.dirty_ratio = 2;
	node->writeback.background_ratio = 1;
	limit = dirty_limits(node).limit;
	most_dirty = 0;
	machine_set_wait_hook(flush_when_throttled);
	WORKS(image_write("/file", 1, 8000000));
	machine_set_wait_hook(NULL);
	test_note("limit %lu, at most %lu dirty, %lu waits", limit, most_dirty,
	          test_writeback_stat(VMSTAT_dirty_throttle));
	EXPECT(test_writeback_stat(VMSTAT_dirty_throttle) > 8);
	EXPECT(most_dirty > limit);
	/* The pages written immediately, and the blocks that they change. */
	EXPECT(most_dirty <= limit + 16 + 8);
	TRY(image_same("/file", 1, 8000000));
	return image_finish();
}

CASE(writeback, disk_that_writes_nothing_holds_a_writer_up_for_200_ms)
{
	uint64_t begin;

	TRY(test_writeback_start());
	node->writeback.dirty_ratio = 0;
	begin = clock_microseconds();
	WORKS(image_write("/file", 1, 4000));
	EXPECT_EQUAL(clock_microseconds() - begin, DIRTY_MAX_PAUSE);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_dirty_throttle), 1);
	return image_finish();
}

/* ---- Rights of reclaim --------------------------------------------------- */

/* Return the number of pages that a request with MASK reclaims for itself. */
static unsigned long test_writeback_reclaim_with(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];

	if (gfp_decode(mask, 0, &context, &request, why, sizeof(why)) != GFP_OK)
		panic("%s", why);
	return test_direct_reclaim(node, &request);
}

static const char *fill_cache(void)
{
	char path[40];

	for (unsigned int i = 0; i < 20; i++) {
		scnprintf(path, sizeof(path), "/file-%u", i);
		WORKS(image_write(path, i, 40000));
	}
	return NULL;
}

CASE(writeback, nofs_takes_clean_pages_of_files_and_does_not_enter_them)
{
	unsigned long freed;

	TRY(test_writeback_start());
	TRY(fill_cache());
	WORKS(ext2_sync(image.fs));
	freed = test_writeback_reclaim_with(GFP_NOFS);
	EXPECT(freed >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_pgsteal_file), freed);
	EXPECT(test_writeback_stat(VMSTAT_reclaim_nofs_skipped) > 0);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_reclaim_fs), 0);
	/* The last rounds ask for all idle inodes. */
	while (test_writeback_reclaim_with(GFP_KERNEL) > 0)
		;
	EXPECT(test_writeback_stat(VMSTAT_reclaim_fs) > 0);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_reclaim_fs_nofs), 0);
	TRY(image_same("/file-3", 3, 40000));
	return image_finish();
}

/* Inside an operation even GFP_KERNEL is NOFS. */
CASE(writeback, who_holds_the_mutex_never_comes_back_by_reclaim)
{
	unsigned int scope;

	TRY(test_writeback_start());
	TRY(fill_cache());
	WORKS(ext2_sync(image.fs));
	scope = ext2_lock(image.fs);
	EXPECT(test_writeback_reclaim_with(GFP_KERNEL) >= SWAP_CLUSTER_MAX);
	ext2_unlock(image.fs, scope);
	EXPECT(test_writeback_stat(VMSTAT_reclaim_nofs_skipped) > 0);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_reclaim_fs), 0);
	return image_finish();
}

static struct space anon;

static unsigned long test_writeback_free_slots(void)
{
	return anon.slots;
}

/* A page on its way to swap. */
static void test_writeback_use_the_disk(void)
{
	struct page *page = image.fs->scratch;

	if (block_read_page(image.device, 0, page) != 0)
		panic("the disk has failed");
}

CASE(writeback, noio_begins_no_io_and_kernel_does)
{
	uint64_t reads;

	TRY(test_writeback_start());
	space_init(&anon, SPACE_ANON);
	anon.slots = 100;
	anon.begin_write = test_writeback_use_the_disk;
	reclaim_set_swap(node, test_writeback_free_slots);
	space_fill(&anon, GFP_KERNEL, 80);
	reads = block_statistics(image.device).reads;
	test_writeback_reclaim_with(GFP_NOIO);
	EXPECT_EQUAL(anon.writes, 0);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_reclaim_io), 0);
	EXPECT_EQUAL(block_statistics(image.device).reads, reads);
	EXPECT(test_writeback_reclaim_with(GFP_NOFS) >= SWAP_CLUSTER_MAX);
	EXPECT(test_writeback_stat(VMSTAT_reclaim_io) >= SWAP_CLUSTER_MAX);
	EXPECT(block_statistics(image.device).reads > reads);
	EXPECT_EQUAL(test_writeback_stat(VMSTAT_reclaim_io_noio), 0);
	reclaim_set_swap(node, NULL);
	space_clear(&anon);
	return image_finish();
}
