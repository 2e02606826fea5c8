/* SPDX-License-Identifier: MIT */
/* tests/host/test_compaction.c -- when a zone is compacted, and what comes of it. */
#include <string.h>

#include "kernel/core/clock.h"
#include "lib/random.h"
#include "mm/buddy.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/reclaim.h"
#include "tests/host/test_reclaim.h"
#include "tests/suite.h"

SUITE(compaction);

/* ---- Is it worth it? ----------------------------------------------------- */

/* A zone with the marks 480, 600, 720 and FREE single pages, no two of them
 * neighbours. */
static void scattered(unsigned long free)
{
	unsigned long given = 0;

	test_reclaim_start_pages(SPACE_PLAIN, 8192);
	machine_set_marks(zone, 480, 600, 720);
	pile_leave(&pile, 0);
	for (unsigned long i = 0; i < pile.count && given < free; i += 2) {
		free_pages_node(node, pile.page[i], 0, RETURN_ADDRESS());
		pile.page[i] = NULL;
		given++;
	}
}

static const char *scattered_end(void)
{
	pile_clear(&pile);
	return test_reclaim_finish();
}

CASE(compaction, suits_order_9_with_1625_free_pages_and_not_with_1624)
{
	scattered(1625);
	EXPECT_EQUAL(zone->free_pages, 1625);
	EXPECT(compaction_suitable(zone, 9, ZONE_DMA32));
	EXPECT(scattered_end() == NULL);
	scattered(1624);
	EXPECT(!compaction_suitable(zone, 9, ZONE_DMA32));
	return scattered_end();
}

CASE(compaction, suits_order_3_above_min_and_16)
{
	scattered(497);
	EXPECT(compaction_suitable(zone, 3, ZONE_DMA32));
	EXPECT(scattered_end() == NULL);
	scattered(496);
	EXPECT(!compaction_suitable(zone, 3, ZONE_DMA32));
	return scattered_end();
}

CASE(compaction, does_not_suit_a_large_order_where_memory_is_what_is_missing)
{
	/* Five blocks of order 8: index 300. */
	test_reclaim_start_pages(SPACE_PLAIN, 8192);
	machine_set_marks(zone, 0, 0, 0);
	pile_leave(&pile, 0);
	for (unsigned long i = 0; i < 8192; i++) {
		if (i / 256 % 2 == 0 && i / 512 < 5) {
			free_pages_node(node, pile.page[i], 0,
			                RETURN_ADDRESS());
			pile.page[i] = NULL;
		}
	}
	EXPECT_EQUAL(zone->free_area[8].count, 5);
	EXPECT(!compaction_suitable(zone, 9, ZONE_DMA32));
	return scattered_end();
}

/* 1000 free blocks, SINGLE of one page, the others of order 3. */
static void scattered_blocks(unsigned long single)
{
	test_reclaim_start_pages(SPACE_PLAIN, 2 * 8192);
	machine_set_marks(zone, 0, 0, 0);
	pile_leave(&pile, 0);
	for (unsigned long i = 0; i < 16000; i++) {
		bool whole = i / 16 >= single;

		if (i % 16 < (whole ? 8 : 1)) {
			free_pages_node(node, pile.page[i], 0,
			                RETURN_ADDRESS());
			pile.page[i] = NULL;
		}
	}
}

CASE(compaction, suits_an_index_of_501_and_not_of_500)
{
	scattered_blocks(3);
	EXPECT(compaction_suitable(zone, 4, ZONE_DMA32));
	EXPECT(scattered_end() == NULL);
	scattered_blocks(2);
	EXPECT(!compaction_suitable(zone, 4, ZONE_DMA32));
	return scattered_end();
}

/* The only room is a block as large as the one that is wanted, above the pages. */
CASE(compaction, breaks_up_no_block_of_the_order_wanted)
{
	struct page *block[4];
	struct page *top = NULL;

	test_reclaim_start();
	machine_set_marks(zone, 8, 10, 12);
	for (unsigned int i = 0; i < ARRAY_SIZE(block); i++)
		block[i] = alloc_pages_node(node, __GFP_MEMALLOC, MAX_ORDER);
	for (unsigned int i = 0; i < ARRAY_SIZE(block); i++) {
		if (node_pfn(node, block[i]) == PAGES - 1024)
			top = block[i];
		else
			free_pages_node(node, block[i], MAX_ORDER,
			                RETURN_ADDRESS());
	}
	space_fill(&file_space, GFP_HIGHUSER_MOVABLE, 1024);
	pile_leave(&pile, 0);
	EXPECT(top != NULL);
	zone->blocks[6].type = MIGRATE_MOVABLE;
	zone->blocks[7].type = MIGRATE_MOVABLE;
	free_pages_node(node, top, MAX_ORDER, RETURN_ADDRESS());
	EXPECT_EQUAL(compact_node(node), 0);
	EXPECT_EQUAL(zone->free_area[MAX_ORDER].count, 1);
	return test_reclaim_finish();
}

CASE(compaction, failures_skip_1_3_7_15_31_63_63_attempts)
{
	static const unsigned int skips[] = { 1, 3, 7, 15, 31, 63, 63 };

	test_reclaim_start();
	zone->compact = (struct compact_state){ .order_failed = MAX_ORDER + 1 };
	for (size_t i = 0; i < ARRAY_SIZE(skips); i++) {
		unsigned int skipped = 0;

		defer_compaction(zone, 3);
		while (compaction_deferred(zone, 3))
			skipped++;
		EXPECT_EQUAL(skipped, skips[i]);
	}
	return test_reclaim_finish();
}

CASE(compaction, an_order_below_the_one_that_failed_is_not_deferred)
{
	test_reclaim_start();
	compaction_defer_reset(zone, 3, false);
	EXPECT_EQUAL(zone->compact.order_failed, 4);
	defer_compaction(zone, 4);
	EXPECT(!compaction_deferred(zone, 3));
	EXPECT(compaction_deferred(zone, 4));
	/* A block was made, and the request got it: nothing is deferred. */
	compaction_defer_reset(zone, 4, true);
	EXPECT(!compaction_deferred(zone, 4));
	EXPECT_EQUAL(zone->compact.order_failed, 5);
	return test_reclaim_finish();
}

/* ---- Moving -------------------------------------------------------------- */

/* Every second page of 2048 is a page of the file, with its number in it; the others are
 * free. */
static void alternate(void)
{
	test_reclaim_start();
	machine_set_marks(zone, 8, 10, 12);
	space_fill(&file_space, GFP_HIGHUSER_MOVABLE, 2048);
	for (unsigned long i = 0; i < 2048; i++)
		memcpy(page_address(file_space.page[i]), &i, sizeof(i));
	for (unsigned long i = 0; i < 2048; i += 2)
		space_truncate(&file_space, i);
	/* Only these pages are free. */
	while (zone->nonempty[MIGRATE_MOVABLE] >> 1 != 0)
		pile.page[pile.count++] = alloc_pages_node(
			node, __GFP_MEMALLOC | __GFP_MOVABLE, 1);
	node->recovery.compact = compact_for_request;
}

static const char *alternate_check(void)
{
	for (unsigned long i = 1; i < 2048; i += 2) {
		unsigned long found;

		EXPECT(file_space.page[i] != NULL);
		memcpy(&found, page_address(file_space.page[i]), sizeof(found));
		EXPECT_EQUAL(found, i);
		EXPECT(zone_page(zone, node_pfn(node, file_space.page[i])) ==
		       file_space.page[i]);
	}
	return NULL;
}

static const char *alternate_end(void)
{
	const char *broken = alternate_check();
	static char said[200];

	if (broken != NULL)
		return broken;
	broken = pageblock_check(zone, said, sizeof(said));
	if (broken == NULL)
		broken = zone_check(zone, NULL, false, said, sizeof(said));
	if (broken != NULL)
		return broken;
	while (pile.count > 0)
		free_pages_node(node, pile.page[--pile.count], 1,
		                RETURN_ADDRESS());
	return test_reclaim_finish();
}

CASE(compaction, makes_a_block_for_a_request_of_single_pages)
{
	struct page *page;

	alternate();
	EXPECT_EQUAL(zone->free_area[0].count, 1024);
	EXPECT_EQUAL(zone->free_pages, 1024);
	page = alloc_pages_node(node, GFP_KERNEL, 3);
	EXPECT(page != NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_success), 1);
	EXPECT(test_reclaim_stat(VMSTAT_pgmigrate_success) >= 4);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	return alternate_end();
}

CASE(compaction, of_a_node_puts_all_free_memory_into_large_blocks)
{
	alternate();
	EXPECT(compact_node(node) >= 400);
	/* But for the last pages, where the scanners met. */
	EXPECT(zone->free_area[0].count <= 2 * 32);
	EXPECT(zone->free_area[8].count + zone->free_area[9].count > 0);
	return alternate_end();
}

CASE(compaction, moves_no_page_that_somebody_uses)
{
	alternate();
	for (unsigned long i = 1; i < 2048; i += 2)
		get_page(file_space.page[i]);
	EXPECT_EQUAL(compact_node(node), 0);
	EXPECT_EQUAL(zone->free_area[0].count, 1024);
	for (unsigned long i = 1; i < 2048; i += 2)
		put_page(file_space.page[i]);
	return alternate_end();
}

CASE(compaction, leaves_more_than_min_free_while_it_works)
{
	alternate();
	machine_set_marks(zone, 1023, 1023, 1023);
	EXPECT_EQUAL(compact_node(node), 0);
	machine_set_marks(zone, 8, 10, 12);
	return alternate_end();
}

/* The highest pageblock with free pages, which the scanner from above meets first, becomes
 * UNMOVABLE. */
static struct pageblock *last_block_unmovable(void)
{
	unsigned long number = pageblock_count(zone) - 1;
	bool enabled = spin_lock_irqsave(&zone->lock);

	while (zone->blocks[number].free == 0)
		number--;
	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++) {
		struct page *page =
			zone_page(zone, number * PAGEBLOCK_PAGES + i);

		if (page->state == PAGE_FREE)
			buddy_change_list(zone, page, MIGRATE_UNMOVABLE);
	}
	zone->blocks[number].type = MIGRATE_UNMOVABLE;
	spin_unlock_irqrestore(&zone->lock, enabled);
	return &zone->blocks[number];
}

CASE(compaction, takes_room_from_movable_pageblocks_only)
{
	const struct pageblock *block;
	unsigned long free;

	alternate();
	block = last_block_unmovable();
	free = block->free;
	EXPECT(free > 0 && compact_node(node) > 0);
	EXPECT_EQUAL(block->free, free);
	return alternate_end();
}

/* A request that must not wait gives up the 16 frames in which a page cannot move, and moves
 * none of the others there. */
CASE(compaction, a_block_with_a_page_that_stays_is_given_up)
{
	static struct page *stays[2048 / 16];
	unsigned int count = 0;
	struct page *page;

	alternate();
	for (unsigned long i = 1; i < 2048; i += 2) {
		unsigned long pfn = node_pfn(node, file_space.page[i]);

		if (pfn % 16 != 15 || pfn / 16 == 150)
			continue;
		stays[count++] = file_space.page[i];
		lru_remove(node, file_space.page[i]);
	}
	page = alloc_pages_node(node, GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, 4);
	EXPECT(page == zone_page(zone, 150 * 16));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_success), 8);
	free_pages_node(node, page, 4, RETURN_ADDRESS());
	while (count > 0)
		lru_add(node, stays[--count]);
	return alternate_end();
}

CASE(compaction, without_fs_file_pages_stay)
{
	struct page *page;

	alternate();
	page = alloc_pages_node(node, GFP_NOFS | __GFP_NORETRY | __GFP_NOWARN,
	                        3);
	EXPECT(page == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_success), 0);
	return alternate_end();
}

/* Nothing can move, and every pageblock is marked: compaction was tried in vain. */
static void compact_in_vain(void)
{
	alternate();
	for (unsigned long i = 1; i < 2048; i += 2)
		lru_remove(node, file_space.page[i]);
	kassert(alloc_pages_node(node,
	                         GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                         3) == NULL);
}

CASE(compaction, a_pageblock_with_nothing_to_move_is_passed_over_the_next_time)
{
	unsigned long scanned;

	compact_in_vain();
	scanned = test_reclaim_stat(VMSTAT_compact_migrate_scanned);
	EXPECT(scanned > 0);
	zone->compact.defer_shift = 0;
	zone->compact.considered = 0;
	EXPECT(alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                        3) == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_migrate_scanned),
	             scanned);
	/* Until kswapd goes to sleep. */
	EXPECT(zone->compact.flush);
	compaction_forget(node);
	zone->compact.defer_shift = 0;
	zone->compact.considered = 0;
	EXPECT(alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                        3) == NULL);
	EXPECT(test_reclaim_stat(VMSTAT_compact_migrate_scanned) > scanned);
	for (unsigned long i = 1; i < 2048; i += 2)
		lru_add(node, file_space.page[i]);
	return alternate_end();
}

CASE(compaction, after_64_failures_it_looks_at_everything_again)
{
	unsigned long scanned;

	compact_in_vain();
	scanned = test_reclaim_stat(VMSTAT_compact_migrate_scanned);
	zone->compact.defer_shift = 6;
	zone->compact.considered = 63;
	EXPECT(alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                        3) == NULL);
	EXPECT(test_reclaim_stat(VMSTAT_compact_migrate_scanned) > scanned);
	for (unsigned long i = 1; i < 2048; i += 2)
		lru_add(node, file_space.page[i]);
	return alternate_end();
}

CASE(compaction, does_not_take_a_pinned_anonymous_page_in_hand)
{
	alternate();
	space_clear(&file_space);
	space_fill(&anon_space, GFP_HIGHUSER_MOVABLE, 500);
	for (unsigned long i = 0; i < 500; i++)
		get_page(anon_space.page[i]);
	EXPECT_EQUAL(compact_node(node), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_isolated), 0);
	for (unsigned long i = 0; i < 500; i++)
		put_page(anon_space.page[i]);
	while (pile.count > 0)
		free_pages_node(node, pile.page[--pile.count], 1,
		                RETURN_ADDRESS());
	return test_reclaim_finish();
}

/* ---- When it ends, and where it begins ----------------------------------- */

static enum compact_result compact_for(gfp_t mask, unsigned int order,
                                       enum compact_priority priority,
                                       struct page **page)
{
	struct alloc_request request = test_reclaim_request_of(mask, order);

	*page = NULL;
	return compact_for_request(node, &request, priority, page);
}

CASE(compaction, the_block_is_kept_for_the_request_and_ends_the_run)
{
	unsigned long passes;
	struct page *page;

	alternate();
	passes = test_reclaim_stat(VMSTAT_freelist_pass);
	EXPECT(compact_for(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT,
	                   &page) == COMPACT_SUCCESS);
	EXPECT(page != NULL && page->state == PAGE_USED && page->order == 3);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_freelist_pass), passes);
	/* One round of 32, not the pageblock. */
	EXPECT(test_reclaim_stat(VMSTAT_pgmigrate_success) <= 32);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	return alternate_end();
}

CASE(compaction, a_request_gets_the_block_that_was_kept_without_another_pass)
{
	unsigned long passes;
	struct page *page;

	alternate();
	passes = test_reclaim_stat(VMSTAT_freelist_pass);
	page = alloc_pages_node(node, GFP_HIGHUSER_MOVABLE, 3);
	EXPECT(page != NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_success), 1);
	/* The fast pass, rungs 2 and 4; rung 7 has the block. */
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_freelist_pass), passes + 3);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	return alternate_end();
}

CASE(compaction, a_page_taken_with_all_rights_is_marked_also_if_it_was_kept)
{
	struct page *page;

	alternate();
	page = alloc_pages_node(node, GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 4);
	EXPECT(page != NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_success), 1);
	EXPECT(page->flags & PAGE_PFMEMALLOC);
	free_pages_node(node, page, 4, RETURN_ADDRESS());
	return alternate_end();
}

/* Pages that have moved since the start; all others are where they were. */
CASE(compaction, finishes_the_pageblock_it_is_in)
{
	struct page *page;

	alternate();
	EXPECT(compact_for(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT, &page) ==
	       COMPACT_SUCCESS);
	/* Nothing is kept of a MOVABLE pageblock; every second page of it moved. */
	EXPECT(page == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_success), 256);
	EXPECT_EQUAL(zone->compact.migrate_pfn[0] % PAGEBLOCK_PAGES, 0);
	EXPECT_EQUAL(zone->compact.migrate_pfn[0],
	             zone->compact.migrate_pfn[1]);
	EXPECT(pageblock_of(zone, zone->compact.migrate_pfn[0] - 1)->skip);
	return alternate_end();
}

/* The highest frame to which a page has moved. */
static unsigned long highest_moved(const unsigned long *before)
{
	unsigned long highest = 0;

	for (unsigned long i = 1; i < 2048; i += 2) {
		unsigned long pfn = node_pfn(node, file_space.page[i]);

		if (pfn != before[i])
			highest = max(highest, pfn);
	}
	return highest;
}

/* The lowest of four pageblocks is emptied into the highest, which then has no room. */
CASE(compaction, the_next_run_takes_room_where_the_last_one_ended)
{
	static unsigned long before[2048];
	unsigned long top = 0;
	struct page *block;
	struct page *page;

	alternate();
	for (unsigned long i = 1; i < 2048; i += 2)
		top = max(top, node_pfn(node, file_space.page[i]));
	top = ALIGN_DOWN(top, PAGEBLOCK_PAGES);
	EXPECT(compact_for(GFP_KERNEL, 8, COMPACT_SYNC_LIGHT, &page) ==
	       COMPACT_SUCCESS);
	EXPECT_EQUAL(pageblock_of(zone, top)->free, 0);
	block = alloc_pages_node(node, __GFP_MEMALLOC | __GFP_MOVABLE, 9);
	EXPECT(block != NULL);
	for (unsigned long i = 1; i < 2048; i += 2)
		before[i] = node_pfn(node, file_space.page[i]);
	EXPECT(compact_for(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT,
	                   &page) == COMPACT_SUCCESS);
	EXPECT(highest_moved(before) >= top - PAGEBLOCK_PAGES);
	EXPECT(highest_moved(before) < top);
	/* The highest was looked at to its end. */
	EXPECT(pageblock_of(zone, top)->skip);
	EXPECT_EQUAL(zone->compact.free_pfn, top - PAGEBLOCK_PAGES);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	free_pages_node(node, block, 9, RETURN_ADDRESS());
	return alternate_end();
}

CASE(compaction, room_begins_at_the_cached_position)
{
	static unsigned long before[2048];
	unsigned long middle = PAGES;
	struct page *page;

	alternate();
	for (unsigned long i = 1; i < 2048; i += 2) {
		before[i] = node_pfn(node, file_space.page[i]);
		middle = min(middle, before[i]);
	}
	middle = ALIGN_DOWN(middle, PAGEBLOCK_PAGES) + 2 * PAGEBLOCK_PAGES;
	zone->compact.free_pfn = middle;
	zone->compact.migrate_pfn[0] = zone->start_pfn;
	zone->compact.migrate_pfn[1] = zone->start_pfn;
	EXPECT(compact_for(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT,
	                   &page) == COMPACT_SUCCESS);
	EXPECT(highest_moved(before) > 0 &&
	       highest_moved(before) < middle + PAGEBLOCK_PAGES);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	return alternate_end();
}

CASE(compaction, where_too_little_stays_free_it_ends_and_is_not_deferred)
{
	struct page *page;

	alternate();
	machine_set_marks(zone, 1007, 1010, 1020);
	EXPECT(compact_for(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT, &page) ==
	       COMPACT_CONTENDED);
	EXPECT_EQUAL(zone->compact.defer_shift, 0);
	EXPECT(test_reclaim_stat(VMSTAT_pgmigrate_success) < 20);
	machine_set_marks(zone, 8, 10, 12);
	return alternate_end();
}

/* A 16th of the 1024 pages on the lists, and one more, are in the hands of others. */
CASE(compaction, while_too_many_are_isolated_async_ends_and_others_wait_20_ms)
{
	uint64_t before;
	struct page *page;

	alternate();
	EXPECT_EQUAL(node_lru_count(node, LRU_INACTIVE_FILE) +
	                     node_lru_count(node, LRU_ACTIVE_FILE),
	             1024);
	zone->lru.isolated[LRU_FILE] += 65;
	/* Not on the lists that pages are isolated from. */
	zone->lru.count[LRU_UNEVICTABLE] += 4096;
	before = clock_microseconds();
	EXPECT(compact_for(GFP_HIGHUSER_MOVABLE, 3, COMPACT_ASYNC, &page) ==
	       COMPACT_CONTENDED);
	EXPECT_EQUAL(clock_microseconds(), before);
	EXPECT(compact_for(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT,
	                   &page) == COMPACT_CONTENDED);
	EXPECT_EQUAL(clock_microseconds(), before + 20000);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_isolated), 0);
	zone->lru.isolated[LRU_FILE]--;
	EXPECT(compact_for(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT,
	                   &page) == COMPACT_SUCCESS);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	zone->lru.isolated[LRU_FILE] -= 64;
	zone->lru.count[LRU_UNEVICTABLE] -= 4096;
	return alternate_end();
}

/* ---- Random -------------------------------------------------------------- */

CASE(compaction, random_pages_keep_their_contents)
{
	struct random dice = { test_seed() };
	static char said[200];

	test_reclaim_start();
	machine_set_marks(zone, 8, 10, 12);
	for (unsigned int round = 0; round < 200; round++) {
		unsigned long i;

		space_fill(&file_space, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
		           random_below(&dice, 3000));
		for (i = 0; i < SPACE_PAGES; i++) {
			struct page *page = file_space.page[i];

			if (page != NULL && random_below(&dice, 3) == 0)
				space_truncate(&file_space, i);
			else if (page != NULL)
				memcpy(page_address(page), &i, sizeof(i));
		}
		if (random_below(&dice, 2) == 0) {
			struct page *page = alloc_pages_node(
				node, GFP_NOWAIT | __GFP_NOWARN, 0);

			if (page != NULL)
				pile.page[pile.count++] = page;
		}
		compact_node(node);
		for (i = 0; i < SPACE_PAGES; i++) {
			struct page *page = file_space.page[i];

			if (page != NULL)
				EXPECT(memcmp(page_address(page), &i,
				              sizeof(i)) == 0);
		}
		EXPECT(pageblock_check(zone, said, sizeof(said)) == NULL);
		EXPECT(lru_check(node, said, sizeof(said)) == NULL);
	}
	EXPECT(test_reclaim_stat(VMSTAT_pgmigrate_success) > 1000);
	return test_reclaim_finish();
}
