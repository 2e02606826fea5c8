/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_reclaim.c -- reclaim and kswapd, on pages with owners that
 * answer as they are told, and waits that are scripted.
 *
 * One zone of 4096 pages, marks 64/80/96, unless a case says otherwise.
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
#include "mm/reclaim/shrinker.h"
#include "mm/scope.h"
#include "tests/host/pile.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

SUITE(reclaim_pages);
SUITE(reclaim);
SUITE(kswapd);

#define PAGES 4096UL
#define MIN   64UL
#define LOW   80UL
#define HIGH  96UL

static struct node *node;
static struct zone *zone;
static struct space file;
static struct space anon;
static struct pile pile;

static unsigned long test_reclaim_free_slots(void)
{
	return anon.slots;
}

static void start_kind(enum space_kind kind)
{
	machine_start(PAGES);
	node = machine_one_zone(ZONE_DMA32, PAGES);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, MIN, LOW, HIGH);
	space_init(&file, kind);
	space_init(&anon, SPACE_ANON);
	pile.node = node;
	pile.count = 0;
}

static void test_reclaim_start(void)
{
	start_kind(SPACE_PLAIN);
}

/* Anonymous pages have SLOTS slots on swap. */
static void swap_on(unsigned long slots)
{
	anon.slots = slots;
	reclaim_set_swap(node, test_reclaim_free_slots);
}

static unsigned long test_reclaim_stat(enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

static const char *test_reclaim_finish(void)
{
	char text[160];
	const char *broken = lru_check(node, text, sizeof(text));

	if (broken != NULL)
		return test_failure("%s", broken);
	space_end_writes(&file, SPACE_PAGES);
	space_end_writes(&anon, SPACE_PAGES);
	space_clear(&file);
	space_clear(&anon);
	pile_give(&pile, PILE_PAGES);
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		EXPECT_EQUAL(zone->lru.count[list], 0);
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 0);
	EXPECT_EQUAL(zone->lru.isolated[LRU_ANON], 0);
	EXPECT_EQUAL(node_dirty(node) + node_writeback(node), 0);
	return NULL;
}

static struct alloc_request test_reclaim_request_of(gfp_t mask,
                                                    unsigned int order)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];

	if (gfp_decode(mask, order, &context, &request, why, sizeof(why)) !=
	    GFP_OK)
		panic("%s", why);
	return request;
}

/* What a request with MASK reclaims for itself. */
static unsigned long test_reclaim_with(gfp_t mask)
{
	struct alloc_request request = test_reclaim_request_of(mask, 0);

	return reclaim_try_to_free_pages(node, &request);
}

/* Pages looked at by rounds FROM .. TO over a list of SIZE that stays. */
static unsigned long looks(unsigned long size, int from, int to)
{
	unsigned long sum = 0;

	for (int priority = from; priority >= to; priority--)
		sum += size >> priority;
	return sum;
}

static void dirty_all(struct space *space)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (space->page[i] != NULL)
			set_page_dirty(space->page[i]);
	}
}

/* ---- What becomes of one page ---------------------------------------------------- */

/* Reclaim the only inactive page of SPACE's kind, as kswapd or not. */
static bool reclaim_one(const struct space *space, bool kswapd, gfp_t mask)
{
	struct alloc_request request = test_reclaim_request_of(mask, 0);
	enum lru_kind kind = space == &anon ? LRU_ANON : LRU_FILE;
	enum lru_list list =
		kind == LRU_ANON ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
	struct scan scan = {
		.node = node,
		.mask = mask,
		.may_io = request.may_io,
		.may_fs = request.may_fs,
		.kswapd = kswapd,
		.highest_zone = ZONE_NORMAL,
		.wanted = 1,
	};
	struct list pages = LIST_INIT(pages);
	struct page *page;

	if (lru_isolate(zone, list, 1, &pages) != 1)
		panic("there is no inactive page");
	page = list_first(&pages, struct page, link);
	list_remove(&page->link);
	return reclaim_page(&scan, zone, page, kind);
}

CASE(reclaim_pages, clean_and_unused_is_freed)
{
	test_reclaim_start();
	space_add(&file, GFP_KERNEL);
	EXPECT(reclaim_one(&file, false, GFP_KERNEL));
	EXPECT_EQUAL(file.releases, 1);
	EXPECT_EQUAL(zone->used_pages, 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_bad_page), 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, used_once_gets_another_lap_and_used_twice_is_activated)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file, GFP_KERNEL);
	mark_page_accessed(page);
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(!page_has(page, PG_active) && !page_has(page, PG_referenced));
	/* By its owner: once is noted, twice in a row activates. */
	file.used[0] = true;
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(!page_has(page, PG_active) && page_has(page, PG_referenced));
	file.used[0] = true;
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(page_has(page, PG_active) && page_has(page, PG_lru));
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgactivate), 1);
	EXPECT_EQUAL(file.releases + file.refused, 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, used_once_and_then_not_is_freed_on_the_second_lap)
{
	test_reclaim_start();
	space_add(&file, GFP_KERNEL);
	file.used[0] = true;
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(reclaim_one(&file, false, GFP_KERNEL));
	return test_reclaim_finish();
}

CASE(reclaim_pages, locked_held_busy_and_unevictable_ones_stay)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file, GFP_KERNEL);
	lock_page(page);
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(page_has(page, PG_locked));
	unlock_page(page);
	EXPECT_EQUAL(file.refused, 0);
	get_page(page);
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	put_page(page);
	EXPECT_EQUAL(file.refused, 1);
	file.busy = true;
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT_EQUAL(file.refused, 2);
	page_set(page, PG_unevictable);
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT_EQUAL(zone->lru.count[LRU_UNEVICTABLE], 1);
	EXPECT_EQUAL(file.refused, 2);
	EXPECT_EQUAL(machine_waits(), 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, dirty_file_pages_are_written_by_kswapd_and_by_nobody_else)
{
	struct page *page;

	start_kind(SPACE_FILE);
	page = space_add(&file, GFP_KERNEL);
	set_page_dirty(page);
	file.writes_last = true;
	EXPECT(!reclaim_one(&file, false, GFP_KERNEL));
	EXPECT_EQUAL(file.writes, 0);
	EXPECT(page_has(page, PG_reclaim) && page_has(page, PG_active));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_nr_vmscan_immediate_reclaim), 1);
	lru_remove(node, page);
	lru_add(node, page);
	EXPECT(!reclaim_one(&file, true, GFP_KERNEL));
	EXPECT_EQUAL(file.writes, 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_nr_vmscan_write), 1);
	EXPECT(page_has(page, PG_writeback) && !page_has(page, PG_dirty));
	EXPECT(!page_has(page, PG_locked));
	EXPECT_EQUAL(space_end_writes(&file, 1), 1);
	EXPECT(reclaim_one(&file, false, GFP_KERNEL));
	return test_reclaim_finish();
}

CASE(reclaim_pages, page_that_is_written_at_once_is_freed_at_once)
{
	test_reclaim_start();
	set_page_dirty(space_add(&file, GFP_KERNEL));
	EXPECT(reclaim_one(&file, true, GFP_KERNEL));
	EXPECT_EQUAL(file.writes, 1);
	return test_reclaim_finish();
}

CASE(reclaim_pages, failed_write_leaves_the_page_dirty_and_in_place)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file, GFP_KERNEL);
	set_page_dirty(page);
	file.write_error = -EIO;
	EXPECT(!reclaim_one(&file, true, GFP_KERNEL));
	EXPECT(page_has(page, PG_dirty) && !page_has(page, PG_locked));
	EXPECT(page_has(page, PG_lru) && !page_has(page, PG_reclaim));
	EXPECT_EQUAL(node_dirty(node), 1);
	EXPECT_EQUAL(file.releases, 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, dirty_page_that_somebody_works_with_is_not_written)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file, GFP_KERNEL);
	set_page_dirty(page);
	get_page(page);
	EXPECT(!reclaim_one(&file, true, GFP_KERNEL));
	EXPECT_EQUAL(file.writes, 0);
	put_page(page);
	return test_reclaim_finish();
}

CASE(reclaim_pages, one_under_writeback_is_skipped_and_wanted_when_it_ends)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file, GFP_KERNEL);
	lock_page(page);
	set_page_writeback(page);
	unlock_page(page);
	EXPECT(!reclaim_one(&file, true, GFP_KERNEL));
	EXPECT(page_has(page, PG_active) && page_has(page, PG_reclaim));
	EXPECT_EQUAL(machine_waits(), 0);
	space_fill(&file, GFP_KERNEL, 5);
	end_page_writeback(page);
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 0);
	/* It is the next. */
	EXPECT(reclaim_one(&file, false, GFP_KERNEL));
	EXPECT(file.page[0] == NULL);
	return test_reclaim_finish();
}

CASE(reclaim_pages,
     nofs_enters_no_file_system_and_nofs_and_noio_take_clean_ones)
{
	static const gfp_t mask[] = { GFP_NOFS, GFP_NOIO };

	for (size_t i = 0; i < ARRAY_SIZE(mask); i++) {
		start_kind(SPACE_FILE);
		space_add(&file, GFP_KERNEL);
		EXPECT(!reclaim_one(&file, false, mask[i]));
		EXPECT_EQUAL(file.releases + file.refused + file.writes, 0);
		EXPECT(reclaim_one(&file, false, GFP_KERNEL));
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
		test_reclaim_start();
		space_add(&file, GFP_KERNEL);
		EXPECT(reclaim_one(&file, false, mask[i]));
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
	}
	test_reclaim_start();
	return test_reclaim_finish();
}

CASE(reclaim_pages,
     anonymous_ones_go_to_swap_with_io_and_under_nofs_but_not_noio)
{
	struct page *page;

	test_reclaim_start();
	swap_on(10);
	page = space_add(&anon, GFP_KERNEL);
	EXPECT(!reclaim_one(&anon, false, GFP_NOIO));
	EXPECT_EQUAL(anon.swaps + anon.writes, 0);
	/* Given a place already, it still is not written without I/O. */
	page_set(page, PG_swapcache);
	set_page_dirty(page);
	EXPECT(!reclaim_one(&anon, false, GFP_NOIO));
	EXPECT_EQUAL(anon.writes, 0);
	page_clear(page, PG_swapcache);
	clear_page_dirty_for_io(page);
	EXPECT(reclaim_one(&anon, false, GFP_NOFS));
	EXPECT_EQUAL(anon.swaps, 1);
	EXPECT_EQUAL(anon.writes, 1);
	EXPECT_EQUAL(anon.slots, 9);
	return test_reclaim_finish();
}

CASE(reclaim_pages, clean_anonymous_one_with_a_place_goes_without_io)
{
	struct page *page;

	test_reclaim_start();
	swap_on(10);
	page = space_add(&anon, GFP_KERNEL);
	page_set(page, PG_swapcache);
	EXPECT(reclaim_one(&anon, false, GFP_NOIO));
	EXPECT_EQUAL(anon.writes, 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, anonymous_one_without_a_place_is_activated)
{
	struct page *page;

	test_reclaim_start();
	swap_on(0);
	page = space_add(&anon, GFP_KERNEL);
	EXPECT(!reclaim_one(&anon, false, GFP_KERNEL));
	EXPECT(page_has(page, PG_active));
	return test_reclaim_finish();
}

/* All that a page can be, and what must become of it, in one function. */
struct page_case {
	bool file, kswapd, io, fs;
	bool locked, held, busy, dirty, noted, used, active_write;
};

static bool model_is_freed(const struct page_case *page)
{
	if (page->locked || page->active_write || page->noted || page->used)
		return false;
	if (page->file && !page->fs)
		return false;
	if (page->dirty && page->file && !page->kswapd)
		return false;
	/* The anonymous pages here have no place on swap yet. */
	if (!page->file && !page->io)
		return false;
	return !page->held && !page->busy;
}

static void test_reclaim_prepare(const struct page_case *is, struct page *page)
{
	struct space *space = is->file ? &file : &anon;

	if (is->active_write) {
		lock_page(page);
		set_page_writeback(page);
		unlock_page(page);
	}
	if (is->dirty)
		set_page_dirty(page);
	if (is->noted)
		page_set(page, PG_referenced);
	if (is->held)
		get_page(page);
	if (is->locked)
		lock_page(page);
	space->used[page->index] = is->used;
	space->busy = is->busy;
}

CASE(reclaim_pages, random_pages_are_freed_if_and_only_if_the_rules_say_so)
{
	struct random random = { test_seed() };
	unsigned int freed = 0;

	start_kind(SPACE_FILE);
	swap_on(100000);
	for (unsigned int i = 0; i < 4000; i++) {
		uint64_t bits = random_next(&random) & random_next(&random);
		struct page_case is = {
			.file = (random_next(&random) & 1) != 0,
			.kswapd = (random_next(&random) & 1) != 0,
			.io = (random_next(&random) & 3) != 0,
			.locked = (bits & 1) != 0,
			.held = (bits & 2) != 0,
			.busy = (bits & 4) != 0,
			.dirty = (bits & 8) != 0,
			.noted = (bits & 16) != 0,
			.used = (bits & 32) != 0,
			.active_write = (bits & 64) != 0,
		};
		struct space *space = is.file ? &file : &anon;
		struct page *page = space_add(space, GFP_KERNEL);
		bool got;

		is.fs = is.io && (random_next(&random) & 3) != 0;
		test_reclaim_prepare(&is, page);
		got = reclaim_one(space, is.kswapd,
		                  is.fs   ? GFP_KERNEL
		                  : is.io ? GFP_NOFS
		                          : GFP_NOIO);
		if (got != model_is_freed(&is))
			return test_failure(
				"file %d kswapd %d io %d fs %d bits %#lx: "
				"freed is %d",
				is.file, is.kswapd, is.io, is.fs,
				(unsigned long)(bits & 127), got);
		freed += got;
		if (got)
			continue;
		if (is.locked)
			unlock_page(page);
		if (is.held)
			put_page(page);
		space_end_writes(space, SPACE_PAGES);
		space_truncate(space, 0);
	}
	test_note("%u of 4000 were freed", freed);
	EXPECT(freed > 100 && freed < 3900);
	return test_reclaim_finish();
}

/* ---- Rounds ------------------------------------------------------------------------ */

CASE(reclaim, a_round_looks_at_size_shifted_by_priority_and_32_are_enough)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 1000);
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
	space_fill(&file, GFP_KERNEL, 1000);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 56);
	for (unsigned long i = 0; i < 1000; i++)
		EXPECT((file.page[i] == NULL) == (i < 56));
	return test_reclaim_finish();
}

CASE(reclaim, finds_nothing_after_looking_at_everything_at_priority_0)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 1000);
	file.busy = true;
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct),
	             looks(1000, 12, 0));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 1994);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_direct), 0);
	EXPECT_EQUAL(file.refused, 1994);
	return test_reclaim_finish();
}

CASE(reclaim, few_pages_that_can_go_are_found_in_the_end)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 20);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 20);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	return test_reclaim_finish();
}

CASE(reclaim, anonymous_pages_are_not_looked_at_without_swap)
{
	test_reclaim_start();
	space_fill(&anon, GFP_KERNEL, 1000);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	swap_on(0);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_direct), 0);
	swap_on(1000);
	EXPECT(test_reclaim_with(GFP_KERNEL) >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgscan_file), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_anon), anon.writes);
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
	space_fill(&anon, GFP_KERNEL, SWAP_CLUSTER_MAX);
	space_fill(&file, GFP_KERNEL, 3000);
	scan.node = node;
	shrink_node(&scan);
	EXPECT_EQUAL(anon.writes, SWAP_CLUSTER_MAX);
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
		space_fill(&anon, GFP_KERNEL, 1500);
		space_fill(&file, GFP_KERNEL, 1500);
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
		space_fill(&anon, GFP_KERNEL, 1500);
		space_fill(&file, GFP_KERNEL, 10);
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
	space_fill(&file, GFP_KERNEL, 500);
	for (unsigned long i = 0; i < 200; i++)
		lru_activate(node, file.page[i]);
	EXPECT(test_reclaim_with(GFP_KERNEL) < 100);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgdeactivate), 0);
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 200);
	for (unsigned long i = 200; i < 500; i++) {
		if (file.page[i] != NULL)
			lru_activate(node, file.page[i]);
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
	space_fill(&file, GFP_KERNEL, 128);
	for (unsigned long i = 0; i < 64; i++)
		lru_activate(node, file.page[i]);
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
	space_fill(&file, GFP_KERNEL, 100);
	for (unsigned long i = 0; i < 50; i++)
		lru_activate(node, file.page[i]);
	/* As many inactive as active ones, and the inactive ones are held. */
	for (unsigned long i = 50; i < 100; i++)
		get_page(file.page[i]);
	EXPECT(test_reclaim_with(GFP_KERNEL) >= SWAP_CLUSTER_MAX);
	for (unsigned long i = 50; i < 100; i++)
		put_page(file.page[i]);
	return test_reclaim_finish();
}

CASE(reclaim, unevictable_pages_are_never_looked_at)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 100);
	for (unsigned long i = 0; i < 100; i++)
		lru_set_unevictable(node, file.page[i], true);
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
	space_init(&file, SPACE_PLAIN);
	space_init(&anon, SPACE_ANON);
	pile.node = node;
	pile.count = 0;
	space_fill(&file, GFP_KERNEL, 600);
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
	space_fill(&file, GFP_KERNEL, 200);
	pile_leave(&pile, MIN);
	page = alloc_pages_node(node, GFP_KERNEL, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_allocstall_normal), 1);
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_direct) >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(file.flags, THREAD_MEMALLOC);
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
	return space_end_writes(&anon, SPACE_PAGES) > 0;
}

/* Ten pages are under way: no page is reclaimed until they are written. */
CASE(reclaim, what_is_on_its_way_to_the_disk_is_waited_for_a_tenth_of_a_second)
{
	uint64_t before;

	test_reclaim_start();
	swap_on(1000);
	anon.writes_last = true;
	space_fill(&anon, GFP_KERNEL, 10);
	before = clock_microseconds();
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(anon.writes, 10);
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
	anon.writes_last = true;
	space_fill(&anon, GFP_KERNEL, 10);
	EXPECT_EQUAL(test_reclaim_with(GFP_KERNEL), 0);
	EXPECT_EQUAL(anon.writes, 10);
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
	space_fill(&file, GFP_KERNEL, 80);
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
	space_fill(&anon, GFP_KERNEL, 10);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), PAGES - 10);
	space_fill(&file, GFP_KERNEL, 20);
	lru_activate(node, file.page[0]);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), 20);
	swap_on(5);
	EXPECT_EQUAL(zone_reclaimable_pages(node, zone), 30);
	return test_reclaim_finish();
}

/* ---- Throttling --------------------------------------------------------------------- */

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
	space_fill(&file, GFP_KERNEL, 100);
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
	space_fill(&file, GFP_KERNEL, 100);
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
	space_fill(&file, GFP_KERNEL, 100);
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
	space_fill(&file, GFP_KERNEL, 100);
	pile_leave(&pile, 10);
	machine_set_wait_hook(kill_me);
	throttle_with(GFP_KERNEL);
	EXPECT_EQUAL(machine_waits(), 1);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	return test_reclaim_finish();
}

/* ---- kswapd --------------------------------------------------------------------------- */

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
	space_fill(&file, GFP_KERNEL, 2000);
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
	space_fill(&file, GFP_KERNEL, 2000);
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

CASE(kswapd, with_nothing_to_do_it_naps_and_then_sleeps_for_ever)
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
	space_fill(&file, GFP_KERNEL, 2000);
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
	space_fill(&file, GFP_KERNEL, 1000);
	file.busy = true;
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
	space_fill(&file, GFP_KERNEL, 1000);
	file.busy = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	EXPECT_EQUAL(fruitless_runs(15), 15);
	/* Not yet: it does not sleep. */
	kswapd_step(node, &state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT_EQUAL(node->reclaim.kswapd_failures, 16);
	/* Now it sleeps, and is not woken. */
	node->reclaim.kswapd_sleeps = true;
	wakeup_kswapd(node, 0, ZONE_NORMAL);
	EXPECT(!node->reclaim.kswapd_called);
	return finish_kswapd();
}

CASE(kswapd, page_that_anybody_reclaims_gives_hope_back)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 1000);
	file.busy = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	EXPECT_EQUAL(fruitless_runs(16), 16);
	file.busy = false;
	thread_clear_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	EXPECT(test_reclaim_with(GFP_KERNEL) > 0);
	EXPECT_EQUAL(node->reclaim.kswapd_failures, 0);
	return finish_kswapd();
}

CASE(kswapd, after_twice_the_order_it_works_for_order_0_only)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 4000);
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
	space_fill(&file, GFP_KERNEL, 2000);
	be_kswapd();
	/* Asked for a large block while it was at work. */
	pile_leave(&pile, HIGH + 10);
	wakeup_kswapd(node, 10, ZONE_NORMAL);
	EXPECT(!node->reclaim.kswapd_called);
	kswapd_step(node, &state);
	EXPECT_EQUAL(machine_waits(), 0);
	EXPECT_EQUAL(state.asked_order, 10);
	return finish_kswapd();
}

CASE(kswapd, writes_dirty_file_pages_and_waits_when_it_is_too_fast)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 600);
	dirty_all(&file);
	file.writes_last = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	for (unsigned int run = 0; run < 8; run++)
		kswapd_balance(node, 0, ZONE_NORMAL);
	EXPECT(file.writes > 0);
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
	space_end_writes(&file, SWAP_CLUSTER_MAX);
	machine_leave_irq();
	return true;
}

CASE(kswapd, frees_what_the_disk_has_written_meanwhile)
{
	test_reclaim_start();
	space_fill(&file, GFP_KERNEL, 2000);
	dirty_all(&file);
	file.writes_last = true;
	pile_leave(&pile, LOW);
	be_kswapd();
	machine_set_wait_hook(test_reclaim_disk_works);
	for (unsigned int run = 0;
	     run < 20 && !node_is_balanced(node, 0, ZONE_NORMAL); run++) {
		kswapd_balance(node, 0, ZONE_NORMAL);
		space_end_writes(&file, 8);
	}
	EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
	EXPECT(test_reclaim_stat(VMSTAT_pgsteal_kswapd) > HIGH - LOW);
	return finish_kswapd();
}

CASE(kswapd, ages_anonymous_pages_so_that_there_are_inactive_ones)
{
	test_reclaim_start();
	swap_on(1000);
	space_fill(&anon, GFP_KERNEL, 600);
	for (unsigned long i = 0; i < 600; i++)
		lru_activate(node, anon.page[i]);
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
	space_fill(&file, GFP_KERNEL, 1000);
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
		space_fill(&file, GFP_KERNEL, pages);
		for (unsigned long i = 0; i < pages; i++) {
			if (random_below(&random, 3) == 0)
				mark_page_accessed(file.page[i]);
			if (random_below(&random, 4) == 0)
				lru_activate(node, file.page[i]);
			if (random_below(&random, 5) == 0)
				set_page_dirty(file.page[i]);
		}
		pile_leave(&pile, random_below(&random, LOW));
		be_kswapd();
		for (unsigned int run = 0;
		     run < 40 && !node_is_balanced(node, 0, ZONE_NORMAL); run++)
			kswapd_balance(node, 0, ZONE_NORMAL);
		EXPECT(node_is_balanced(node, 0, ZONE_NORMAL));
		EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgsteal_kswapd),
		             file.releases);
		EXPECT(lru_check(node, text, sizeof(text)) == NULL);
		EXPECT(node_check(node, NULL, false, text, sizeof(text)) ==
		       NULL);
		if (finish_kswapd() != NULL)
			return finish_kswapd();
	}
	test_reclaim_start();
	return test_reclaim_finish();
}
