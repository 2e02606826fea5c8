/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_reclaim.c -- reclaim and kswapd, on pages with owners and
 * waits that are scripted.
 *
 * One zone of 4096 pages, marks 64/80/96, unless a case says otherwise.
 */
#include "tests/host/test_reclaim.h"

#include "kernel/core/clock.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/reclaim.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/scope.h"
#include "tests/host/pile.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/suite.h"

SUITE(reclaim);

struct space file_space;
struct space anon_space;

static unsigned long test_reclaim_free_slots(void)
{
	return anon_space.slots;
}

void start_kind(enum space_kind kind)
{
	test_reclaim_start_pages(kind, PAGES);
}

void test_reclaim_start_pages(enum space_kind kind, unsigned long pages)
{
	machine_start(pages);
	node = machine_one_zone(ZONE_DMA32, pages);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, MIN, LOW, HIGH);
	space_init(&file_space, kind);
	space_init(&anon_space, SPACE_ANON);
	pile.node = node;
	pile.count = 0;
}

void test_reclaim_start(void)
{
	start_kind(SPACE_PLAIN);
}

void swap_on(unsigned long slots)
{
	anon_space.slots = slots;
	reclaim_set_swap(node, test_reclaim_free_slots);
}

unsigned long test_reclaim_stat(enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

const char *test_reclaim_finish(void)
{
	char text[160];
	const char *broken = lru_check(node, text, sizeof(text));

	if (broken != NULL)
		return test_failure("%s", broken);
	space_end_writes(&file_space, SPACE_PAGES);
	space_end_writes(&anon_space, SPACE_PAGES);
	space_clear(&file_space);
	space_clear(&anon_space);
	pile_give(&pile, PILE_PAGES);
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		EXPECT_EQUAL(zone->lru.count[list], 0);
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 0);
	EXPECT_EQUAL(zone->lru.isolated[LRU_ANON], 0);
	EXPECT_EQUAL(node_dirty(node) + node_writeback(node), 0);
	return NULL;
}

struct alloc_request test_reclaim_request_of(gfp_t mask, unsigned int order)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];

	if (gfp_decode(mask, order, &context, &request, why, sizeof(why)) !=
	    GFP_OK)
		panic("%s", why);
	return request;
}

unsigned long test_reclaim_with(gfp_t mask)
{
	struct alloc_request request = test_reclaim_request_of(mask, 0);

	return test_direct_reclaim(node, &request);
}

unsigned long looks(unsigned long size, int from, int to)
{
	unsigned long sum = 0;

	for (int priority = from; priority >= to; priority--)
		sum += size >> priority;
	return sum;
}

/* ---- What becomes of one page -------------------------------------------- */

/* ---- Rounds -------------------------------------------------------------- */

CASE(reclaim, a_round_looks_at_size_shifted_by_priority_and_32_are_enough)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	/* 1 of 1000, 3 of 999, 7 of 996, 15 of 989, 30 of 974. */
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 56);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 56);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_direct), 56);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_file), 56);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_file), 56);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_kswapd), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_allocstall_normal), 1);
	EXPECT_EQUAL(zone->free_pages, PAGES - 1000 + 56);
	return test_reclaim_finish();
}

CASE(reclaim, oldest_pages_go_first)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 56);
	for (unsigned long i = 0; i < 1000; i++)
		EXPECT((file_space.page[i] == NULL) == (i < 56));
	return test_reclaim_finish();
}

CASE(reclaim, finds_nothing_after_looking_at_everything_at_priority_0)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 1000);
	file_space.busy = true;
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct),
	             looks(1000, 12, 0));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 1994);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_direct), 0);
	EXPECT_EQUAL(file_space.refused, 1994);
	return test_reclaim_finish();
}

CASE(reclaim, few_pages_that_can_go_are_found_in_the_end)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 20);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 20);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	return test_reclaim_finish();
}

CASE(reclaim, anonymous_pages_are_not_looked_at_without_swap)
{
	test_reclaim_start();
	space_fill(&anon_space, GFP_KERNEL, 1000);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	swap_on(0);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 0);
	swap_on(1000);
	EXPECT(test_reclaim_with(GFP_KERNEL) >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_file), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_anon), anon_space.writes);
	return test_reclaim_finish();
}

/* Linux's lru_note_cost(): a write counts as SWAP_CLUSTER_MAX pages brought back,
 * and what is more than a quarter of the pages is halved. */
CASE(reclaim, a_page_that_was_written_costs_as_much_as_32_that_came_back)
{
	struct scan scan = {
		.may_io = true,
		.may_fs = true,
		.kswapd = true,
		.highest_zone = ZONE_NORMAL,
		.wanted = SWAP_CLUSTER_MAX,
	};

	test_reclaim_start();
	swap_on(2000);
	node->swappiness = 200;
	space_fill(&anon_space, GFP_KERNEL, SWAP_CLUSTER_MAX);
	space_fill(&file_space, GFP_KERNEL, 3000);
	scan.node = node;
	shrink_node(&scan);
	EXPECT_EQUAL(anon_space.writes, SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(node->reclaim.cost[LRU_ANON],
	             SWAP_CLUSTER_MAX * SWAP_CLUSTER_MAX / 2);
	EXPECT_EQUAL(node->reclaim.cost[LRU_FILE], 0);
	return test_reclaim_finish();
}

CASE(reclaim, swappiness_divides_the_looks_and_0_leaves_anonymous_ones_alone)
{
	static const unsigned long swappiness[] = { 0, 60, 100, 200 };
	unsigned long before = 0;

	for (size_t i = 0; i < ARRAY_SIZE(swappiness); i++) {
		unsigned long of_anon;

		test_reclaim_start();
		node->swappiness = swappiness[i];
		swap_on(2000);
		space_fill(&anon_space, GFP_KERNEL, 1500);
		space_fill(&file_space, GFP_KERNEL, 1500);
		test_reclaim_with(GFP_KERNEL);
		of_anon = test_reclaim_stat(VMSTAT_pgscan_anon);
		EXPECT(i == 0 ? of_anon == 0 : of_anon > before);
		before = of_anon;
		if (swappiness[i] == 200)
			EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_file), 0);
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
	}
	test_reclaim_start();
	return test_reclaim_finish();
}

/* Free pages and those of files together are not above HIGH: nobody else can give
 * anything, and swap has room. */
CASE(reclaim, swappiness_0_looks_at_anonymous_pages_before_somebody_is_killed)
{
	for (unsigned int is_tiny = 0; is_tiny < 2; is_tiny++) {
		test_reclaim_start();
		node->swappiness = 0;
		swap_on(2000);
		space_fill(&anon_space, GFP_KERNEL, 1500);
		space_fill(&file_space, GFP_KERNEL, 10);
		machine_set_marks(zone, 10, 20, node_free(node) + 9 + is_tiny);
		EXPECT((test_reclaim_with(GFP_KERNEL) > 10) == is_tiny);
		EXPECT((test_reclaim_stat(VMSTAT_pgsteal_anon) > 0) == is_tiny);
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
	}
	test_reclaim_start();
	return test_reclaim_finish();
}

CASE(reclaim, active_list_is_shortened_only_if_the_inactive_one_is_the_shorter)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 500);
	for (unsigned long i = 0; i < 200; i++)
		lru_activate(node, file_space.page[i]);
	EXPECT(test_reclaim_with(GFP_KERNEL) < 100);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgdeactivate), 0);
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 200);
	for (unsigned long i = 200; i < 500; i++) {
		if (file_space.page[i] != NULL)
			lru_activate(node, file_space.page[i]);
	}
	EXPECT(test_reclaim_with(GFP_KERNEL) > 0);
	EXPECT(test_reclaim_stat(VMSTAT_pgdeactivate) > 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgrefill),
	             test_reclaim_stat(VMSTAT_pgdeactivate));
	return test_reclaim_finish();
}

/* Are active pages left alone with so many GIGABYTES, a part of INACTIVE / 1000 of
 * them inactive?  The numbers are on paper, but for 64 pages on each list. */
static bool spares_active(unsigned long gigabytes, unsigned long inactive)
{
	struct scan scan = { .may_io = true,
		             .may_fs = true,
		             .highest_zone = ZONE_NORMAL,
		             .wanted = 1,
		             .priority = 12 };
	unsigned long pages = gigabytes * (GIB / PAGE_SIZE) + 200;
	unsigned long *count;

	test_reclaim_start();
	scan.node = node;
	count = zone->lru.count;
	space_fill(&file_space, GFP_KERNEL, 128);
	for (unsigned long i = 0; i < 64; i++)
		lru_activate(node, file_space.page[i]);
	count[LRU_INACTIVE_FILE] = pages / 1000 * inactive;
	count[LRU_ACTIVE_FILE] = pages - pages / 1000 * inactive;
	shrink_node(&scan);
	for (unsigned int list = LRU_INACTIVE_FILE; list <= LRU_ACTIVE_FILE;
	     list++) {
		struct list *at;

		count[list] = 0;
		list_for_each(at, &zone->lru.pages[list]) {
			count[list]++;
		}
	}
	return test_reclaim_stat(VMSTAT_pgdeactivate) == 0;
}

CASE(reclaim, inactive_share_falls_with_the_root_of_ten_times_the_gigabytes)
{
	/* 1: 3 to 1; 4: 6 to 1; 10: 10 to 1; 100: 31 to 1. */
	static const struct {
		unsigned long gigabytes, low, enough;
	} row[] = {
		{ 1, 249, 251 },
		{ 4, 142, 144 },
		{ 10, 90, 92 },
		{ 100, 31, 32 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (spares_active(row[i].gigabytes, row[i].low))
			return test_failure("%lu GiB, too few inactive",
			                    row[i].gigabytes);
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
		if (!spares_active(row[i].gigabytes, row[i].enough))
			return test_failure("%lu GiB, enough inactive",
			                    row[i].gigabytes);
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
	}
	test_reclaim_start();
	return test_reclaim_finish();
}

CASE(reclaim, protected_pages_go_when_there_is_nothing_else)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 100);
	for (unsigned long i = 0; i < 50; i++)
		lru_activate(node, file_space.page[i]);
	/* As many inactive as active ones, and the inactive ones are held. */
	for (unsigned long i = 50; i < 100; i++)
		get_page(file_space.page[i]);
	EXPECT(test_reclaim_with(GFP_KERNEL) >= SWAP_CLUSTER_MAX);
	for (unsigned long i = 50; i < 100; i++)
		put_page(file_space.page[i]);
	return test_reclaim_finish();
}

CASE(reclaim, unevictable_pages_are_never_looked_at)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 100);
	for (unsigned long i = 0; i < 100; i++)
		lru_set_unevictable(node, file_space.page[i], true);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 0);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), zone->free_pages);
	return test_reclaim_finish();
}

CASE(reclaim, takes_pages_of_zones_that_the_request_may_use_only)
{
	const unsigned long pages[ZONE_COUNT] = { 256, 512, 0, 0 };

	machine_start(1024);
	node = machine_zones(0, pages);
	zone = &node->zone[ZONE_DMA];
	space_init(&file_space, SPACE_PLAIN);
	space_init(&anon_space, SPACE_ANON);
	pile.node = node;
	pile.count = 0;
	space_fill(&file_space, GFP_KERNEL, 600);
	EXPECT_EQUAL(node_lru_count(node, LRU_INACTIVE_FILE), 600);
	EXPECT(zone->lru.count[LRU_INACTIVE_FILE] == 88);
	EXPECT(test_reclaim_with(GFP_KERNEL | __GFP_DMA) >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].lru.count[LRU_INACTIVE_FILE], 512);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_allocstall_dma), 1);
	EXPECT(zone->free_pages >= 168 + SWAP_CLUSTER_MAX);
	return test_reclaim_finish();
}

CASE(reclaim, serves_the_front_door_with_pf_memalloc_and_not_inside_itself)
{
	struct page *page;

	test_reclaim_start();
	node->recovery.reclaim = reclaim_try_to_free_pages;
	node->recovery.reclaimable = zone_reclaimable_pages;
	space_fill(&file_space, GFP_KERNEL, 200);
	pile_leave(&pile, MIN);
	page = alloc_pages_node(node, GFP_KERNEL, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_allocstall_normal), 1);
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_direct) >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(file_space.flags, THREAD_MEMALLOC);
	EXPECT_EQUAL(current_thread()->flags, 0);
	__free_page(page);
	/* A thread that has it takes what is left, and reclaims nothing. */
	machine_set_memalloc(true);
	pile_drain(&pile, GFP_KERNEL, PAGES);
	machine_set_memalloc(false);
	EXPECT_EQUAL(node_free(node), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_allocstall_normal), 1);
	return test_reclaim_finish();
}

static bool end_all_writes(struct wait_queue *queue __unused)
{
	return space_end_writes(&anon_space, SPACE_PAGES) > 0;
}

/* Ten pages are under way: no page is reclaimed until they are written. */
CASE(reclaim, what_is_on_its_way_to_the_disk_is_waited_for_a_tenth_of_a_second)
{
	uint64_t before;

	test_reclaim_start();
	swap_on(1000);
	anon_space.writes_last = true;
	space_fill(&anon_space, GFP_KERNEL, 10);
	before = clock_microseconds();
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(anon_space.writes, 10);
	EXPECT_EQUAL(clock_microseconds() - before, 100000);
	machine_set_wait_hook(end_all_writes);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 10);
	EXPECT_EQUAL(clock_microseconds() - before, 100000);
	return test_reclaim_finish();
}

CASE(reclaim, nofs_and_noio_wait_for_no_write)
{
	uint64_t before;

	test_reclaim_start();
	swap_on(1000);
	anon_space.writes_last = true;
	space_fill(&anon_space, GFP_KERNEL, 10);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(anon_space.writes, 10);
	before = clock_microseconds();
	EXPECT_EQUAL(test_reclaim_with(GFP_NOIO), 0);
	EXPECT_EQUAL(test_reclaim_with(GFP_NOFS), 0);
	EXPECT_EQUAL(clock_microseconds(), before);
	return test_reclaim_finish();
}

CASE(reclaim, who_finds_most_pages_isolated_waits_20_ms_and_noio_does_not)
{
	uint64_t before;

	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 80);
	zone->lru.isolated[LRU_FILE] = 11;
	before = clock_microseconds();
	/* 80 / 8 < 11: two waits, at the priorities 6 .. 0 that look. */
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT(clock_microseconds() - before >= 20000);
	EXPECT(machine_waits() > 0);
	EXPECT(test_reclaim_with(GFP_NOIO) >= SWAP_CLUSTER_MAX);
	zone->lru.isolated[LRU_FILE] = 0;
	return test_reclaim_finish();
}

CASE(reclaim, reclaimable_are_file_pages_with_swap_all_and_free_ones_if_none)
{
	test_reclaim_start();
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), PAGES);
	space_fill(&anon_space, GFP_KERNEL, 10);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), PAGES - 10);
	space_fill(&file_space, GFP_KERNEL, 20);
	lru_activate(node, file_space.page[0]);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), 20);
	swap_on(5);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), 30);
	return test_reclaim_finish();
}

/* ---- Throttling ---------------------------------------------------------- */

static unsigned int asked;

/* kswapd brings pages, at the second question. */
static bool kswapd_helps(struct wait_queue *queue)
{
	(void)queue;
	if (++asked == 2)
		pile_give(&pile, 100);
	return asked <= 2;
}

static void throttle_with(gfp_t mask)
{
	struct alloc_request request = test_reclaim_request_of(mask, 0);

	throttle_direct_reclaim(node, &request);
}

CASE(reclaim, is_throttled_while_free_is_at_most_half_of_min)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 100);
	pile_leave(&pile, MIN / 2 + 1);
	throttle_with(GFP_KERNEL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct_throttle), 0);
	pile_leave(&pile, MIN / 2);
	asked = 0;
	machine_set_wait_hook(kswapd_helps);
	throttle_with(GFP_KERNEL);
	EXPECT_EQUAL(asked, 2);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct_throttle), 1);
	return test_reclaim_finish();
}

CASE(reclaim, nofs_is_throttled_for_a_second_at_most)
{
	uint64_t before;

	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 100);
	pile_leave(&pile, 10);
	before = clock_microseconds();
	throttle_with(GFP_NOFS);
	EXPECT_EQUAL(clock_microseconds() - before, 1000000);
	return test_reclaim_finish();
}

CASE(reclaim, service_threads_the_killed_and_hopeless_nodes_are_not_throttled)
{
	static const unsigned int flags[] = { THREAD_MEMALLOC, THREAD_SERVICE,
		                              THREAD_KILLED };

	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 100);
	pile_leave(&pile, 10);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		thread_set_flags(current_thread(), flags[i]);
		throttle_with(GFP_KERNEL);
		thread_clear_flags(current_thread(), flags[i]);
	}
	node->reclaim.kswapd_failures = MAX_RECLAIM_RETRIES;
	throttle_with(GFP_KERNEL);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct_throttle), 0);
	return test_reclaim_finish();
}

static bool kill_me(struct wait_queue *queue)
{
	(void)queue;
	return thread_set_flags(current_thread(), THREAD_KILLED) != 0;
}

CASE(reclaim, throttled_thread_that_is_killed_goes_on)
{
	test_reclaim_start();
	space_fill(&file_space, GFP_KERNEL, 100);
	pile_leave(&pile, 10);
	machine_set_wait_hook(kill_me);
	throttle_with(GFP_KERNEL);
	EXPECT_EQUAL(machine_waits(), 1);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	return test_reclaim_finish();
}
