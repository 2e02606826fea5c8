/* SPDX-License-Identifier: MIT */
/* tests/host/test_cma.c -- a range that is kept for contiguous requests and lent meanwhile. */
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "mm/contig/cma.h"
#include "mm/contig/contig.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"
#include "mm/watermark.h"
#include "tests/host/contig_scene.h"
#include "tests/suite.h"

SUITE(cma);

#define BASE      512UL
#define AREA      1024UL

/* The last page, movable or not. */
#define CMA_MOVES (__GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN)
#define CMA_STAYS (__GFP_MEMALLOC | __GFP_NOWARN)

static struct cma area;
static unsigned long bits[CMA_LONGS(AREA)];

/* Two pageblocks are the area, with a bit for 2^ORDER frames; nothing else is free. */
static void cma_start(unsigned int order)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_reserve(BASE, BASE + AREA);
	memset(bits, 0, sizeof(bits));
	kassert(cma_init_area(&area, node, BASE, AREA, order, bits) == 0);
}

/* FREE pages are free, of these CMA in the area; the marks are 480, 600, 720. */
static void cma_leave(unsigned long free, unsigned long cma)
{
	cma_start(0);
	for (unsigned long i = cma; i < AREA; i++)
		kassert(alloc_page(CMA_MOVES) != NULL);
	contig_scene_give(2048, 2048 + free - cma);
	kassert(zone->free_pages == free && zone->nr_free_cma == cma);
	machine_set_marks(zone, 480, 600, 720);
}

static bool cma_is_of_area(const struct page *page)
{
	unsigned long pfn = zone_pfn(zone, page);

	return pfn >= BASE && pfn < BASE + AREA;
}

CASE(cma, its_pages_are_free_and_counted_apart)
{
	cma_start(0);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_CMA);
	EXPECT_EQUAL(contig_scene_type(2), MIGRATE_CMA);
	EXPECT_EQUAL(contig_scene_type(3), MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_pages, AREA);
	EXPECT_EQUAL(zone->nr_free_cma, AREA);
	EXPECT_EQUAL(zone->nr_cma, AREA);
	EXPECT_EQUAL(zone->managed, PAGES);
	return contig_scene_end();
}

CASE(cma, only_movable_requests_get_its_pages)
{
	cma_start(0);
	EXPECT(alloc_page(CMA_STAYS) == NULL);
	EXPECT(alloc_page(CMA_STAYS | __GFP_RECLAIMABLE) == NULL);
	EXPECT(alloc_pages(CMA_STAYS, 3) == NULL);
	EXPECT(!pageblock_has_block(zone, 0, MIGRATE_UNMOVABLE));
	EXPECT(pageblock_has_block(zone, 9, MIGRATE_MOVABLE));
	EXPECT(alloc_pages(CMA_MOVES, 9) != NULL);
	for (unsigned long i = 0; i < 512; i++)
		EXPECT(alloc_page(CMA_MOVES) != NULL);
	EXPECT_EQUAL(zone->nr_free_cma, 0);
	EXPECT_EQUAL(contig_scene_type(2), MIGRATE_CMA);
	return contig_scene_end();
}

CASE(cma, what_others_may_not_have_does_not_count_for_their_marks)
{
	cma_leave(1000, 900);
	EXPECT(!watermark_ok(zone, 0, 480, ZONE_DMA32, RESERVE_NONE));
	EXPECT(watermark_ok(zone, 0, 99, ZONE_DMA32, RESERVE_NONE));
	EXPECT(!watermark_ok(zone, 0, 100, ZONE_DMA32, RESERVE_NONE));
	EXPECT(watermark_ok_cma(zone, 0, 480, ZONE_DMA32, RESERVE_NONE, true));
	EXPECT(!watermark_ok(zone, 8, 0, ZONE_DMA32, RESERVE_ALL));
	EXPECT(watermark_ok_cma(zone, 8, 0, ZONE_DMA32, RESERVE_ALL, true));
	EXPECT_EQUAL(watermark_headroom(zone, 40, ZONE_DMA32, RESERVE_NONE),
	             60);
	EXPECT_EQUAL(watermark_headroom(zone, 40, ZONE_DMA32, RESERVE_ALL),
	             100);
	/* GFP_KERNEL without its rungs that wait, and GFP_HIGHUSER_MOVABLE. */
	EXPECT(alloc_page(__GFP_NOWARN | __GFP_NOMEMALLOC) == NULL);
	EXPECT(alloc_page(__GFP_NOWARN | __GFP_NOMEMALLOC | __GFP_HIGHMEM |
	                  __GFP_MOVABLE) != NULL);
	return contig_scene_end();
}

CASE(cma, more_than_half_of_all_free_pages_are_taken_first)
{
	struct page *page;

	cma_leave(1000, 501);
	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	EXPECT(page != NULL && cma_is_of_area(page));
	__free_page(page);
	return contig_scene_end();
}

CASE(cma, half_of_all_free_pages_are_taken_last)
{
	struct page *page;

	cma_leave(1000, 500);
	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	EXPECT(page != NULL && !cma_is_of_area(page));
	return contig_scene_end();
}

CASE(cma, a_page_of_it_is_lent_before_another_type_is_robbed)
{
	struct page *page;

	cma_leave(1000, 400);
	/* All other free pages are of UNMOVABLE pageblocks. */
	EXPECT_EQUAL(zone->free_area[9].count + zone->free_area[10].count, 1);
	kassert(alloc_pages(CMA_STAYS, 9) != NULL);
	while (zone->nonempty[MIGRATE_MOVABLE] != 0)
		kassert(alloc_page(CMA_STAYS) != NULL);
	__free_page(zone_page(zone, 2050));
	EXPECT(zone->nonempty[MIGRATE_UNMOVABLE] != 0);
	while (zone->nr_free_cma > 0) {
		page = alloc_page(CMA_MOVES);
		EXPECT(page != NULL && cma_is_of_area(page));
	}
	return contig_scene_end();
}

/* ---- The CPUs' lists ----------------------------------------------------- */

/* As cma_leave(), and CPU 0 has lists for the zone, empty ones. */
static const struct pcp_set *cma_leave_with_lists(unsigned long free,
                                                  unsigned long cma)
{
	static struct pcp_cpu lists;

	cma_leave(free, cma);
	machine_set_marks(zone, 20, 25, 30);
	pcp_start(node, &lists, 1);
	kassert(zone->pcp[0]->count == 0);
	/* So small a zone would fetch single pages. */
	zone->pcp[0]->batch = 8;
	return zone->pcp[0];
}

static const char *cma_end_with_lists(void)
{
	char sentence[200];

	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) == NULL);
	pcp_stop(node);
	return contig_scene_end();
}

CASE(cma, its_pages_bypass_the_cpus_lists)
{
	const struct pcp_set *set = cma_leave_with_lists(1000, 501);
	struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);
	unsigned long pages = set->count;

	EXPECT(page != NULL && cma_is_of_area(page));
	EXPECT_EQUAL(zone->nr_free_cma, 500);
	__free_page(page);
	EXPECT_EQUAL(zone->nr_free_cma, 501);
	EXPECT_EQUAL(set->count, pages);
	/* One of the kernel's does not. */
	page = alloc_page(GFP_KERNEL);
	pages = set->count;
	__free_page(page);
	EXPECT_EQUAL(set->count, pages + 1);
	return cma_end_with_lists();
}

CASE(cma, while_its_pages_go_first_no_list_of_movable_pages_is_filled)
{
	const struct pcp_set *set = cma_leave_with_lists(1000, 600);

	for (unsigned int i = 0; i < 100; i++)
		EXPECT(cma_is_of_area(alloc_page(GFP_HIGHUSER_MOVABLE)));
	EXPECT_EQUAL(set->count, 0);
	/* Other requests are filled as ever. */
	EXPECT(alloc_page(GFP_KERNEL) != NULL);
	EXPECT(set->count > 0);
	return cma_end_with_lists();
}

CASE(cma, a_refill_takes_none_of_its_pages)
{
	const struct pcp_set *set = cma_leave_with_lists(1000, 400);

	EXPECT(!cma_is_of_area(alloc_page(GFP_HIGHUSER_MOVABLE)));
	EXPECT(set->count > 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pcp_refill), set->count);
	EXPECT_EQUAL(zone->nr_free_cma, 400);
	return cma_end_with_lists();
}

CASE(cma, where_only_its_pages_are_left_no_list_is_filled)
{
	const struct pcp_set *set = cma_leave_with_lists(1000, 400);
	unsigned long cma = zone->nr_free_cma;

	/* The kernel takes what is not of the area. */
	while (zone->free_pages > cma)
		EXPECT(alloc_page(CMA_STAYS) != NULL);
	pcp_drain_zone(zone);
	while (zone->free_pages > cma)
		EXPECT(alloc_page(CMA_STAYS) != NULL);
	EXPECT_EQUAL(set->count, 0);
	EXPECT(alloc_page(CMA_STAYS) == NULL);
	EXPECT(cma_is_of_area(alloc_page(GFP_HIGHUSER_MOVABLE)));
	EXPECT_EQUAL(set->count, 0);
	EXPECT_EQUAL(zone->nr_free_cma, cma - 1);
	return cma_end_with_lists();
}

CASE(cma, movable_pages_that_were_lent_leave_with_their_contents)
{
	struct page *page;

	cma_start(0);
	EXPECT_EQUAL(space_fill(&anon_space, CMA_MOVES, 700), 700);
	for (unsigned long i = 0; i < 700; i++)
		memset(page_address(anon_space.page[i]), (int)(i & 0xff),
		       PAGE_SIZE);
	contig_scene_give(2048, 4096);
	page = cma_alloc(&area, AREA, 0, false);
	EXPECT(page == zone_page(zone, BASE));
	EXPECT_EQUAL(cma_taken(&area), AREA);
	EXPECT_EQUAL(zone->nr_free_cma, 0);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_CMA);
	for (unsigned long i = 0; i < AREA; i++) {
		EXPECT_EQUAL(page_ref_count(page + i), 1);
		memset(machine_physical(BASE + i), 0xcd, PAGE_SIZE);
	}
	EXPECT(contig_scene_intact(&anon_space));
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_cma_alloc_success), 1);
	EXPECT(cma_release(&area, page, AREA));
	EXPECT_EQUAL(zone->nr_free_cma, AREA);
	EXPECT_EQUAL(cma_taken(&area), 0);
	return contig_scene_end();
}

CASE(cma, the_first_place_that_fits_is_taken)
{
	cma_start(0);
	EXPECT(cma_alloc(&area, 10, 0, false) == zone_page(zone, BASE));
	EXPECT(cma_alloc(&area, 20, 0, false) == zone_page(zone, BASE + 10));
	EXPECT(cma_alloc(&area, 8, 3, false) == zone_page(zone, BASE + 32));
	EXPECT(cma_release(&area, zone_page(zone, BASE), 10));
	EXPECT(cma_alloc(&area, 11, 0, false) == zone_page(zone, BASE + 40));
	EXPECT(cma_alloc(&area, 10, 0, false) == zone_page(zone, BASE));
	EXPECT(cma_alloc(&area, 512, 9, false) == zone_page(zone, BASE + 512));
	EXPECT_EQUAL(cma_taken(&area), 20 + 8 + 11 + 10 + 512);
	return contig_scene_end();
}

CASE(cma, a_request_that_means_nothing_is_refused_and_not_counted)
{
	static struct cma none;
	unsigned long failed;

	cma_start(0);
	none.node = node;
	failed = vmstat_read(&node->stat, VMSTAT_cma_alloc_fail);
	EXPECT(cma_alloc(&area, 0, 0, false) == NULL);
	EXPECT(cma_alloc(&none, 1, 0, false) == NULL);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_cma_alloc_fail), failed);
	EXPECT_EQUAL(cma_taken(&area), 0);
	return contig_scene_end();
}

CASE(cma, a_bit_stands_for_as_many_frames_as_the_area_says)
{
	cma_start(2);
	EXPECT(cma_alloc(&area, 5, 0, false) == zone_page(zone, BASE));
	EXPECT_EQUAL(cma_taken(&area), 8);
	EXPECT(cma_alloc(&area, 1, 0, false) == zone_page(zone, BASE + 8));
	EXPECT(cma_alloc(&area, 1, 4, false) == zone_page(zone, BASE + 16));
	EXPECT(cma_release(&area, zone_page(zone, BASE), 5));
	EXPECT_EQUAL(cma_taken(&area), 8);
	return contig_scene_end();
}

CASE(cma, a_place_that_is_busy_is_passed_over)
{
	struct page *page;

	cma_start(0);
	kassert(space_fill(&file_space, CMA_MOVES, 1) == 1);
	contig_scene_give(2048, 4096);
	/* Lent, and pinned. */
	page = file_space.page[0];
	EXPECT(cma_is_of_area(page));
	get_page(page);
	EXPECT_EQUAL(zone_pfn(zone, page), BASE + 512);
	EXPECT(cma_alloc(&area, 512, 0, false) == zone_page(zone, BASE));
	EXPECT(cma_alloc(&area, 4, 0, false) == page + 1);
	EXPECT_EQUAL(cma_taken(&area), 516);
	EXPECT(cma_alloc(&area, 508, 0, true) == NULL);
	EXPECT_EQUAL(cma_taken(&area), 516);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_cma_alloc_fail), 1);
	put_page(page);
	return contig_scene_end();
}

CASE(cma, without_room_to_move_to_no_other_place_is_tried)
{
	cma_start(0);
	kassert(space_fill(&anon_space, CMA_MOVES, AREA) == AREA);
	EXPECT(cma_alloc(&area, 4, 0, true) == NULL);
	EXPECT_EQUAL(cma_taken(&area), 0);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_cma_alloc_fail), 1);
	return contig_scene_end();
}

CASE(cma, its_pageblocks_are_not_for_other_contiguous_requests)
{
	cma_start(0);
	EXPECT_EQUAL(alloc_contig_range(BASE, BASE + 512, MIGRATE_MOVABLE,
	                                GFP_KERNEL),
	             -EBUSY);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_CMA);
	EXPECT(alloc_contig_pages(512, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(zone->nr_free_cma, AREA);
	return contig_scene_end();
}

CASE(cma, what_was_not_taken_is_not_given_back)
{
	struct page *page;

	cma_start(0);
	page = cma_alloc(&area, 8, 0, false);
	EXPECT(!cma_release(&area, NULL, 8));
	EXPECT(!cma_release(&area, page, 0));
	EXPECT(!cma_release(&area, page, 9));
	EXPECT(!cma_release(&area, page, AREA + 1));
	EXPECT(!cma_release(&area, page - 1, 1));
	EXPECT(!cma_release(&area, zone_page(zone, BASE + AREA), 1));
	EXPECT_EQUAL(cma_taken(&area), 8);
	EXPECT(cma_release(&area, page, 8));
	EXPECT(!cma_release(&area, page, 8));
	return contig_scene_end();
}

CASE(cma, an_area_in_two_zones_is_none_and_its_memory_is_free)
{
	const unsigned long pages[ZONE_COUNT] = { 0, 512, 512, 0 };

	machine_start(1024);
	node = machine_zones(0, pages);
	for (unsigned int i = 0; i < 2; i++) {
		zone = &node->zone[ZONE_DMA32 + i];
		while (alloc_page(CMA_MOVES | __GFP_HIGHMEM) != NULL)
			;
	}
	for (unsigned int i = 0; i < 2; i++) {
		zone = &node->zone[ZONE_DMA32 + i];
		contig_scene_reserve(i * 512UL, (i + 1) * 512UL);
	}
	EXPECT_EQUAL(cma_init_area(&area, node, 0, 1024, 0, bits), -EINVAL);
	EXPECT_EQUAL(node_free(node), 1024);
	EXPECT_EQUAL(zone->blocks[0].type, MIGRATE_MOVABLE);
	EXPECT(cma_alloc(&area, 1, 0, false) == NULL);
	EXPECT_EQUAL(cma_taken(&area), 0);
	return contig_scene_check();
}

CASE(cma, random_takes_and_releases_agree_with_a_model)
{
	struct random dice = { test_seed() };
	static bool taken[AREA];
	static unsigned long length[AREA];

	cma_start(0);
	memset(taken, 0, sizeof(taken));
	memset(length, 0, sizeof(length));
	for (unsigned int round = 0; round < 300; round++) {
		unsigned long count = 1 + random_below(&dice, 100);
		unsigned long at = random_below(&dice, AREA);
		unsigned long want = 0;
		struct page *page;

		if (length[at] != 0) {
			EXPECT(cma_release(&area, zone_page(zone, BASE + at),
			                   length[at]));
			memset(taken + at, 0, length[at]);
			length[at] = 0;
			continue;
		}
		while (want + count <= AREA &&
		       memchr(taken + want, 1, count) != NULL)
			want++;
		page = cma_alloc(&area, count, 0, true);
		if (want + count > AREA) {
			EXPECT(page == NULL);
			continue;
		}
		EXPECT(page == zone_page(zone, BASE + want));
		memset(taken + want, 1, count);
		length[want] = count;
		EXPECT(contig_scene_check() == NULL);
	}
	return contig_scene_end();
}
