/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_reclaim_kswapd.c -- kswapd: waking, balancing, giving up.
 */
#include "kernel/core/clock.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/mm_check.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/scope.h"
#include "tests/host/pile.h"
#include "tests/host/test_reclaim.h"
#include "tests/suite.h"

SUITE(kswapd);

static void dirty_all(struct space *space)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (space->page[i] != NULL)
			set_page_dirty(space->page[i]);
	}
}

/* ---- kswapd -------------------------------------------------------------- */

static struct kswapd state;

/* Main plays kswapd. */
static void be_kswapd(void)
{
	thread_set_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	node->wake_kswapd = wakeup_kswapd;
	state = (struct kswapd){ .highest = ZONE_MOVABLE };
}

static const char *finish_kswapd(void)
{
	machine_set_wait_hook(NULL);
	thread_clear_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	return test_reclaim_finish();
}

static unsigned int naps;     /* waits of kswapd so far */
static unsigned int awake_in; /* which of them is ended by requests */

/* Somebody without PF_MEMALLOC takes pages until the low mark is crossed. */
static bool others_allocate(struct wait_queue *queue)
{
	if (queue != &node->reclaim.kswapd_wait || ++naps != awake_in)
		return false;
	thread_clear_flags(current_thread(), THREAD_MEMALLOC);
	machine_enter_irq(NULL);
	while (!node->reclaim.kswapd_called)
		pile_drain(&pile, GFP_ATOMIC, 1);
	machine_leave_irq();
	thread_set_flags(current_thread(), THREAD_MEMALLOC);
	return true;
}

CASE(kswapd, is_woken_at_low_and_works_to_high)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 2000);
	pile_leave(&pile, HIGH + 10);
	be_kswapd();
	naps = 0;
	awake_in = 2;
	machine_set_wait_hook(others_allocate);
	kswapd_step(node, &state);
	EXPECT_EQUAL(naps, 2);
	EXPECT(zone->free_pages > HIGH);
	/* 26 pages were taken down to low, and one more in the slow path. */
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pageoutrun), 1);
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_kswapd) >= HIGH - LOW);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_kswapd_low_wmark_hit_quickly), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_kswapd_high_wmark_hit_quickly),
	             0);
	return finish_kswapd();
}

CASE(kswapd, woken_from_its_nap_of_100_ms_it_counts_low_hit_quickly)
{
	uint64_t before;

	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 2000);
	pile_leave(&pile, HIGH + 10);
	be_kswapd();
	naps = 0;
	awake_in = 1;
	machine_set_wait_hook(others_allocate);
	before = clock_microseconds();
	kswapd_step(node, &state);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_kswapd_low_wmark_hit_quickly), 1);
	EXPECT_EQUAL(clock_microseconds(), before);
	naps = 0;
	awake_in = 2;
	kswapd_step(node, &state);
	EXPECT_EQUAL(clock_microseconds(), before + 100000);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_kswapd_low_wmark_hit_quickly), 1);
	return finish_kswapd();
}

CASE(kswapd, with_nothing_to_do_it_naps_and_then_sleeps_forever)
{
	unsigned int flags;
	char text[300];

	test_reclaim_start();
	EXPECT(machine_try(kswapd_run, node, text, sizeof(text)) ==
	       MACHINE_PANICKED);
	flags = current_thread()->flags;
	EXPECT(strcmp(text, "everybody sleeps: thread main waits for "
	                    "kswapd_wait") == 0);
	EXPECT_EQUAL(machine_waits(), 2);
	EXPECT_EQUAL(flags, THREAD_MEMALLOC | THREAD_KSWAPD);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pageoutrun), 0);
	test_reclaim_start();
	return test_reclaim_finish();
}

CASE(kswapd, does_not_sleep_while_there_is_work)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 2000);
	pile_leave(&pile, LOW);
	be_kswapd();
	kswapd_step(node, &state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_kswapd_high_wmark_hit_quickly),
	             1);
	EXPECT(zone->free_pages > HIGH);
	return finish_kswapd();
}

CASE(kswapd, balanced_is_one_zone_above_high_and_the_reserve)
{
	const unsigned long pages[ZONE_COUNT] = { 256, 512, 0, 0 };

	machine_start(1024);
	node = machine_zones(0, pages);
	machine_set_marks(&node->zone[ZONE_DMA], 16, 20, 24);
	machine_set_marks(&node->zone[ZONE_DMA32], 16, 20, 24);
	machine_set_lowmem_reserve(&node->zone[ZONE_DMA], ZONE_NORMAL, 100);
	pile.node = node;
	pile.count = 0;
	pile_drain(&pile, __GFP_MEMALLOC, 512 - 24);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].free_pages, 24);
	EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
	pile_drain(&pile, __GFP_MEMALLOC | __GFP_DMA, 256 - 125);
	EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
	pile_drain(&pile, __GFP_MEMALLOC | __GFP_DMA, 1);
	EXPECT(!node_is_balanced(node, 0, ZONE_NORMAL));
	EXPECT(node_is_balanced(node, 0, ZONE_DMA));
	EXPECT(!node_is_balanced(node, 10, ZONE_DMA));
	pile_give(&pile, PILE_PAGES);
	return NULL;
}

/* Runs of kswapd_balance() on a node without a page that can go. */
static unsigned int fruitless_runs(unsigned int runs)
{
	while (runs-- > 0)
		kswapd_balance(node, 0, ZONE_NORMAL);
	return node->reclaim.kswapd_failures;
}

CASE(kswapd, goes_from_priority_12_to_1_and_never_looks_at_all_pages)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	file_space.busy = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	EXPECT_EQUAL(fruitless_runs(1), 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_kswapd),
	             looks(1000, 12, 1));
	return finish_kswapd();
}

CASE(kswapd, sixteen_fruitless_runs_make_the_node_hopeless)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	file_space.busy = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	EXPECT_EQUAL(fruitless_runs(15), 15);
	/* Not yet: it does not sleep. */
	kswapd_step(node, &state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT_EQUAL(node->reclaim.kswapd_failures, 16);
	/* Now it sleeps, and is not woken. */
	node->reclaim.kswapd_sleeps = true;
	wakeup_kswapd(node, 0, ZONE_NORMAL, true);
	EXPECT(!node->reclaim.kswapd_called);
	return finish_kswapd();
}

CASE(kswapd, page_that_anybody_reclaims_gives_hope_back)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	file_space.busy = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	EXPECT_EQUAL(fruitless_runs(16), 16);
	file_space.busy = false;
	thread_clear_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	EXPECT(test_reclaim_with(GFP_KERNEL) > 0);
	EXPECT_EQUAL(node->reclaim.kswapd_failures, 0);
	return finish_kswapd();
}

CASE(kswapd, after_twice_the_order_it_works_for_order_0_only)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 4000);
	be_kswapd();
	/* 1 + 3 + 7 pages are enough for order 3: more than 96 + 7. */
	pile_leave(&pile, HIGH - 1);
	EXPECT_EQUAL(kswapd_balance(node, 3, ZONE_NORMAL), 3);
	EXPECT(node_is_balanced(node, 3, ZONE_NORMAL));
	/* 16 come before there are 54 more. */
	pile_leave(&pile, HIGH / 2);
	EXPECT_EQUAL(kswapd_balance(node, 3, ZONE_NORMAL), 0);
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_kswapd) >= 2UL << 3);
	EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
	return finish_kswapd();
}

CASE(kswapd, wake_up_between_its_look_and_its_sleep_is_not_lost)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 2000);
	be_kswapd();
	/* Asked for a large block while it was at work. */
	pile_leave(&pile, HIGH + 10);
	wakeup_kswapd(node, 10, ZONE_NORMAL, true);
	EXPECT(!node->reclaim.kswapd_called);
	kswapd_step(node, &state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT_EQUAL(state.asked_order, 10);
	return finish_kswapd();
}

CASE(kswapd, writes_dirty_file_pages_and_waits_when_it_is_too_fast)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 600);
	dirty_all(&file_space);
	file_space.writes_last = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	for (unsigned int run = 0; run < 8; run++)
		kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT(file_space.writes > 0);
	EXPECT(node_writeback(node) > 0);
	/* Nobody ended a write: only the time limit ended the waits. */
	EXPECT(machine_waits() > 0);
	return finish_kswapd();
}

static bool test_reclaim_disk_works(struct wait_queue *queue)
{
	if (queue != &node->reclaim.writeback_wait)
		return false;
	machine_enter_irq(NULL);
	space_end_writes(&file_space, SWAP_CLUSTER_MAX);
	machine_leave_irq();
	return true;
}

CASE(kswapd, frees_what_the_disk_has_written_meanwhile)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 2000);
	dirty_all(&file_space);
	file_space.writes_last = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	machine_set_wait_hook(test_reclaim_disk_works);
	for (unsigned int run = 0;
	     run < 20 && !node_is_balanced(node, 0, ZONE_NORMAL); run++) {
		kswapd_balance(node, 0, ZONE_NORMAL);
		space_end_writes(&file_space, 8);
	}
	EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_kswapd) > HIGH - LOW);
	return finish_kswapd();
}

CASE(kswapd, ages_anonymous_pages_so_that_there_are_inactive_ones)
{
	test_reclaim_start();
	swap_on(1000);
	space_fill(&anon_space, GFP_KERNEL, 600);
	for (unsigned long i = 0; i < 600; i++)
		lru_activate(node, anon_space.page[i]);
	pile_leave(&pile, LOW);
	be_kswapd();
	kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT(test_reclaim_stat(VMSTAT_pgdeactivate) > 0);
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_anon) > 0);
	EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
	return finish_kswapd();
}

static unsigned long throttled_wakes;

CASE(kswapd, wakes_the_throttled_when_it_has_freed_enough_and_when_it_sleeps)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	pile_leave(&pile, 10);
	be_kswapd();
	throttled_wakes = machine_wake_ups();
	EXPECT(!allow_direct_reclaim(node));
	kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT(allow_direct_reclaim(node));
	EXPECT(machine_wake_ups() > throttled_wakes);
	return finish_kswapd();
}

CASE(kswapd, random_pressure_always_ends_above_high_or_hopeless)
{
	struct random random = { test_seed() };
	char text[160];

	for (unsigned int round = 0; round < 20; round++) {
		unsigned long pages = 200 + random_below(&random, 3000);

		test_reclaim_start();
		space_fill(&file_space, GFP_KERNEL, pages);
		for (unsigned long i = 0; i < pages; i++) {
			if (random_below(&random, 3) == 0)
				mark_page_accessed(file_space.page[i]);
			if (random_below(&random, 4) == 0)
				lru_activate(node, file_space.page[i]);
			if (random_below(&random, 5) == 0)
				set_page_dirty(file_space.page[i]);
		}
		pile_leave(&pile, random_below(&random, LOW));
		be_kswapd();
		for (unsigned int run = 0;
		     run < 40 && !node_is_balanced(node, 0, ZONE_NORMAL); run++)
			kswapd_balance(node, 0, ZONE_NORMAL);
		EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
		EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_kswapd),
		             file_space.releases);
		EXPECT(lru_check(node, text, sizeof(text)) == NULL);
		EXPECT(node_check(node, NULL, false, text, sizeof(text)) ==
		       NULL);
		if (finish_kswapd() != NULL)
			return finish_kswapd();
	}
	test_reclaim_start();
	return test_reclaim_finish();
}

/* ---- Boosted marks ------------------------------------------------------- */

/* The node is balanced but for a boost of one pageblock. */
static void boost_node(void)
{
	pile_leave(&pile, HIGH + 10);
	be_kswapd();
	zone->watermark_boost = PAGEBLOCK_PAGES;
}

CASE(kswapd, a_boost_is_worked_off_and_taken_away)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 3000);
	boost_node();
	EXPECT_EQUAL(kswapd_balance(node, 0, ZONE_NORMAL), 0);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	EXPECT(zone->free_pages > HIGH + PAGEBLOCK_PAGES);
	return finish_kswapd();
}

/* Rounds for a boost look at 1/1024 of a list or less, so a list must be
 * long. */
CASE(kswapd, for_a_boost_alone_nothing_is_written_or_swapped)
{
	static struct space more_files;

	test_reclaim_start_pages(SPACE_PLAIN, 4 * PAGES);
	swap_on(SPACE_PAGES);
	space_init(&more_files, SPACE_PLAIN);
	space_fill(&anon_space, GFP_KERNEL, SPACE_PAGES);
	space_fill(&file_space, GFP_KERNEL, SPACE_PAGES);
	space_fill(&more_files, GFP_KERNEL, SPACE_PAGES);
	dirty_all(&file_space);
	/* Above the boosted marks: only the boost is to be worked off. */
	pile_leave(&pile, HIGH + PAGEBLOCK_PAGES + 10);
	be_kswapd();
	zone->watermark_boost = PAGEBLOCK_PAGES;
	kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	EXPECT(test_reclaim_stat(VMSTAT_pgscan_kswapd) > 0);
	EXPECT_EQUAL(file_space.writes + anon_space.writes, 0);
	EXPECT_EQUAL(anon_space.swaps, 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_nr_vmscan_write), 0);
	space_clear(&more_files);
	return finish_kswapd();
}

CASE(kswapd, for_a_boost_alone_it_looks_at_a_1024th_of_a_list_at_most)
{
	static struct space more_files;
	unsigned long stolen;

	test_reclaim_start_pages(SPACE_PLAIN, 4 * PAGES);
	space_init(&more_files, SPACE_PLAIN);
	space_fill(&file_space, GFP_KERNEL, SPACE_PAGES);
	space_fill(&more_files, GFP_KERNEL, SPACE_PAGES);
	pile_leave(&pile, HIGH + PAGEBLOCK_PAGES + 10);
	be_kswapd();
	zone->watermark_boost = PAGEBLOCK_PAGES;
	kswapd_balance(node, 0, ZONE_NORMAL);
	stolen = test_reclaim_stat(VMSTAT_pgsteal_kswapd);
	/* 8192 / 1024 pages in a round: not many more than the boost. */
	EXPECT(stolen >= PAGEBLOCK_PAGES && stolen < PAGEBLOCK_PAGES + 16);
	space_clear(&more_files);
	return finish_kswapd();
}

CASE(kswapd, a_node_below_its_marks_is_balanced_before_its_boost)
{
	test_reclaim_start();
	swap_on(SPACE_PAGES);
	space_fill(&anon_space, GFP_KERNEL, 2000);
	boost_node();
	/* Below the boosted high mark: with all means. */
	EXPECT_EQUAL(kswapd_balance(node, 0, ZONE_NORMAL), 0);
	EXPECT(anon_space.swaps > 0);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	return finish_kswapd();
}

/* After five pages (1, 1 and 3 at the priorities 12, 11 and 10) others take all that is free,
 * and no page can go any more. */
static void others_drain(const struct spinlock *lock __unused)
{
	if (file_space.busy || file_space.releases < 5)
		return;
	file_space.busy = true;
	pile_leave(&pile, LOW);
}

CASE(kswapd, a_node_that_falls_below_its_marks_gets_a_run_of_all_priorities)
{
	unsigned long size = SPACE_PAGES;

	test_reclaim_start_pages(SPACE_PLAIN, 4 * PAGES);
	space_fill(&file_space, GFP_KERNEL, size);
	pile_leave(&pile, HIGH + PAGEBLOCK_PAGES + 10);
	be_kswapd();
	zone->watermark_boost = PAGEBLOCK_PAGES;
	machine_set_unlock_hook(others_drain);
	kswapd_balance(node, 0, ZONE_NORMAL);
	machine_set_unlock_hook(NULL);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	EXPECT_EQUAL(file_space.releases, 5);
	/* pile_leave() has cleared the counters: they have the last round for the boost,
	 * and the run of all priorities. */
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_kswapd), 3);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_kswapd),
	             3 + looks(size - 5, 12, 1));
	return finish_kswapd();
}

CASE(kswapd, is_woken_for_a_boost_though_the_node_is_balanced)
{
	test_reclaim_start();
	pile_leave(&pile, HIGH + PAGEBLOCK_PAGES + 10);
	be_kswapd();
	node->reclaim.kswapd_sleeps = true;
	wakeup_kswapd(node, 0, ZONE_NORMAL, true);
	EXPECT(!node->reclaim.kswapd_called);
	zone->watermark_boost = PAGEBLOCK_PAGES;
	wakeup_kswapd(node, 0, ZONE_NORMAL, true);
	EXPECT(node->reclaim.kswapd_called);
	node->reclaim.kswapd_called = false;
	node->reclaim.kswapd_sleeps = false;
	return finish_kswapd();
}
