/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_compaction_runs.c -- one run of compaction for a request: the zones that
 * it looks at, the pageblocks and pages that it takes, and its answer.
 *
 * The zone has eight pageblocks; each frame is laid out by the case.
 */
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "tests/host/contig_scene.h"
#include "tests/suite.h"

SUITE(compaction_runs);

#define BLOCK PAGEBLOCK_PAGES

/* In a pageblock each second frame has a page of SPACE; the others are to become free. */
static void runs_alternate(struct space *space, unsigned long number)
{
	for (unsigned long pfn = number * BLOCK; pfn < (number + 1) * BLOCK;
	     pfn += 2)
		contig_scene_put(space, pfn + 1);
}

static void runs_open(unsigned long number)
{
	for (unsigned long pfn = number * BLOCK; pfn < (number + 1) * BLOCK;
	     pfn += 2)
		contig_scene_give(pfn, pfn + 1);
}

/* Pageblocks FIRST..LAST are so, the other frames are kept by their owner. */
static void runs_start(struct space *space, unsigned long first,
                       unsigned long last)
{
	contig_scene_start(SPACE_PLAIN);
	machine_set_marks(zone, 8, 10, 12);
	for (unsigned long number = first; number <= last; number++)
		runs_alternate(space, number);
	for (unsigned long number = first; number <= last; number++)
		runs_open(number);
}

static enum compact_result runs_compact(gfp_t mask, unsigned int order,
                                        enum compact_priority priority)
{
	struct alloc_request request = test_reclaim_request_of(mask, order);
	struct page *page = NULL;
	enum compact_result result =
		compact_for_request(node, &request, priority, &page);

	if (page != NULL)
		free_pages_node(node, page, order, RETURN_ADDRESS());
	return result;
}

static unsigned long runs_moved(void)
{
	return test_reclaim_stat(VMSTAT_pgmigrate_success);
}

/* ---- The answer ---------------------------------------------------------- */

CASE(compaction_runs, deferred_in_every_zone_is_one_stall_and_one_failure)
{
	runs_start(&file_space, 0, 3);
	node->recovery.compact = compact_for_request;
	defer_compaction(zone, 4);
	EXPECT(alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                        4) == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_stall), 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_fail), 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_success), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_migrate_scanned), 0);
	return contig_scene_end();
}

CASE(compaction_runs, where_the_mark_passes_it_is_success_without_work)
{
	runs_start(&file_space, 0, 3);
	contig_scene_give(7 * BLOCK, 7 * BLOCK + 8);
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_migrate_scanned), 0);
	/* It counts as a success: this order did not fail. */
	EXPECT_EQUAL(zone->compact.order_failed, 4);
	return contig_scene_end();
}

CASE(compaction_runs, without_room_it_is_skipped_and_no_stall)
{
	runs_start(&file_space, 0, 0);
	node->recovery.compact = compact_for_request;
	machine_set_marks(zone, 240, 240, 240);
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 3, COMPACT_SYNC_FULL),
	             COMPACT_SKIPPED);
	EXPECT(alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                        3) == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_stall), 0);
	EXPECT_EQUAL(zone->compact.defer_shift, 0);
	return contig_scene_end();
}

/* Two zones without a free page. */
static void runs_two_zones(void)
{
	const unsigned long pages[ZONE_COUNT] = { 0, 2048, 2048, 0 };

	machine_start(4096);
	node = machine_zones(0, pages);
	set_main_node(node);
	for (int type = ZONE_DMA32; type <= ZONE_NORMAL; type++)
		machine_set_marks(&node->zone[type], 8, 10, 12);
	pile.node = node;
	pile.count = 0;
	pile_leave(&pile, 0);
}

/* COUNT pages of the zone of TYPE become free, each STEP frames from the next. */
static void runs_give(enum zone_type type, unsigned long count,
                      unsigned long step)
{
	unsigned long first = node->zone[type].start_pfn;

	for (unsigned long i = 0; i < pile.count; i++) {
		unsigned long pfn =
			pile.page[i] == NULL ? 0 : node_pfn(node, pile.page[i]);

		if (pile.page[i] == NULL || pfn < first ||
		    pfn >= first + count * step || (pfn - first) % step != 0)
			continue;
		free_pages_node(node, pile.page[i], 0, RETURN_ADDRESS());
		pile.page[i] = NULL;
	}
}

static const char *runs_two_zones_end(void)
{
	pile_clear(&pile);
	EXPECT_EQUAL(node_free(node), 4096);
	return contig_scene_check();
}

/* NORMAL is looked at first; the answer is the largest of the two. */
CASE(compaction_runs, success_ends_it_and_else_the_larger_answer_counts)
{
	const struct compact_state *low;

	runs_two_zones();
	low = &node->zone[ZONE_DMA32].compact;
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_SKIPPED);
	defer_compaction(&node->zone[ZONE_DMA32], 3);
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_DEFERRED);
	EXPECT_EQUAL(low->considered, 1);
	/* Pages that cannot move: it is tried, and fails, and is deferred. */
	runs_give(ZONE_NORMAL, 64, 2);
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_FAILED);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].compact.defer_shift, 1);
	runs_give(ZONE_NORMAL, 128, 1);
	node->zone[ZONE_NORMAL].compact.order_failed = MAX_ORDER + 1;
	node->zone[ZONE_DMA32].compact.considered = 0;
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(low->considered, 0);
	return runs_two_zones_end();
}

CASE(compaction_runs, a_killed_thread_stops)
{
	runs_start(&file_space, 0, 3);
	thread_set_flags(current_thread(), THREAD_KILLED);
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_CONTENDED);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	EXPECT_EQUAL(runs_moved(), 0);
	EXPECT_EQUAL(zone->compact.defer_shift, 0);
	return contig_scene_end();
}

/* ---- Is there room? ------------------------------------------------------ */

/* Order 3 needs more than 480 + 16 free pages. */
CASE(compaction_runs, pages_of_cma_are_room_and_the_lowmem_reserve_is_not)
{
	contig_scene_start(SPACE_PLAIN);
	machine_set_marks(zone, 480, 600, 720);
	zone->blocks[0].type = MIGRATE_CMA;
	contig_scene_give(0, 497);
	EXPECT_EQUAL(zone->nr_free_cma, 497);
	EXPECT(compaction_suitable(zone, 3, ZONE_DMA32));
	zone->lowmem_reserve[ZONE_NORMAL] = 15;
	EXPECT(!compaction_suitable(zone, 3, ZONE_NORMAL));
	EXPECT(compaction_suitable(zone, 3, ZONE_DMA32));
	contig_scene_give(497, 512);
	EXPECT(compaction_suitable(zone, 3, ZONE_NORMAL));
	return contig_scene_end();
}

/* ---- Pageblocks ---------------------------------------------------------- */

CASE(compaction_runs, full_ignores_deferral_skip_bits_and_positions)
{
	runs_start(&file_space, 0, 3);
	zone->compact.order_failed = 3;
	zone->compact.defer_shift = 6;
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_DEFERRED);
	zone->compact.order_failed = MAX_ORDER + 1;
	for (unsigned long i = 0; i < PAGES / BLOCK; i++)
		zone->blocks[i].skip = true;
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_LIGHT),
	             COMPACT_FAILED);
	EXPECT_EQUAL(runs_moved(), 0);
	EXPECT_EQUAL(zone->compact.order_failed, 3);
	EXPECT_EQUAL(zone->compact.defer_shift, 6);
	zone->compact.migrate_pfn[0] = 3 * BLOCK;
	zone->compact.migrate_pfn[1] = 3 * BLOCK;
	zone->compact.free_pfn = 3 * BLOCK;
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_FULL),
	             COMPACT_SUCCESS);
	EXPECT(runs_moved() > 0);
	return contig_scene_end();
}

/* The only room lies in pageblocks of the kernel: 128 free frames of the highest, 256 of the
 * next one. */
static enum compact_result runs_into_kernel(enum compact_priority priority)
{
	runs_start(&file_space, 0, 3);
	for (unsigned long number = 4; number < 8; number++)
		zone->blocks[number].type = MIGRATE_UNMOVABLE;
	contig_scene_give(7 * BLOCK, 7 * BLOCK + 128);
	contig_scene_give(6 * BLOCK, 6 * BLOCK + 256);
	return runs_compact(GFP_HIGHUSER_MOVABLE, 9, priority);
}

CASE(compaction_runs,
     full_takes_room_from_all_pageblocks_and_makes_them_movable)
{
	EXPECT_EQUAL(runs_into_kernel(COMPACT_SYNC_LIGHT), COMPACT_SUCCESS);
	EXPECT_EQUAL(zone->blocks[7].free, 128);
	EXPECT_EQUAL(zone->blocks[6].free, 256);
	EXPECT_EQUAL(contig_scene_type(6), MIGRATE_UNMOVABLE);
	EXPECT(contig_scene_end() == NULL);
	EXPECT_EQUAL(runs_into_kernel(COMPACT_SYNC_FULL), COMPACT_SUCCESS);
	EXPECT_EQUAL(zone->blocks[7].free, 0);
	EXPECT_EQUAL(zone->blocks[6].free, 128);
	/* Less than half of it was free in one piece. */
	EXPECT_EQUAL(contig_scene_type(7), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(contig_scene_type(6), MIGRATE_MOVABLE);
	EXPECT(contig_scene_intact(&file_space));
	return contig_scene_end();
}

/* Another request has begun to change the type of a pageblock. */
CASE(compaction_runs, full_finishes_a_change_of_types_that_has_begun)
{
	bool enabled;

	runs_start(&file_space, 0, 3);
	for (unsigned long number = 4; number < 8; number++)
		zone->blocks[number].type = MIGRATE_UNMOVABLE;
	contig_scene_give(6 * BLOCK, 6 * BLOCK + 256);
	contig_scene_give(5 * BLOCK, 5 * BLOCK + 64);
	enabled = spin_lock_irqsave(&zone->lock);
	pageblock_retype(zone, zone_page(zone, 5 * BLOCK), MIGRATE_RECLAIMABLE);
	spin_unlock_irqrestore(&zone->lock, enabled);
	EXPECT(pageblock_is_unsettled(zone));
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 9, COMPACT_SYNC_FULL),
	             COMPACT_SUCCESS);
	EXPECT(!pageblock_is_unsettled(zone));
	EXPECT_EQUAL(contig_scene_type(6), MIGRATE_MOVABLE);
	EXPECT_EQUAL(contig_scene_type(5), MIGRATE_RECLAIMABLE);
	return contig_scene_end();
}

/* How many pages of the file are in pageblock NUMBER? */
static unsigned long runs_pages_in(unsigned long number)
{
	unsigned long count = 0;

	for (unsigned long i = 0; i < SPACE_PAGES; i++)
		count += file_space.page[i] != NULL &&
		         node_pfn(node, file_space.page[i]) / BLOCK == number;
	return count;
}

CASE(compaction_runs, async_moves_pages_only_of_pageblocks_of_its_type)
{
	contig_scene_start(SPACE_PLAIN);
	machine_set_marks(zone, 8, 10, 12);
	for (unsigned long number = 0; number < 6; number++)
		runs_alternate(&file_space, number);
	zone->blocks[0].type = MIGRATE_UNMOVABLE;
	zone->blocks[1].type = MIGRATE_RECLAIMABLE;
	zone->blocks[2].type = MIGRATE_CMA;
	for (unsigned long number = 0; number < 6; number++)
		runs_open(number);
	/* A request of the kernel moves some of its pageblock. */
	EXPECT_EQUAL(runs_compact(GFP_KERNEL, 4, COMPACT_ASYNC),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(runs_pages_in(0), 256 - 32);
	EXPECT_EQUAL(runs_pages_in(1), 256);
	EXPECT_EQUAL(runs_pages_in(2), 256);
	/* A movable one begins with the CMA pageblock. */
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 8, COMPACT_ASYNC),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(runs_pages_in(1), 256);
	EXPECT_EQUAL(runs_pages_in(2), 0);
	return contig_scene_end();
}

/* Nothing can move in the first three pageblocks. */
CASE(compaction_runs, async_leaves_the_position_of_sync_where_it_is)
{
	contig_scene_start(SPACE_PLAIN);
	machine_set_marks(zone, 8, 10, 12);
	runs_alternate(&file_space, 3);
	runs_open(3);
	runs_open(7);
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 1, COMPACT_ASYNC),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(zone->compact.migrate_pfn[0], 3 * BLOCK);
	EXPECT_EQUAL(zone->compact.migrate_pfn[1], 0);
	return contig_scene_end();
}

CASE(compaction_runs, a_skip_bit_goes_where_one_page_in_eight_is_listed_or_free)
{
	static const bool stays[8] = { true,  false, true, false,
		                       false, true,  true, true };

	contig_scene_start(SPACE_PLAIN);
	contig_scene_put(&file_space, BLOCK + 8);
	contig_scene_put(&file_space, 2 * BLOCK + 9);
	contig_scene_put(&anon_space, 3 * BLOCK);
	contig_scene_give(4 * BLOCK + 504, 4 * BLOCK + 505);
	contig_scene_give(5 * BLOCK + 503, 5 * BLOCK + 504);
	for (unsigned long i = 0; i < 8; i++)
		zone->blocks[i].skip = true;
	compaction_forget(node);
	for (unsigned long i = 0; i < 8; i++)
		EXPECT(zone->blocks[i].skip);
	/* A run for a request has been through the whole zone. */
	zone->compact.flush = true;
	compaction_forget(node);
	for (unsigned long i = 0; i < 8; i++)
		EXPECT_EQUAL(zone->blocks[i].skip, stays[i]);
	EXPECT(!zone->compact.flush);
	return contig_scene_end();
}

/* The pages of the first pageblock are in use, so the frames that were taken for them, the
 * highest, are left over.  The second has one that moves. */
CASE(compaction_runs, room_that_was_not_needed_raises_the_position_again)
{
	struct page *page[16];

	contig_scene_start(SPACE_PLAIN);
	for (unsigned long i = 0; i < 16; i++)
		page[i] = contig_scene_put(&file_space, 2 * i);
	contig_scene_put(&file_space, BLOCK + 1);
	machine_set_marks(zone, 8, 10, 12);
	for (unsigned long i = 0; i < 16; i++)
		get_page(page[i]);
	contig_scene_give(BLOCK, BLOCK + 1);
	for (unsigned long i = 0; i < 8; i++)
		contig_scene_give(7 * BLOCK + 2 * i, 7 * BLOCK + 2 * i + 1);
	for (unsigned long i = 0; i < 64; i++)
		contig_scene_give(6 * BLOCK + 2 * i, 6 * BLOCK + 2 * i + 1);
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 1, COMPACT_SYNC_LIGHT),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(runs_moved(), 1);
	/* It was scanned to its end, and has seven free frames again. */
	EXPECT(zone->blocks[7].skip && zone->blocks[7].free == 7);
	EXPECT_EQUAL(zone->compact.free_pfn, 7 * BLOCK);
	for (unsigned long i = 0; i < 16; i++)
		put_page(page[i]);
	return contig_scene_end();
}

/* ---- Pages --------------------------------------------------------------- */

CASE(compaction_runs, without_fs_anonymous_pages_move_unless_they_are_on_swap)
{
	runs_start(&anon_space, 0, 3);
	for (unsigned long i = 0; i < 1024; i++)
		page_set(anon_space.page[i], PG_swapcache);
	EXPECT_EQUAL(
		runs_compact(GFP_NOFS | __GFP_MOVABLE, 3, COMPACT_SYNC_LIGHT),
		COMPACT_FAILED);
	EXPECT_EQUAL(runs_moved(), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_isolated), 0);
	for (unsigned long i = 0; i < 1024; i++)
		page_clear(anon_space.page[i], PG_swapcache);
	zone->compact.defer_shift = 0;
	zone->compact.flush = true;
	compaction_forget(node);
	EXPECT_EQUAL(
		runs_compact(GFP_NOFS | __GFP_MOVABLE, 3, COMPACT_SYNC_LIGHT),
		COMPACT_SUCCESS);
	EXPECT(runs_moved() > 0);
	return contig_scene_end();
}

CASE(compaction_runs, unevictable_pages_move_and_stay_unevictable)
{
	runs_start(&file_space, 0, 3);
	for (unsigned long i = 0; i < 1024; i++)
		lru_set_unevictable(node, file_space.page[i], true);
	for (unsigned long i = 0; i < 16; i++)
		(void)space_add(&file_space, __GFP_MEMALLOC | __GFP_MOVABLE);
	EXPECT(compact_node(node) >= 400);
	for (unsigned long i = 0; i < 1024; i++)
		EXPECT(page_has(file_space.page[i], PG_unevictable));
	EXPECT_EQUAL(zone->lru.count[LRU_UNEVICTABLE], 1024);
	return contig_scene_end();
}

CASE(compaction_runs, a_page_under_writeback_is_taken_by_sync_only)
{
	runs_start(&file_space, 0, 0);
	contig_scene_give(7 * BLOCK, 7 * BLOCK + 128);
	for (unsigned long i = 0; i < 256; i++) {
		lock_page(file_space.page[i]);
		set_page_writeback(file_space.page[i]);
		unlock_page(file_space.page[i]);
	}
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 9, COMPACT_SYNC_LIGHT),
	             COMPACT_SKIPPED);
	EXPECT_EQUAL(runs_compact(GFP_HIGHUSER_MOVABLE, 3, COMPACT_SYNC_FULL),
	             COMPACT_SUCCESS);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_isolated), 0);
	return contig_scene_end();
}
