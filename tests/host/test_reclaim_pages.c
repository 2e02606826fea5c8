/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_reclaim_pages.c -- what reclaim does with a single page.
 */
#include "lib/random.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim_internal.h"
#include "tests/host/test_reclaim.h"
#include "tests/suite.h"

SUITE(reclaim_pages);

/* Reclaim the only inactive page of SPACE's kind, as kswapd or not; its owner takes it
 * back, locked, after it was isolated, if TAKEN_BACK. */
static bool reclaim_or_not(const struct space *space, bool kswapd, gfp_t mask,
                           bool taken_back)
{
	struct alloc_request request = test_reclaim_request_of(mask, 0);
	enum lru_kind kind = space == &anon_space ? LRU_ANON : LRU_FILE;
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
	if (taken_back) {
		lock_page(page);
		lru_remove(node, page);
	}
	return reclaim_page(&scan, zone, page, kind);
}

static bool reclaim_one(const struct space *space, bool kswapd, gfp_t mask)
{
	return reclaim_or_not(space, kswapd, mask, false);
}

CASE(reclaim_pages, clean_and_unused_is_freed)
{
	test_reclaim_start();
	space_add(&file_space, GFP_KERNEL);
	EXPECT(reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT_EQUAL(file_space.releases, 1);
	EXPECT_EQUAL(zone->used_pages, 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_bad_page), 0);
	return test_reclaim_finish();
}

/* As filemap_remove() does, at the latest moment. */
CASE(reclaim_pages, a_page_that_its_owner_takes_back_is_left_to_it)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file_space, GFP_KERNEL);
	EXPECT(!reclaim_or_not(&file_space, false, GFP_KERNEL, true));
	EXPECT(page_has(page, PG_locked) && !page_has(page, PG_lru));
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(file_space.releases + file_space.refused, 0);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 0);
	lru_add(node, page);
	unlock_page(page);
	return test_reclaim_finish();
}

CASE(reclaim_pages, used_once_gets_another_lap_and_used_twice_is_activated)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file_space, GFP_KERNEL);
	mark_page_accessed(page);
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(!page_has(page, PG_active) && !page_has(page, PG_referenced));
	/* By its owner: once is noted, twice in a row activates. */
	file_space.used[0] = true;
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(!page_has(page, PG_active) && page_has(page, PG_referenced));
	file_space.used[0] = true;
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(page_has(page, PG_active) && page_has(page, PG_lru));
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgactivate), 1);
	EXPECT_EQUAL(file_space.releases + file_space.refused, 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, used_once_and_then_not_is_freed_on_the_second_lap)
{
	test_reclaim_start();
	space_add(&file_space, GFP_KERNEL);
	file_space.used[0] = true;
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(reclaim_one(&file_space, false, GFP_KERNEL));
	return test_reclaim_finish();
}

CASE(reclaim_pages, locked_held_busy_and_unevictable_ones_stay)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file_space, GFP_KERNEL);
	lock_page(page);
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(page_has(page, PG_locked));
	unlock_page(page);
	EXPECT_EQUAL(file_space.refused, 0);
	get_page(page);
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	put_page(page);
	EXPECT_EQUAL(file_space.refused, 1);
	file_space.busy = true;
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT_EQUAL(file_space.refused, 2);
	page_set(page, PG_unevictable);
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT_EQUAL(zone->lru.count[LRU_UNEVICTABLE], 1);
	EXPECT_EQUAL(file_space.refused, 2);
	EXPECT_EQUAL(machine_waits(), 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, dirty_file_pages_are_written_by_kswapd_and_by_nobody_else)
{
	struct page *page;

	start_kind(SPACE_FILE);
	page = space_add(&file_space, GFP_KERNEL);
	set_page_dirty(page);
	file_space.writes_last = true;
	EXPECT(!reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT_EQUAL(file_space.writes, 0);
	EXPECT(page_has(page, PG_reclaim) && page_has(page, PG_active));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_nr_vmscan_immediate_reclaim), 1);
	lru_remove(node, page);
	lru_add(node, page);
	EXPECT(!reclaim_one(&file_space, true, GFP_KERNEL));
	EXPECT_EQUAL(file_space.writes, 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_nr_vmscan_write), 1);
	EXPECT(page_has(page, PG_writeback) && !page_has(page, PG_dirty));
	EXPECT(!page_has(page, PG_locked));
	EXPECT_EQUAL(space_end_writes(&file_space, 1), 1);
	EXPECT(reclaim_one(&file_space, false, GFP_KERNEL));
	return test_reclaim_finish();
}

CASE(reclaim_pages, page_that_is_written_immediately_is_freed_immediately)
{
	test_reclaim_start();
	set_page_dirty(space_add(&file_space, GFP_KERNEL));
	EXPECT(reclaim_one(&file_space, true, GFP_KERNEL));
	EXPECT_EQUAL(file_space.writes, 1);
	return test_reclaim_finish();
}

CASE(reclaim_pages, failed_write_leaves_the_page_dirty_and_in_place)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file_space, GFP_KERNEL);
	set_page_dirty(page);
	file_space.write_error = -EIO;
	EXPECT(!reclaim_one(&file_space, true, GFP_KERNEL));
	EXPECT(page_has(page, PG_dirty) && !page_has(page, PG_locked));
	EXPECT(page_has(page, PG_lru) && !page_has(page, PG_reclaim));
	EXPECT_EQUAL(node_dirty(node), 1);
	EXPECT_EQUAL(file_space.releases, 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, dirty_page_that_somebody_works_with_is_not_written)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file_space, GFP_KERNEL);
	set_page_dirty(page);
	get_page(page);
	EXPECT(!reclaim_one(&file_space, true, GFP_KERNEL));
	EXPECT_EQUAL(file_space.writes, 0);
	put_page(page);
	return test_reclaim_finish();
}

CASE(reclaim_pages, one_under_writeback_is_skipped_and_wanted_when_it_ends)
{
	struct page *page;

	test_reclaim_start();
	page = space_add(&file_space, GFP_KERNEL);
	lock_page(page);
	set_page_writeback(page);
	unlock_page(page);
	EXPECT(!reclaim_one(&file_space, true, GFP_KERNEL));
	EXPECT(page_has(page, PG_active) && page_has(page, PG_reclaim));
	EXPECT_EQUAL(machine_waits(), 0);
	space_fill(&file_space, GFP_KERNEL, 5);
	end_page_writeback(page);
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 0);
	/* It is the next. */
	EXPECT(reclaim_one(&file_space, false, GFP_KERNEL));
	EXPECT(file_space.page[0] == NULL);
	return test_reclaim_finish();
}

CASE(reclaim_pages,
     nofs_enters_no_file_system_and_nofs_and_noio_take_clean_ones)
{
	static const gfp_t mask[] = { GFP_NOFS, GFP_NOIO };

	for (size_t i = 0; i < ARRAY_SIZE(mask); i++) {
		start_kind(SPACE_FILE);
		space_add(&file_space, GFP_KERNEL);
		EXPECT(!reclaim_one(&file_space, false, mask[i]));
		EXPECT_EQUAL(file_space.releases + file_space.refused +
		                     file_space.writes,
		             0);
		EXPECT(reclaim_one(&file_space, false, GFP_KERNEL));
		if (test_reclaim_finish() != NULL)
			return test_reclaim_finish();
		test_reclaim_start();
		space_add(&file_space, GFP_KERNEL);
		EXPECT(reclaim_one(&file_space, false, mask[i]));
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
	page = space_add(&anon_space, GFP_KERNEL);
	EXPECT(!reclaim_one(&anon_space, false, GFP_NOIO));
	EXPECT_EQUAL(anon_space.swaps + anon_space.writes, 0);
	/* Given a place already, it still is not written without I/O. */
	page_set(page, PG_swapcache);
	set_page_dirty(page);
	EXPECT(!reclaim_one(&anon_space, false, GFP_NOIO));
	EXPECT_EQUAL(anon_space.writes, 0);
	page_clear(page, PG_swapcache);
	clear_page_dirty_for_io(page);
	EXPECT(reclaim_one(&anon_space, false, GFP_NOFS));
	EXPECT_EQUAL(anon_space.swaps, 1);
	EXPECT_EQUAL(anon_space.writes, 1);
	EXPECT_EQUAL(anon_space.slots, 9);
	return test_reclaim_finish();
}

CASE(reclaim_pages, clean_anonymous_one_with_a_place_goes_without_io)
{
	struct page *page;

	test_reclaim_start();
	swap_on(10);
	page = space_add(&anon_space, GFP_KERNEL);
	page_set(page, PG_swapcache);
	EXPECT(reclaim_one(&anon_space, false, GFP_NOIO));
	EXPECT_EQUAL(anon_space.writes, 0);
	return test_reclaim_finish();
}

CASE(reclaim_pages, anonymous_one_without_a_place_is_activated)
{
	struct page *page;

	test_reclaim_start();
	swap_on(0);
	page = space_add(&anon_space, GFP_KERNEL);
	EXPECT(!reclaim_one(&anon_space, false, GFP_KERNEL));
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
	struct space *space = is->file ? &file_space : &anon_space;

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
		struct space *space = is.file ? &file_space : &anon_space;
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
