/* SPDX-License-Identifier: MIT */
/* tests/host/test_contig.c -- ranges of frames that are emptied and taken. */
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "mm/buddy.h"
#include "mm/contig/contig.h"
#include "mm/contig/contig_gfp.h"
#include "mm/contig/page_isolation.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/page_lock.h"
#include "mm/scope.h"
#include "tests/host/contig_scene.h"
#include "tests/suite.h"

SUITE(contig);

/* Nothing is left by the way: room to move to, above the marks. */
#define ROOM_FIRST 2048UL
#define ROOM_END   4096UL

static int take(unsigned long start, unsigned long end, gfp_t mask)
{
	return alloc_contig_range(start, end, MIGRATE_MOVABLE, mask);
}

/* The frames START..END-1 are single pages with one reference. */
static bool contig_are_single(unsigned long start, unsigned long end)
{
	for (; start < end; start++) {
		const struct page *page = zone_page(zone, start);

		if (page->state != PAGE_USED || page->order != 0 ||
		    page_ref_count(page) != 1)
			return false;
	}
	return true;
}

CASE(contig, a_free_range_is_taken_as_single_pages)
{
	contig_scene_start_free();
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	EXPECT(contig_are_single(512, 1024));
	EXPECT_EQUAL(zone->free_pages, PAGES - 512);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_MOVABLE);
	EXPECT(page_caller(zone_page(zone, 700)) != 0);
	EXPECT(contig_scene_check() == NULL);
	free_contig_range(512, 512);
	EXPECT_EQUAL(zone->free_pages, PAGES);
	EXPECT_EQUAL(zone->free_area[10].count, 4);
	return contig_scene_end();
}

CASE(contig, what_lies_around_the_range_in_its_block_stays_free)
{
	contig_scene_start_free();
	EXPECT_EQUAL(take(601, 1703, GFP_KERNEL), 0);
	EXPECT(contig_are_single(601, 1703));
	EXPECT_EQUAL(zone->free_pages, PAGES - 1102);
	EXPECT_EQUAL(zone_page(zone, 600)->state, PAGE_FREE);
	EXPECT_EQUAL(zone_page(zone, 1703)->state, PAGE_FREE);
	free_contig_range(601, 1102);
	EXPECT_EQUAL(zone->free_area[10].count, 4);
	return contig_scene_end();
}

CASE(contig, masks_that_make_no_sense_are_refused)
{
	static const gfp_t bad[] = {
		GFP_KERNEL | __GFP_NOFAIL,
		GFP_KERNEL | __GFP_NORETRY,
		GFP_KERNEL | __GFP_MEMALLOC,
		GFP_KERNEL | __GFP_NOMEMALLOC,
		GFP_ATOMIC,
		GFP_KERNEL | __GFP_ACCOUNT,
		GFP_KERNEL | __GFP_EXCLUSIVE,
	};
	static const gfp_t good[] = {
		GFP_KERNEL,
		GFP_NOIO,
		GFP_NOFS | __GFP_NOWARN,
		GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_ZERO,
		GFP_KERNEL | __GFP_DMA32 | __GFP_THISNODE | __GFP_WRITE,
		GFP_KERNEL | __GFP_RECLAIMABLE,
		__GFP_NOWARN,
	};

	contig_scene_start_free();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQUAL(take(512, 1024, bad[i]), -EINVAL);
		EXPECT(alloc_contig_pages(512, bad[i]) == NULL);
	}
	EXPECT_EQUAL(zone->free_pages, PAGES);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQUAL(take(512, 1024, good[i]), 0);
		free_contig_range(512, 512);
	}
	return contig_scene_end();
}

CASE(contig, a_range_that_is_empty_or_in_no_zone_is_refused)
{
	contig_scene_start_free();
	EXPECT_EQUAL(take(512, 512, GFP_KERNEL), -EINVAL);
	EXPECT_EQUAL(take(1024, 512, GFP_KERNEL), -EINVAL);
	EXPECT_EQUAL(take(PAGES - 1, PAGES + 1, GFP_KERNEL), -EINVAL);
	return contig_scene_end();
}

CASE(contig, a_range_that_somebody_else_empties_is_busy_and_left_alone)
{
	contig_scene_start_free();
	EXPECT_EQUAL(start_isolate_page_range(zone, 512, 1024, MIGRATE_MOVABLE),
	             0);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), -EBUSY);
	EXPECT_EQUAL(pageblock_type(zone, 512), MIGRATE_ISOLATE);
	undo_isolate_page_range(zone, 512, 1024, MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_pages, PAGES);
	return contig_scene_end();
}

CASE(contig, pages_move_by_a_separate_mask)
{
	struct contig_gfp read;
	unsigned int scope;

	contig_scene_start_free();
	EXPECT(contig_gfp_read(GFP_KERNEL | __GFP_ZERO | __GFP_DMA, &read));
	EXPECT_EQUAL(read.targets, GFP_KERNEL | __GFP_HARDWALL | __GFP_MOVABLE |
	                                   __GFP_RETRY_MAYFAIL);
	EXPECT(read.zero && read.may_fs && !read.compound);
	EXPECT(contig_gfp_read(GFP_NOIO | __GFP_COMP | __GFP_NOWARN, &read));
	EXPECT_EQUAL(read.targets, GFP_NOIO | __GFP_NOWARN | __GFP_HARDWALL |
	                                   __GFP_MOVABLE | __GFP_RETRY_MAYFAIL);
	EXPECT(!read.zero && !read.may_fs && read.compound);
	scope = memalloc_nofs_save();
	EXPECT(contig_gfp_read(GFP_KERNEL, &read));
	memalloc_nofs_restore(scope);
	EXPECT(!read.may_fs);
	return contig_scene_end();
}

CASE(contig, a_page_of_the_kernel_inside_is_busy_and_nothing_changes)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_give(512, 700);
	contig_scene_give(701, 1024);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), -EBUSY);
	EXPECT_EQUAL(zone->free_pages, 511);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_MOVABLE);
	/* Also where it lies outside the range, in a pageblock of it. */
	EXPECT_EQUAL(take(600, 700, GFP_KERNEL), -EBUSY);
	return contig_scene_end();
}

CASE(contig, with_comp_the_range_becomes_one_block)
{
	struct page *page;

	contig_scene_start_free();
	page = zone_page(zone, 512);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL | __GFP_COMP), 0);
	EXPECT_EQUAL(page->order, 9);
	EXPECT_EQUAL(page->flags, PAGE_COMPOUND);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(zone_page(zone, 513)->state, PAGE_NONE);
	/* A part of it cannot be given back. */
	free_contig_range(512, 511);
	EXPECT(machine_said("free_contig_range(0x200, 511)"));
	EXPECT_EQUAL(page->state, PAGE_USED);
	free_contig_range(512, 512);
	EXPECT_EQUAL(zone->free_pages, PAGES);
	EXPECT_EQUAL(take(0, 1024, GFP_KERNEL | __GFP_COMP), 0);
	EXPECT_EQUAL(zone_page(zone, 0)->order, 10);
	free_contig_range(0, 1024);
	return contig_scene_end();
}

CASE(contig, with_comp_a_range_must_be_a_block)
{
	static const unsigned long bad[][2] = {
		{ 512, 1000 }, /* no power of two */
		{ 512, 768 },  /* the next 256 frames are one block with it */
		{ 512, 1536 }, /* not aligned */
		{ 0, 2048 },   /* more than a block can have */
	};

	contig_scene_start_free();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQUAL(
			take(bad[i][0], bad[i][1], GFP_KERNEL | __GFP_COMP),
			-EINVAL);
		EXPECT_EQUAL(zone->free_pages, PAGES);
	}
	EXPECT(machine_said("alloc_contig_range(0, 0x800)"));
	return contig_scene_end();
}

CASE(contig, with_comp_a_part_of_a_pageblock_is_a_block_if_the_rest_is_in_use)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&anon_space, 768, 1024);
	contig_scene_give(512, 768);
	EXPECT_EQUAL(take(512, 768, GFP_KERNEL | __GFP_COMP), 0);
	EXPECT_EQUAL(zone_page(zone, 512)->order, 8);
	free_contig_range(512, 256);
	return contig_scene_end();
}

CASE(contig, zero_clears_every_page)
{
	contig_scene_start_free();
	for (unsigned long pfn = 512; pfn < 1024; pfn++)
		memset(machine_physical(pfn), 0xaa, PAGE_SIZE);
	EXPECT_EQUAL(take(513, 1001, GFP_KERNEL | __GFP_ZERO), 0);
	for (unsigned long pfn = 513; pfn < 1001; pfn++) {
		const uint8_t *bytes = machine_physical(pfn);

		EXPECT_EQUAL(bytes[0], 0);
		EXPECT_EQUAL(bytes[PAGE_SIZE - 1], 0);
	}
	EXPECT_EQUAL(*(uint8_t *)machine_physical(512), 0xaa);
	free_contig_range(513, 488);
	return contig_scene_end();
}

/* ---- Pages that have to leave -------------------------------------------- */

CASE(contig, dirty_and_anonymous_pages_move_with_their_contents)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&file_space, 512, 700);
	contig_scene_put_all(&anon_space, 700, 1024);
	for (unsigned long i = 0; i < 188; i++)
		set_page_dirty(file_space.page[i]);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	EXPECT(contig_are_single(512, 1024));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_success), 512);
	EXPECT_EQUAL(file_space.releases, 0);
	EXPECT_EQUAL(file_space.mapping.nrpages, 188);
	EXPECT_EQUAL(anon_space.mapping.nrpages, 324);
	EXPECT_EQUAL(node_dirty(node), 188);
	/* The frames belong to others now. */
	for (unsigned long pfn = 512; pfn < 1024; pfn++)
		memset(machine_physical(pfn), 0xcc, PAGE_SIZE);
	EXPECT(contig_scene_intact(&file_space));
	EXPECT(contig_scene_intact(&anon_space));
	free_contig_range(512, 512);
	return contig_scene_end();
}

CASE(contig, clean_pages_of_files_are_dropped_and_not_copied)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&file_space, 512, 1024);
	for (unsigned long i = 0; i < 512; i++) {
		file_space.used[i] = true;
		page_set(file_space.page[i], PG_referenced);
	}
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	EXPECT_EQUAL(file_space.releases, 512);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_success), 0);
	free_contig_range(512, 512);
	return contig_scene_end();
}

CASE(contig, a_pinned_page_of_a_file_is_tried_five_times)
{
	struct page *page;

	contig_scene_start(SPACE_PLAIN);
	page = contig_scene_put(&file_space, 700);
	contig_scene_give(512, 700);
	contig_scene_give(701, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	get_page(page);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), -EBUSY);
	/* One page was left by each call. */
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_fail), 5);
	EXPECT(file_space.page[0] == page && page_has(page, PG_lru));
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_pages, 511 + ROOM_END - ROOM_FIRST);
	put_page(page);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	free_contig_range(512, 512);
	return contig_scene_end();
}

CASE(contig, a_pinned_anonymous_page_is_not_even_tried)
{
	struct page *page;

	contig_scene_start(SPACE_PLAIN);
	page = contig_scene_put(&anon_space, 700);
	contig_scene_give(512, 700);
	contig_scene_give(701, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	get_page(page);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), -EBUSY);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_fail), 0);
	put_page(page);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	free_contig_range(512, 512);
	return contig_scene_end();
}

static struct page *contig_last;

/* Its user lets go of the page that has failed five times, and the file is cut. */
static void contig_let_go(const struct spinlock *lock)
{
	struct page *page = contig_last;

	if (page == NULL || lock != &zone->lru.lock ||
	    test_reclaim_stat(VMSTAT_pgmigrate_fail) < 5)
		return;
	contig_last = NULL;
	put_page(page);
	space_truncate(&file_space, 0);
}

CASE(contig, a_page_that_is_free_in_the_end_is_no_reason_to_fail)
{
	contig_scene_start(SPACE_PLAIN);
	contig_last = contig_scene_put(&file_space, 700);
	contig_scene_give(512, 700);
	contig_scene_give(701, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	get_page(contig_last);
	machine_set_unlock_hook(contig_let_go);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	machine_set_unlock_hook(NULL);
	EXPECT(contig_last == NULL);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_fail), 5);
	free_contig_range(512, 512);
	return contig_scene_end();
}

/* Somebody wrote into a free page: its block is leaked, and those before it go back. */
CASE(contig, a_corrupt_page_in_the_range_gives_the_rest_back)
{
	contig_scene_start_free();
	zone_page(zone, 1024)->refcount = 77;
	EXPECT_EQUAL(take(512, 1536, GFP_KERNEL), -EBUSY);
	EXPECT_EQUAL(zone->bad_pages, 512);
	EXPECT_EQUAL(zone->free_pages, PAGES - 512);
	EXPECT_EQUAL(zone_block_head(zone, 512)->state, PAGE_FREE);
	EXPECT_EQUAL(zone->isolated_pages, 0);
	EXPECT(machine_said("Bad page state"));
	return contig_scene_check();
}

CASE(contig, without_fs_pages_of_files_stay)
{
	contig_scene_start(SPACE_FILE);
	contig_scene_put(&file_space, 600);
	contig_scene_put(&anon_space, 601);
	contig_scene_give(512, 600);
	contig_scene_give(602, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	EXPECT_EQUAL(take(512, 1024, GFP_NOFS), -EBUSY);
	EXPECT(file_space.page[0] == zone_page(zone, 600));
	EXPECT(anon_space.page[0] != zone_page(zone, 601));
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	free_contig_range(512, 512);
	return contig_scene_end();
}

/* Free, but not in the zone. */
CASE(contig, pages_on_the_cpus_lists_are_no_obstacle)
{
	static struct pcp_cpu lists;
	unsigned long first;
	struct page *page;

	contig_scene_start_free();
	pcp_start(node, &lists, 1);
	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	__free_page(page);
	EXPECT_EQUAL(page->state, PAGE_PCP);
	first = ALIGN_DOWN(zone_pfn(zone, page), PAGEBLOCK_PAGES);
	EXPECT_EQUAL(take(first, first + 512, GFP_KERNEL), 0);
	EXPECT_EQUAL(page->state, PAGE_USED);
	free_contig_range(first, 512);
	pcp_stop(node);
	return contig_scene_end();
}

/* In the swap cache, and of no file. */
CASE(contig, without_fs_pages_in_the_swap_cache_stay)
{
	contig_scene_start(SPACE_PLAIN);
	page_set(contig_scene_put(&anon_space, 601), PG_swapcache);
	contig_scene_give(512, 601);
	contig_scene_give(602, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	EXPECT_EQUAL(take(512, 1024, GFP_NOFS), -EBUSY);
	EXPECT(anon_space.page[0] == zone_page(zone, 601));
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	free_contig_range(512, 512);
	return contig_scene_end();
}

CASE(contig, without_room_to_move_to_it_is_enomem_and_nothing_is_lost)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&anon_space, 512, 1024);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL | __GFP_NOWARN), -ENOMEM);
	EXPECT_EQUAL(anon_space.mapping.nrpages, 512);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_ANON], 512);
	EXPECT(contig_scene_intact(&anon_space));
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_MOVABLE);
	return contig_scene_end();
}

CASE(contig, a_killed_thread_stops)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&anon_space, 512, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	thread_set_flags(current_thread(), THREAD_KILLED);
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), -EINTR);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_ANON], 512);
	return contig_scene_end();
}

CASE(contig, a_corrupt_free_page_is_leaked_and_the_range_is_busy)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_give(512, 1024);
	contig_scene_give(ROOM_FIRST, ROOM_END);
	zone_page(zone, 512)->flags = 0x40;
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), -EBUSY);
	EXPECT_EQUAL(zone->bad_pages, 512);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_bad_page), 512);
	return contig_scene_end();
}

/* ---- Any place, and back ------------------------------------------------- */

CASE(contig, alloc_contig_pages_takes_the_first_place_that_can_be_emptied)
{
	struct page *page;

	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&anon_space, 1024, 1536);
	contig_scene_give(513, 1024);
	contig_scene_give(1536, 4096);
	/* [0, 1024) has pages that stay; in [1024, 2048) all move. */
	page = alloc_contig_pages(1024, GFP_KERNEL);
	EXPECT(page == zone_page(zone, 1024));
	EXPECT(contig_are_single(1024, 2048));
	EXPECT(contig_scene_intact(&anon_space));
	free_contig_range(1024, 1024);
	/* At multiples of 700: [1400, 2100) is the first. */
	page = alloc_contig_pages(700, GFP_KERNEL);
	EXPECT(page == zone_page(zone, 1400));
	free_contig_range(1400, 700);
	EXPECT(alloc_contig_pages(3072, GFP_KERNEL) == NULL);
	EXPECT(alloc_contig_pages(PAGES + 1, GFP_KERNEL) == NULL);
	EXPECT(alloc_contig_pages(0, GFP_KERNEL) == NULL);
	return contig_scene_end();
}

CASE(contig, alloc_contig_pages_goes_down_the_zones_of_its_mask)
{
	const unsigned long pages[ZONE_COUNT] = { 0, 4096, 1024, 0 };

	machine_start(5120);
	node = machine_zones(0, pages);
	EXPECT(alloc_contig_pages(512, GFP_KERNEL) == node_page(node, 4096));
	EXPECT(alloc_contig_pages(512, GFP_KERNEL | __GFP_DMA32) ==
	       node_page(node, 0));
	/* More than NORMAL has. */
	EXPECT(alloc_contig_pages(2048, GFP_KERNEL) == node_page(node, 2048));
	free_contig_range(0, 512);
	free_contig_range(2048, 2048);
	free_contig_range(4096, 512);
	return NULL;
}

static bool contig_isolated[PAGES / PAGEBLOCK_PAGES]; /* once */

/* The thread is killed while its first place is isolated. */
static void contig_kill(const struct spinlock *lock __unused)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(contig_isolated); i++) {
		if (contig_scene_type(i) != MIGRATE_ISOLATE)
			continue;
		contig_isolated[i] = true;
		thread_set_flags(current_thread(), THREAD_KILLED);
	}
}

CASE(contig, alloc_contig_pages_tries_no_other_place_for_a_killed_thread)
{
	const struct page *page;

	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&anon_space, 1024, 1536);
	contig_scene_give(1536, 4096);
	memset(contig_isolated, 0, sizeof(contig_isolated));
	machine_set_unlock_hook(contig_kill);
	page = alloc_contig_pages(512, GFP_KERNEL | __GFP_NOWARN);
	machine_set_unlock_hook(NULL);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	EXPECT(page == NULL);
	/* [0, 1024) has pages that stay. */
	for (unsigned int i = 0; i < ARRAY_SIZE(contig_isolated); i++)
		EXPECT_EQUAL(contig_isolated[i], i == 2);
	EXPECT(contig_scene_intact(&anon_space));
	EXPECT(alloc_contig_pages(512, GFP_KERNEL) == zone_page(zone, 1024));
	free_contig_range(1024, 512);
	return contig_scene_end();
}

CASE(contig, pages_with_other_references_are_reported_when_given_back)
{
	contig_scene_start_free();
	EXPECT_EQUAL(take(512, 1024, GFP_KERNEL), 0);
	get_page(zone_page(zone, 600));
	EXPECT(!machine_said("free_contig_range"));
	free_contig_range(512, 512);
	EXPECT(machine_said("free_contig_range(0x200, 512)"));
	EXPECT(machine_said("1 pages are still in use"));
	EXPECT_EQUAL(zone->free_pages, PAGES - 1);
	put_page(zone_page(zone, 600));
	EXPECT_EQUAL(zone->free_pages, PAGES);
	return contig_scene_end();
}

/* ---- At random ----------------------------------------------------------- */

#define CONTIG_ROUNDS 60

static struct random contig_random;

static unsigned long contig_below(unsigned long bound)
{
	return random_below(&contig_random, bound);
}

/* Each frame is free, or has a page of a file, an anonymous one or one of the kernel. */
static void contig_fill_at_random(unsigned long kernel)
{
	contig_scene_start(SPACE_PLAIN);
	for (unsigned long pfn = 0; pfn < ROOM_FIRST; pfn++) {
		unsigned long what = contig_below(100);

		if (what < 25)
			contig_scene_put(&file_space, pfn);
		else if (what < 50)
			contig_scene_put(&anon_space, pfn);
	}
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (file_space.page[i] != NULL && contig_below(2) == 0)
			set_page_dirty(file_space.page[i]);
	}
	for (unsigned long pfn = 0; pfn < PAGES; pfn++) {
		const struct page *page = zone_page(zone, pfn);

		if (page->mapping == NULL && pfn % 512 >= kernel)
			contig_scene_give(pfn, pfn + 1);
	}
}

/* Is a frame of the pageblocks of START..END-1 the kernel's? */
static bool contig_is_kept(unsigned long start, unsigned long end)
{
	for (unsigned long pfn = ALIGN_DOWN(start, 512);
	     pfn < ALIGN_UP(end, 512); pfn++) {
		const struct page *head = zone_block_head(zone, pfn);

		if (head->state == PAGE_USED && head->mapping == NULL)
			return true;
	}
	return false;
}

/* One range: taken if and only if nothing in its pageblocks stays.  NULL or what is
 * wrong. */
static const char *contig_random_round(void)
{
	unsigned long start = contig_below(ROOM_FIRST);
	unsigned long count = 1 + contig_below(ROOM_FIRST - start);
	bool kept = contig_is_kept(start, start + count);
	int error = take(start, start + count, GFP_KERNEL);

	EXPECT_EQUAL(error, kept ? -EBUSY : 0);
	EXPECT_EQUAL(zone->isolated_pages, 0);
	EXPECT(contig_scene_check() == NULL);
	if (error != 0)
		return NULL;
	EXPECT(contig_are_single(start, start + count));
	for (unsigned long i = 0; i < count; i++)
		memset(machine_physical(start + i), 0xee, PAGE_SIZE);
	EXPECT(contig_scene_intact(&file_space));
	EXPECT(contig_scene_intact(&anon_space));
	free_contig_range(start, count);
	return NULL;
}

CASE(contig, random_ranges_are_taken_if_all_can_move_and_no_byte_is_lost)
{
	contig_random.state = test_seed();
	for (unsigned int world = 0; world < 6; world++) {
		const char *wrong = NULL;

		contig_fill_at_random(world % 2);
		for (unsigned int i = 0; i < CONTIG_ROUNDS / 6 && wrong == NULL;
		     i++)
			wrong = contig_random_round();
		if (wrong == NULL)
			wrong = contig_scene_end();
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}
