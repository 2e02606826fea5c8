/* SPDX-License-Identifier: MIT */
/* tests/host/test_kcompactd.c -- who wakes kcompactd, what it does, and when it looks by
 * itself. */
#include <string.h>

#include "kernel/core/clock.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/kcompactd.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "tests/host/test_reclaim.h"
#include "tests/suite.h"

SUITE(kcompactd);

static struct kcompactd test_kcompactd_state;

/* GAPS single pages are free, every second one of pages that can move; marks far below
 * leave room. */
static void test_kcompactd_scatter(unsigned long gaps)
{
	test_reclaim_start();
	machine_set_marks(zone, 8, 10, 12);
	node->recovery.compact = compact_for_request;
	node->wake_kswapd = wakeup_kswapd;
	node->reclaim.kswapd_sleeps = true;
	space_fill(&file_space, GFP_HIGHUSER_MOVABLE, PAGES - 20);
	pile_leave(&pile, 0);
	for (unsigned long i = 0; i < 2 * gaps; i += 2)
		space_truncate(&file_space, i);
	test_kcompactd_state.pause = KCOMPACTD_PAUSE;
}

static const char *test_kcompactd_end(void)
{
	static char said[200];
	const char *broken = pageblock_check(zone, said, sizeof(said));

	machine_set_wait_hook(NULL);
	if (broken == NULL)
		broken = zone_check(zone, NULL, false, said, sizeof(said));
	return broken == NULL ? test_reclaim_finish() : broken;
}

/* Pages that no compaction can move. */
static void test_kcompactd_freeze(void)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (file_space.page[i] != NULL)
			get_page(file_space.page[i]);
	}
}

static void test_kcompactd_thaw(void)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (file_space.page[i] != NULL)
			put_page(file_space.page[i]);
	}
}

static struct kcompactd_state *test_kcompactd_of(void)
{
	return &node->reclaim.kcompactd;
}

/* ---- Waking -------------------------------------------------------------- */

CASE(kcompactd, order_0_never_wakes_it)
{
	unsigned long before;

	test_kcompactd_scatter(500);
	before = machine_wake_ups();
	wakeup_kcompactd(node, 0, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	EXPECT_EQUAL(machine_wake_ups(), before + 1);
	EXPECT_EQUAL(test_kcompactd_of()->order, 3);
	wakeup_kcompactd(node, 0, ZONE_NORMAL);
	EXPECT_EQUAL(machine_wake_ups(), before + 1);
	return test_kcompactd_end();
}

CASE(kcompactd, is_not_woken_where_compaction_is_not_worth_while)
{
	unsigned long before;

	/* 8 + 16 pages are not more than min and twice the block. */
	test_kcompactd_scatter(24);
	before = machine_wake_ups();
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	EXPECT_EQUAL(machine_wake_ups(), before);
	/* It is remembered. */
	EXPECT_EQUAL(test_kcompactd_of()->order, 3);
	EXPECT(test_kcompactd_end() == NULL);
	test_kcompactd_scatter(25);
	before = machine_wake_ups();
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	EXPECT_EQUAL(machine_wake_ups(), before + 1);
	return test_kcompactd_end();
}

CASE(kcompactd, is_not_woken_where_there_is_a_block)
{
	unsigned long before;

	test_reclaim_start();
	before = machine_wake_ups();
	wakeup_kcompactd(node, MAX_ORDER, ZONE_NORMAL);
	EXPECT_EQUAL(machine_wake_ups(), before);
	return test_reclaim_finish();
}

/* In kswapd's nap: the order that kcompactd was asked for. */
static unsigned int test_kcompactd_order_in_nap;

static bool test_kcompactd_end_nap(struct wait_queue *queue)
{
	if (queue != &node->reclaim.kswapd_wait)
		return false;
	test_kcompactd_order_in_nap = test_kcompactd_of()->order;
	node->reclaim.kswapd_called = true;
	return true;
}

CASE(kcompactd, kswapd_wakes_it_before_it_sleeps_for_an_order_not_found)
{
	struct kswapd kswapd = { .highest = ZONE_MOVABLE };

	test_kcompactd_scatter(500);
	thread_set_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	machine_set_wait_hook(test_kcompactd_end_nap);
	/* It reclaims more than 2 << 3 pages for order 3, and no block comes of it. */
	space_clear(&anon_space);
	machine_set_marks(zone, 8, 10, 600);
	node->reclaim.kswapd_sleeps = true;
	wakeup_kswapd(node, 3, ZONE_NORMAL, true);
	EXPECT(node->reclaim.kswapd_called);
	kswapd_step(node, &kswapd);
	EXPECT_EQUAL(kswapd.asked_order, 3);
	EXPECT_EQUAL(kswapd.reached_order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	kswapd_step(node, &kswapd);
	EXPECT_EQUAL(test_kcompactd_order_in_nap, 3);
	/* Once: it has nothing to find any more. */
	test_kcompactd_of()->order = 0;
	kswapd_step(node, &kswapd);
	EXPECT_EQUAL(test_kcompactd_order_in_nap, 0);
	thread_clear_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	return test_kcompactd_end();
}

CASE(kcompactd, a_boost_worked_off_asks_for_a_pageblock)
{
	test_kcompactd_scatter(600);
	thread_set_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	zone->watermark_boost = 100;
	kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_of()->order, PAGEBLOCK_ORDER);
	thread_clear_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	return test_kcompactd_end();
}

CASE(kcompactd, a_request_that_cannot_compact_asks_where_kswapd_has_no_hope)
{
	test_kcompactd_scatter(500);
	node->reclaim.kswapd_failures = MAX_RECLAIM_RETRIES;
	EXPECT(alloc_pages_node(node, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
	                        MAX_ORDER) == NULL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT(alloc_pages_node(node, GFP_NOWAIT | __GFP_NOWARN, 5) == NULL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 5);
	EXPECT(!node->reclaim.kswapd_called);
	/* Where there is hope, kswapd comes first. */
	test_kcompactd_of()->order = 0;
	node->reclaim.kswapd_failures = 0;
	EXPECT(alloc_pages_node(node, GFP_NOWAIT | __GFP_NOWARN, 5) == NULL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT(node->reclaim.kswapd_called);
	return test_kcompactd_end();
}

/* ---- Working ------------------------------------------------------------- */

CASE(kcompactd, makes_a_block_of_the_largest_order_asked_for)
{
	test_kcompactd_scatter(500);
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	wakeup_kcompactd(node, 5, ZONE_DMA32);
	wakeup_kcompactd(node, 4, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 5);
	EXPECT_EQUAL(test_kcompactd_of()->highest, ZONE_DMA32);
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT(zone->nonempty[MIGRATE_MOVABLE] >> 5 != 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 1);
	EXPECT(test_reclaim_stat(VMSTAT_compact_daemon_migrate_scanned) > 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_migrate_scanned),
	             test_reclaim_stat(VMSTAT_compact_migrate_scanned));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_stall), 0);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->highest, ZONE_MOVABLE);
	EXPECT_EQUAL(zone->compact.order_failed, 6);
	return test_kcompactd_end();
}

CASE(kcompactd, defers_after_a_failure_and_obeys_it)
{
	unsigned long scanned;

	test_kcompactd_scatter(500);
	test_kcompactd_freeze();
	zone->compact.order_failed = MAX_ORDER + 1;
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(zone->compact.defer_shift, 1);
	EXPECT_EQUAL(zone->compact.order_failed, 3);
	scanned = test_reclaim_stat(VMSTAT_compact_daemon_migrate_scanned);
	EXPECT(scanned > 0);
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 2);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_migrate_scanned),
	             scanned);
	test_kcompactd_thaw();
	return test_kcompactd_end();
}

CASE(kcompactd, what_comes_meanwhile_is_its_next_work)
{
	test_kcompactd_scatter(500);
	test_kcompactd_of()->order = 3;
	kcompactd_step(node, &test_kcompactd_state);
	wakeup_kcompactd(node, 7, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 7);
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT(zone->nonempty[MIGRATE_MOVABLE] >> 7 != 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 2);
	return test_kcompactd_end();
}

/* In the midst of its work: what is asked for then. */
static struct {
	unsigned int order; /* 0: nothing any more */
	enum zone_type highest;
} test_kcompactd_second;

static void test_kcompactd_ask_again(const struct spinlock *lock)
{
	unsigned int order = test_kcompactd_second.order;

	if (order == 0 || lock != &zone->lru.lock)
		return;
	test_kcompactd_second.order = 0;
	wakeup_kcompactd(node, order, test_kcompactd_second.highest);
}

/* It works for order 5 in all zones, and ORDER up to HIGHEST is asked for meanwhile. */
static void test_kcompactd_start_twice(unsigned int order,
                                       enum zone_type highest)
{
	test_kcompactd_scatter(500);
	test_kcompactd_second.order = order;
	test_kcompactd_second.highest = highest;
	wakeup_kcompactd(node, 5, ZONE_MOVABLE);
	machine_set_unlock_hook(test_kcompactd_ask_again);
	kcompactd_step(node, &test_kcompactd_state);
	machine_set_unlock_hook(NULL);
}

CASE(kcompactd, a_larger_order_asked_for_while_it_works_starts_it_again)
{
	test_kcompactd_start_twice(7, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_second.order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->order, 7);
	EXPECT_EQUAL(test_kcompactd_of()->highest, ZONE_NORMAL);
	EXPECT(zone->nonempty[MIGRATE_MOVABLE] >> 5 != 0);
	/* It does not sleep before. */
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT(zone->nonempty[MIGRATE_MOVABLE] >> 7 != 0);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->highest, ZONE_MOVABLE);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 2);
	return test_kcompactd_end();
}

CASE(kcompactd, no_larger_order_asked_for_while_it_works_is_done_with_the_first)
{
	test_kcompactd_start_twice(5, ZONE_MOVABLE);
	EXPECT_EQUAL(test_kcompactd_second.order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->highest, ZONE_MOVABLE);
	EXPECT(test_kcompactd_end() == NULL);
	/* Not so its zone: the next request counts up to it only. */
	test_kcompactd_start_twice(4, ZONE_DMA32);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT_EQUAL(test_kcompactd_of()->highest, ZONE_DMA32);
	return test_kcompactd_end();
}

CASE(kcompactd, what_did_not_wake_it_is_looked_at_the_next_time)
{
	uint64_t before;

	test_kcompactd_scatter(25);
	test_kcompactd_of()->order = 0;
	before = clock_microseconds();
	machine_set_marks(zone, 800, 810, 820);
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_of()->order, 3);
	/* Not worth while, as before: it does nothing, and forgets it. */
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(clock_microseconds(), before);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_migrate_scanned), 0);
	EXPECT_EQUAL(zone->compact.defer_shift, 0);
	return test_kcompactd_end();
}

CASE(kcompactd, a_look_that_was_ordered_comes_before_what_is_asked_for)
{
	test_kcompactd_scatter(1024);
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	kcompactd_set_proactiveness(node, 20);
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 0);
	EXPECT(fragmentation_score_node(node) <= 80);
	EXPECT(!test_kcompactd_of()->look);
	EXPECT_EQUAL(test_kcompactd_of()->order, 3);
	kcompactd_step(node, &test_kcompactd_state);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 1);
	EXPECT_EQUAL(test_kcompactd_of()->order, 0);
	EXPECT_EQUAL(machine_waits(), 0);
	return test_kcompactd_end();
}

/* A page is given to a list of CPU 0, and kcompactd works for order 3: are there pages on the
 * lists afterwards? */
static bool test_kcompactd_leaves_lists(void)
{
	static struct pcp_cpu lists;
	bool left;

	pcp_start(node, &lists, 1);
	__free_page(alloc_page(GFP_HIGHUSER_MOVABLE));
	kassert(zone->pcp[0]->count > 0);
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	kcompactd_step(node, &test_kcompactd_state);
	left = zone->pcp[0]->count > 0;
	pcp_stop(node);
	return left;
}

CASE(kcompactd, empties_the_cpus_lists_after_a_failure_and_not_after_a_success)
{
	test_kcompactd_scatter(500);
	test_kcompactd_freeze();
	EXPECT(!test_kcompactd_leaves_lists());
	EXPECT_EQUAL(zone->compact.defer_shift, 1);
	test_kcompactd_thaw();
	EXPECT(test_kcompactd_end() == NULL);
	test_kcompactd_scatter(500);
	EXPECT(test_kcompactd_leaves_lists());
	EXPECT_EQUAL(zone->compact.defer_shift, 0);
	return test_kcompactd_end();
}

/* ---- Proactive compaction ------------------------------------------------ */

CASE(kcompactd, begins_above_90_and_ends_at_80_with_100_at_15_and_5)
{
	static const unsigned int row[][3] = {
		{ 20, 90, 80 }, { 100, 15, 5 }, { 97, 15, 5 },
		{ 95, 15, 5 },  { 94, 16, 6 },  { 5, 100, 95 },
	};

	test_reclaim_start();
	EXPECT_EQUAL(test_kcompactd_of()->proactiveness, 20);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		kcompactd_set_proactiveness(node, row[i][0]);
		EXPECT_EQUAL(fragmentation_score_wmark(node, false), row[i][1]);
		EXPECT_EQUAL(fragmentation_score_wmark(node, true), row[i][2]);
	}
	return test_reclaim_finish();
}

CASE(kcompactd, a_hundred_pages_beside_a_pageblock_are_16_per_cent)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 8192, 0, 0 };

	machine_start(8192);
	node = machine_zones(0, pages);
	zone = &node->zone[ZONE_DMA32];
	pile.node = node;
	pile.count = 0;
	pile_drain(&pile, __GFP_MEMALLOC | __GFP_MOVABLE, 8192);
	EXPECT_EQUAL(fragmentation_score_node(node), 0);
	for (unsigned long i = 0; i < 512 + 200; i += i < 512 ? 1 : 2)
		free_pages_node(node, zone_page(zone, i), 0, RETURN_ADDRESS());
	EXPECT_EQUAL(zone->free_area[9].count, 1);
	EXPECT_EQUAL(zone->free_area[0].count, 100);
	/* Times 8192 / 8193, rounded down, as in Linux. */
	EXPECT_EQUAL(fragmentation_score_node(node), 15);
	machine_stop();
	return NULL;
}

/* How long did it sleep before it did what? */
static uint64_t test_kcompactd_step_takes(void)
{
	uint64_t before = clock_microseconds();

	kcompactd_step(node, &test_kcompactd_state);
	return clock_microseconds() - before;
}

CASE(kcompactd, looks_every_500_ms_and_makes_large_blocks_of_single_pages)
{
	test_kcompactd_scatter(1024);
	EXPECT_EQUAL(fragmentation_score_node(node), 99);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	EXPECT(fragmentation_score_node(node) <= 80);
	/* Not further than that: 20 per cent of the free pages. */
	EXPECT_EQUAL(zone->free_area[9].count + 2 * zone->free_area[10].count,
	             1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_daemon_wake), 0);
	EXPECT(test_reclaim_stat(VMSTAT_compact_daemon_migrate_scanned) > 0);
	/* Below 90 it does nothing. */
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	EXPECT_EQUAL(zone->free_area[9].count + 2 * zone->free_area[10].count,
	             1);
	return test_kcompactd_end();
}

CASE(kcompactd, without_progress_it_looks_again_after_32_seconds)
{
	test_kcompactd_scatter(1024);
	test_kcompactd_freeze();
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 32000000);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 32000000);
	/* After a request the pause is 500 ms again. */
	wakeup_kcompactd(node, 3, ZONE_NORMAL);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 0);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	test_kcompactd_thaw();
	return test_kcompactd_end();
}

CASE(kcompactd, does_not_look_while_kswapd_works)
{
	test_kcompactd_scatter(1024);
	node->reclaim.kswapd_sleeps = false;
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_migrate_scanned), 0);
	node->reclaim.kswapd_sleeps = true;
	return test_kcompactd_end();
}

CASE(kcompactd, with_proactiveness_0_it_only_waits)
{
	unsigned long before;
	char text[300];

	test_kcompactd_scatter(1024);
	before = machine_wake_ups();
	kcompactd_set_proactiveness(node, 0);
	EXPECT_EQUAL(machine_wake_ups(), before);
	EXPECT(machine_try(kcompactd_run, node, text, sizeof(text)) ==
	       MACHINE_PANICKED);
	EXPECT(strcmp(text, "everybody sleeps: thread main waits for "
	                    "kcompactd_wait") == 0);
	thread_clear_flags(current_thread(), THREAD_SERVICE);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_compact_migrate_scanned), 0);
	/* Turned on, it looks immediately. */
	kcompactd_set_proactiveness(node, 20);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 0);
	EXPECT(test_reclaim_stat(VMSTAT_compact_migrate_scanned) > 0);
	EXPECT_EQUAL(test_kcompactd_step_takes(), 500000);
	return test_kcompactd_end();
}
