/* SPDX-License-Identifier: MIT */
/* tests/host/test_capture.c -- which block a thread that compacts keeps for its request. */
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/reclaim/capture.h"
#include "mm/task.h"
#include "tests/host/test_reclaim.h"
#include "tests/suite.h"

SUITE(capture);

static struct capture capture;
static struct alloc_request wanted;

/* All pages are in use; the thread waits for a block of ORDER with MASK. */
static void test_capture_start(gfp_t mask, unsigned int order)
{
	test_reclaim_start();
	machine_set_marks(zone, 0, 0, 0);
	pile_leave(&pile, 0);
	wanted = test_reclaim_request_of(mask, order);
	capture_begin(&capture, zone, &wanted);
}

/* The COUNT pages from PFN on become free, the lowest first. */
static void test_capture_free(unsigned long pfn, unsigned long count)
{
	for (unsigned long i = 0; i < pile.count; i++) {
		struct page *page = pile.page[i];

		if (page == NULL || node_pfn(node, page) - pfn >= count)
			continue;
		pile.page[i] = NULL;
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
}

static const char *test_capture_end(void)
{
	static char said[200];
	const char *broken = zone_check(zone, NULL, false, said, sizeof(said));

	if (broken != NULL)
		return broken;
	EXPECT_EQUAL(zone->compact.captures, 0);
	pile_clear(&pile);
	return test_reclaim_finish();
}

CASE(capture, the_first_block_of_the_order_wanted_is_kept_and_merges_no_further)
{
	struct page *page;

	test_capture_start(GFP_HIGHUSER_MOVABLE, 1);
	test_capture_free(66, 2);
	EXPECT(capture.page == zone_page(zone, 66));
	EXPECT_EQUAL(zone->free_pages, 0);
	EXPECT_EQUAL(zone->loose_pages, 2);
	/* The second one, its neighbour, is free for all. */
	test_capture_free(64, 2);
	EXPECT_EQUAL(zone->free_area[1].count, 1);
	page = capture_end(&capture);
	EXPECT(page == zone_page(zone, 66));
	EXPECT(page->state == PAGE_USED && page->order == 1);
	EXPECT_EQUAL(page->refcount, 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgalloc_dma32), 2);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgfree), 4);
	free_pages_node(node, page, 1, RETURN_ADDRESS());
	EXPECT_EQUAL(zone->free_area[2].count, 1);
	return test_capture_end();
}

CASE(capture, blocks_of_other_orders_are_free_for_all)
{
	test_capture_start(GFP_HIGHUSER_MOVABLE, 2);
	test_capture_free(64, 2);
	EXPECT_EQUAL(zone->free_area[1].count, 1);
	EXPECT(capture_end(&capture) == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgalloc_dma32), 0);
	return test_capture_end();
}

/* One page of a MOVABLE pageblock would be mixed with others. */
CASE(capture, an_unmovable_request_keeps_no_part_of_a_movable_pageblock)
{
	struct page *page;

	test_capture_start(GFP_KERNEL, 1);
	EXPECT_EQUAL(pageblock_type(zone, 64), MIGRATE_MOVABLE);
	test_capture_free(64, 2);
	EXPECT(capture.page == NULL);
	zone->blocks[1].type = MIGRATE_RECLAIMABLE;
	test_capture_free(512, 2);
	page = capture_end(&capture);
	EXPECT(page == zone_page(zone, 512));
	free_pages_node(node, page, 1, RETURN_ADDRESS());
	return test_capture_end();
}

/* A pageblock of TYPE is set aside, so no part of it is for the request. */
static const char *test_capture_not_of(enum migratetype type)
{
	test_capture_start(GFP_HIGHUSER_MOVABLE, 1);
	zone->blocks[0].type = (uint8_t)type;
	test_capture_free(64, 2);
	EXPECT(capture.page == NULL);
	EXPECT_EQUAL(zone->free_area[1].of_type[type], 1);
	EXPECT(capture_end(&capture) == NULL);
	machine_stop();
	return NULL;
}

CASE(capture, no_part_of_an_isolated_pageblock_is_kept)
{
	return test_capture_not_of(MIGRATE_ISOLATE);
}

CASE(capture, no_part_of_a_cma_pageblock_is_kept)
{
	return test_capture_not_of(MIGRATE_CMA);
}

CASE(capture, but_it_keeps_all_of_one)
{
	struct page *page;

	test_capture_start(GFP_KERNEL, PAGEBLOCK_ORDER);
	test_capture_free(1024, 512);
	page = capture_end(&capture);
	EXPECT(page == zone_page(zone, 1024));
	EXPECT_EQUAL(page->order, PAGEBLOCK_ORDER);
	free_pages_node(node, page, PAGEBLOCK_ORDER, RETURN_ADDRESS());
	return test_capture_end();
}

CASE(capture, a_corrupt_page_is_not_kept)
{
	test_capture_start(GFP_HIGHUSER_MOVABLE, 1);
	test_capture_free(64, 1);
	zone_page(zone, 64)->mapcount = 1;
	test_capture_free(65, 1);
	EXPECT(capture.page == NULL);
	EXPECT_EQUAL(zone->free_area[1].count, 1);
	zone_page(zone, 64)->mapcount = 0;
	EXPECT(capture_end(&capture) == NULL);
	return test_capture_end();
}

/* Its own thread is what counts, also for an interrupt on top. */
CASE(capture,
     what_an_interrupt_frees_counts_and_what_other_threads_free_does_not)
{
	struct mm_task *task = current_thread()->mm;
	struct page *page;

	test_capture_start(GFP_HIGHUSER_MOVABLE, 1);
	task->capture = NULL;
	test_capture_free(64, 2);
	EXPECT(capture.page == NULL);
	task->capture = &capture;
	machine_enter_irq(NULL);
	test_capture_free(128, 2);
	machine_leave_irq();
	page = capture_end(&capture);
	EXPECT(page == zone_page(zone, 128));
	free_pages_node(node, page, 1, RETURN_ADDRESS());
	return test_capture_end();
}

/* Linux: kernel threads capture nothing. */
CASE(capture, a_service_thread_keeps_nothing)
{
	test_capture_start(GFP_HIGHUSER_MOVABLE, 1);
	thread_set_flags(current_thread(), THREAD_SERVICE);
	test_capture_free(64, 2);
	thread_clear_flags(current_thread(), THREAD_SERVICE);
	EXPECT(capture.page == NULL);
	EXPECT_EQUAL(zone->free_area[1].count, 1);
	EXPECT(capture_end(&capture) == NULL);
	return test_capture_end();
}
