/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_pcp.c -- per-CPU page lists: sizes, refills, drains, and who pays.
 *
 * Most scenes play in zone Z (tests/host/test_pcp.h).  tests/host/test_pcp_misuse.c has pages
 * that must not be on a list.
 */
#include "tests/host/test_pcp.h"

#include <string.h>

#include "kernel/arch/arch.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "mm/contig/page_isolation.h"
#include "mm/reclaim/drain.h"
#include "mm/reclaim/lru.h"
#include "mm/watermark.h"
#include "tests/suite.h"

SUITE(pcp);

#define CPUS 4U

struct pcp_set *set;
static struct pcp_cpu lists[CPUS];

void pcp_scene(unsigned long free, unsigned int cpus)
{
	machine_start(Z_PAGES);
	node = machine_one_zone(ZONE_DMA32, Z_PAGES);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, 480, 600, 720);
	set_main_node(node);
	pile.node = node;
	pile.count = 0;
	pile_leave(&pile, free);
	pcp_start(node, lists, cpus);
	set = zone->pcp[0];
}

static const char *pcp_scene_check(void)
{
	static char sentence[200];

	if (node_check(node, NULL, false, sentence, sizeof(sentence)) != NULL)
		return sentence;
	if (pcp_check(zone, sentence, sizeof(sentence)) != NULL)
		return sentence;
	return buddy_check(zone, false, sentence, sizeof(sentence));
}

const char *pcp_scene_end_with(unsigned long bad)
{
	pile_give(&pile, PILE_PAGES);
	pcp_stop(node);
	EXPECT_EQUAL(zone->bad_pages, bad);
	EXPECT_EQUAL(zone->free_pages, zone->managed - bad);
	return pcp_scene_check();
}

const char *pcp_scene_end(void)
{
	const char *broken = pcp_scene_check();

	if (broken != NULL)
		return broken;
	pile_give(&pile, PILE_PAGES);
	pcp_stop(node);
	EXPECT_EQUAL(zone->free_pages, zone->managed);
	EXPECT_EQUAL(zone->used_pages, 0);
	return pcp_scene_check();
}

struct page *pcp_get(gfp_t gfp, unsigned int order)
{
	return alloc_pages_node(node, gfp, order);
}

void pcp_put(struct page *page, unsigned int order)
{
	free_pages_node(node, page, order, RETURN_ADDRESS());
}

/* ---- Sizes --------------------------------------------------------------- */

CASE(pcp, batch_is_linux_s_for_every_size)
{
	static const struct {
		unsigned long managed;
		unsigned int batch;
	} row[] = {
		{ 0, 1 },       { 2048, 1 },       { 8192, 1 },
		{ 12288, 3 },   { 20714, 3 },      { 32768, 7 },
		{ 50301, 15 },  { 61440, 15 },     { 118585, 31 },
		{ 223033, 63 }, { 1UL << 30, 63 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		EXPECT_EQUAL(pcp_batch(row[i].managed), row[i].batch);
	return NULL;
}

CASE(pcp, limits_are_the_low_mark_and_an_eighth_of_the_zone)
{
	pcp_scene(2000, 1);
	EXPECT_EQUAL(set->batch, 15);
	EXPECT_EQUAL(set->high_min, 600);
	EXPECT_EQUAL(set->high_max, 7680);
	EXPECT_EQUAL(set->high, 600);
	pcp_stop(node);
	pcp_start(node, lists, CPUS);
	set = zone->pcp[0];
	EXPECT_EQUAL(set->high_min, 150);
	EXPECT_EQUAL(set->high_max, 1920);
	return pcp_scene_end();
}

CASE(pcp, fraction_fixes_the_limit_and_1_to_7_are_refused)
{
	pcp_scene(2000, CPUS);
	EXPECT_EQUAL(pcp_set_fraction(node, 8), 0);
	EXPECT_EQUAL(set->high_min, 1920);
	EXPECT_EQUAL(set->high_max, 1920);
	EXPECT_EQUAL(pcp_set_fraction(node, 100), 0);
	EXPECT_EQUAL(set->high_min, 153);
	EXPECT_EQUAL(set->high_max, 153);
	for (unsigned long fraction = 1; fraction < 8; fraction++)
		EXPECT_EQUAL(pcp_set_fraction(node, fraction), -EINVAL);
	EXPECT_EQUAL(set->high_max, 153);
	EXPECT_EQUAL(node->pcp_fraction, 100);
	EXPECT_EQUAL(pcp_set_fraction(node, 0), 0);
	EXPECT_EQUAL(set->high_min, 150);
	EXPECT_EQUAL(set->high_max, 1920);
	return pcp_scene_end();
}

CASE(pcp, limits_follow_the_marks)
{
	pcp_scene(2000, 1);
	node->min_free_kbytes = 8000;
	watermark_setup(node);
	EXPECT_EQUAL(zone->watermark[WMARK_LOW], 2500);
	EXPECT_EQUAL(set->high_min, 2500);
	EXPECT_EQUAL(set->high, 2500);
	return pcp_scene_end();
}

/* ---- Taking and giving --------------------------------------------------- */

CASE(pcp, without_lists_a_page_goes_back_to_the_zone)
{
	struct page *page;

	pcp_scene(2000, 1);
	pcp_stop(node);
	page = pcp_get(GFP_KERNEL, 0);
	EXPECT_EQUAL(zone->free_pages, 1999);
	pcp_put(page, 0);
	EXPECT_EQUAL(zone->free_pages, 2000);
	EXPECT_EQUAL(zone_pcp_pages(zone), 0);
	return pcp_scene_end();
}

/* One is used, seven are on the list: all eight have left the zone. */
CASE(pcp, a_refill_moves_8_pages_and_the_next_7_requests_none)
{
	struct page *page[8];

	pcp_scene(2000, 1);
	page[0] = pcp_get(GFP_KERNEL, 0);
	EXPECT_EQUAL(zone->free_pages, 1992);
	EXPECT_EQUAL(set->count, 7);
	EXPECT_EQUAL(zone_used_pages(zone), Z_PAGES - 2000 + 1);
	for (unsigned int i = 1; i < 8; i++) {
		page[i] = pcp_get(GFP_KERNEL, 0);
		EXPECT(page[i] != NULL && page[i]->state == PAGE_USED);
		EXPECT_EQUAL(page_ref_count(page[i]), 1);
		EXPECT_EQUAL(zone->free_pages, 1992);
		EXPECT_EQUAL(set->count, 7 - i);
	}
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pcp_refill), 7);
	for (unsigned int i = 0; i < 8; i++)
		pcp_put(page[i], 0);
	EXPECT_EQUAL(set->count, 8);
	EXPECT_EQUAL(zone->free_pages, 1992);
	return pcp_scene_end();
}

CASE(pcp, the_pages_of_a_refill_are_taken_in_the_order_of_their_frames)
{
	struct page *page[16];

	pcp_scene(Z_PAGES, 1);
	for (unsigned int i = 0; i < 16; i++) {
		page[i] = pcp_get(GFP_HIGHUSER_MOVABLE, 0);
		EXPECT_EQUAL(zone_pfn(zone, page[i]),
		             zone_pfn(zone, page[0]) + i);
	}
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pcp_refill), 14);
	for (unsigned int i = 0; i < 16; i++)
		pcp_put(page[i], 0);
	return pcp_scene_end();
}

CASE(pcp, a_refill_is_smaller_for_larger_blocks_and_none_for_order_3)
{
	static const unsigned int extra[PCP_ORDERS] = { 7, 6, 4, 0 };

	for (unsigned int order = 0; order < PCP_ORDERS; order++) {
		struct page *page;

		machine_start(Z_PAGES);
		node = machine_one_zone(ZONE_DMA32, Z_PAGES);
		zone = &node->zone[ZONE_DMA32];
		machine_set_marks(zone, 480, 600, 720);
		set_main_node(node);
		pcp_start(node, lists, 1);
		page = pcp_get(GFP_KERNEL, order);
		EXPECT_EQUAL(zone->pcp[0]->count, extra[order]);
		EXPECT_EQUAL(zone->free_pages,
		             Z_PAGES - extra[order] - (1UL << order));
		pcp_put(page, order);
		pcp_stop(node);
		EXPECT_EQUAL(zone->free_pages, Z_PAGES);
	}
	return NULL;
}

CASE(pcp, the_page_given_last_is_taken_first)
{
	struct page *a, *b;

	pcp_scene(2000, 1);
	a = pcp_get(GFP_KERNEL, 0);
	b = pcp_get(GFP_KERNEL, 0);
	pcp_put(a, 0);
	pcp_put(b, 0);
	EXPECT(pcp_get(GFP_KERNEL, 0) == b);
	EXPECT(pcp_get(GFP_KERNEL, 0) == a);
	pcp_put(a, 0);
	pcp_put(b, 0);
	return pcp_scene_end();
}

/* Two free pages of a list are no free block: only the zone merges. */
CASE(pcp, pages_on_a_list_do_not_merge_until_they_go_back)
{
	struct page *page[16];
	unsigned long blocks;

	machine_start(Z_PAGES);
	node = machine_one_zone(ZONE_DMA32, Z_PAGES);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, 480, 600, 720);
	set_main_node(node);
	pcp_start(node, lists, 1);
	blocks = zone->free_area[MAX_ORDER].count;
	for (unsigned int i = 0; i < 16; i++)
		page[i] = pcp_get(GFP_HIGHUSER_MOVABLE, 0);
	for (unsigned int i = 0; i < 16; i++)
		pcp_put(page[i], 0);
	EXPECT_EQUAL(zone->pcp[0]->count, 16);
	EXPECT(zone->free_area[MAX_ORDER].count < blocks);
	pcp_drain_zone(zone);
	EXPECT_EQUAL(zone->pcp[0]->count, 0);
	EXPECT_EQUAL(zone->free_pages, Z_PAGES);
	EXPECT_EQUAL(zone->free_area[MAX_ORDER].count, blocks);
	return pcp_scene_check();
}

CASE(pcp, types_have_separate_lists)
{
	struct page *movable, *other;

	pcp_scene(Z_PAGES, 1);
	movable = pcp_get(GFP_HIGHUSER_MOVABLE, 0);
	pcp_put(movable, 0);
	other = pcp_get(GFP_KERNEL, 0);
	EXPECT(other != movable);
	EXPECT_EQUAL(pageblock_type(zone, zone_pfn(zone, other)),
	             MIGRATE_UNMOVABLE);
	EXPECT(pcp_get(GFP_HIGHUSER_MOVABLE, 0) == movable);
	pcp_put(movable, 0);
	pcp_put(other, 0);
	return pcp_scene_end();
}

CASE(pcp, a_full_list_gives_8_of_the_oldest_back)
{
	struct page *oldest;

	pcp_scene(8000, 1);
	pcp_set_fraction(node, 200); /* 307 pages */
	pcp_drain_zone(zone);
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 400);
	pcp_drain_zone(zone);
	EXPECT_EQUAL(set->high, 307);
	oldest = pile.page[pile.count - 1];
	pile_give(&pile, 307);
	EXPECT_EQUAL(set->count, 307);
	EXPECT_EQUAL(oldest->state, PAGE_PCP);
	pile_give(&pile, 1);
	EXPECT_EQUAL(set->count, 300);
	/* The head of a block, or in the middle of one. */
	EXPECT(oldest->state == PAGE_FREE || oldest->state == PAGE_NONE);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pcp_drain) % 8, 0);
	return pcp_scene_end();
}

/* high_min is 600, a batch 15. */
CASE(pcp, a_free_below_the_high_mark_leaves_4_batches)
{
	pcp_scene(8000, 1);
	pcp_drain_zone(zone);
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 1000);
	pcp_drain_zone(zone);
	pile_give(&pile, 100);
	EXPECT_EQUAL(set->count, 100);
	machine_set_marks(zone, 480, 600, Z_PAGES);
	pile_give(&pile, 1);
	EXPECT_EQUAL(set->count, 93);
	pile_give(&pile, 200);
	EXPECT(set->count <= 60);
	return pcp_scene_end();
}

/* A free or a request never moves more than 8 pages, whatever the sizes. */
CASE(pcp, a_call_moves_at_most_8_pages_each_way)
{
	struct random dice = { .state = test_seed() };

	pcp_scene(6000, 1);
	pcp_set_fraction(node, 1000);
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned long before = zone->free_pages;
		unsigned long now;

		if (random_below(&dice, 2) == 0)
			pile_give(&pile, 1);
		else if (pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 1) == 0)
			continue;
		now = zone->free_pages;
		EXPECT((now > before ? now - before : before - now) <=
		       PCP_MOVES);
	}
	return pcp_scene_end();
}

/* The large block of unmovable pages. */
static struct page *pcp_large(void)
{
	return list_first(&zone->pcp[0]->blocks[PCP_LARGE + MIGRATE_UNMOVABLE],
	                  struct page, link);
}

CASE(pcp, a_large_zone_keeps_one_block_of_order_9)
{
	struct page *a, *b;

	machine_start(Z_PAGES);
	node = machine_one_zone(ZONE_DMA32, Z_PAGES);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, 480, 600, 720);
	set_main_node(node);
	pcp_start(node, lists, 1);
	a = pcp_get(GFP_KERNEL | __GFP_COMP, 9);
	b = pcp_get(GFP_KERNEL | __GFP_COMP, 9);
	EXPECT_EQUAL(zone->pcp[0]->count, 0);
	pcp_put(a, 9);
	EXPECT(a->state == PAGE_PCP && pcp_large() == a);
	EXPECT_EQUAL(zone->pcp[0]->count, 512);
	pcp_put(b, 9);
	EXPECT_EQUAL(zone->pcp[0]->count, 512);
	EXPECT_EQUAL(zone->free_pages, Z_PAGES - 512);
	/* Not for pages of another type, either. */
	b = pcp_get(GFP_HIGHUSER_MOVABLE, 9);
	EXPECT(b != NULL && b != a);
	__free_pages(b, 9);
	EXPECT(pcp_get(GFP_KERNEL, 9) == a);
	EXPECT_EQUAL(zone->pcp[0]->count, 0);
	zone->managed = PCP_LARGE_ZONE - 1;
	pcp_put(a, 9);
	EXPECT(a->state == PAGE_FREE && pcp_large() == NULL);
	zone->managed = Z_PAGES;
	pcp_stop(node);
	EXPECT_EQUAL(zone->free_pages, Z_PAGES);
	return NULL;
}

/* COUNT single pages of the type of MASK are given to a list that was empty. */
static void pcp_fill(struct page **page, unsigned int count, gfp_t mask)
{
	for (unsigned int i = 0; i < count; i++)
		page[i] = pcp_get(mask, 0);
	pcp_drain_zone(zone);
}

static unsigned int pcp_lists_of(struct page *const *page, unsigned int count)
{
	unsigned int listed = 0;

	for (unsigned int i = 0; i < count; i++)
		listed += page[i]->state == PAGE_PCP;
	return listed;
}

/* The list that overflows has three pages; five of the one after it follow, although there
 * are older ones on the one before. */
CASE(pcp, a_drain_begins_with_the_list_just_given_to_and_goes_on_with_the_next)
{
	const struct alloc_request any = { .highest_zone = ZONE_DMA32 };
	struct page *first[100], *given[3], *next[50];

	pcp_scene(8000, 1);
	pcp_fill(first, 100, GFP_KERNEL);
	pcp_fill(given, 3, GFP_HIGHUSER_MOVABLE);
	pcp_fill(next, 50, GFP_KERNEL | __GFP_RECLAIMABLE);
	for (unsigned int i = 0; i < 100; i++)
		pcp_put(first[i], 0);
	for (unsigned int i = 0; i < 50; i++)
		pcp_put(next[i], 0);
	pcp_put(given[0], 0);
	pcp_put(given[1], 0);
	EXPECT_EQUAL(set->count, 152);
	pcp_set_fraction(node, 405); /* 151 pages */
	pcp_put(given[2], 0);
	EXPECT_EQUAL(set->count, 153 - 8);
	EXPECT_EQUAL(pcp_lists_of(first, 100), 100);
	EXPECT_EQUAL(pcp_lists_of(given, 3), 0);
	EXPECT_EQUAL(pcp_lists_of(next, 50), 45);
	/* The oldest five. */
	EXPECT_EQUAL(pcp_lists_of(&next[5], 45), 45);
	/* A drain that no free has asked for begins with the first list. */
	EXPECT_EQUAL(pcp_give_back(node, &any), 8);
	EXPECT_EQUAL(pcp_lists_of(first, 100), 92);
	return pcp_scene_end();
}

CASE(pcp, blocks_of_orders_4_to_8_and_10_never_enter)
{
	pcp_scene(Z_PAGES, 1);
	for (unsigned int order = PCP_ORDERS; order <= MAX_ORDER; order++) {
		struct page *page = pcp_get(GFP_KERNEL, order);
		unsigned long free = zone->free_pages;

		EXPECT(page != NULL);
		pcp_put(page, order);
		EXPECT_EQUAL(zone->free_pages - free,
		             order == PAGEBLOCK_ORDER ? 0 : 1UL << order);
		pcp_drain_zone(zone);
	}
	return pcp_scene_end();
}

/* ---- Who pays ------------------------------------------------------------ */

CASE(pcp, a_refill_stops_at_the_low_mark)
{
	pcp_scene(604, 1);
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 1);
	EXPECT_EQUAL(zone->free_pages, 600);
	EXPECT_EQUAL(set->count, 3);
	return pcp_scene_end();
}

CASE(pcp, a_request_that_uses_the_reserve_takes_its_own_page_only)
{
	static const gfp_t mask[] = { GFP_ATOMIC, GFP_NOWAIT, __GFP_MEMALLOC };

	for (size_t i = 0; i < ARRAY_SIZE(mask); i++) {
		pcp_scene(550, 1);
		EXPECT_EQUAL(pile_drain(&pile, mask[i], 3), 3);
		EXPECT_EQUAL(zone->free_pages, 547);
		EXPECT_EQUAL(set->count, 0);
		EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pcp_refill), 0);
	}
	return pcp_scene_end();
}

CASE(pcp, a_page_on_a_list_has_been_paid_for)
{
	const gfp_t mask = __GFP_MOVABLE | __GFP_NOWARN;
	struct page *page;

	pcp_scene(2000, 1);
	page = pcp_get(mask, 0);
	EXPECT_EQUAL(set->count, 7);
	pile_drain(&pile, __GFP_MEMALLOC | __GFP_MOVABLE, PILE_PAGES);
	EXPECT_EQUAL(zone->free_pages, 0);
	pcp_put(page, 0);
	EXPECT(set->count > 0);
	EXPECT(pcp_get(mask, 0) == page);
	EXPECT(pcp_get(mask, 0) == NULL);
	pcp_put(page, 0);
	return pcp_scene_end();
}

/* DMA32 keeps a part for requests that cannot use NORMAL, lists or not. */
CASE(pcp, a_list_of_a_lower_zone_does_not_undermine_its_lowmem_reserve)
{
	static const unsigned long each[ZONE_COUNT] = { 0, 4096, 4096, 0 };
	struct zone *low;
	struct page *page;

	machine_start((4UL << 20) + 4096);
	node = machine_zones((4UL << 20) - 4096, each);
	low = &node->zone[ZONE_DMA32];
	machine_set_marks(low, 40, 50, 60);
	machine_set_marks(&node->zone[ZONE_NORMAL], 40, 50, 60);
	low->lowmem_reserve[ZONE_NORMAL] = 1000;
	set_main_node(node);
	pcp_start(node, lists, 1);
	pile.node = node;
	pile.count = 0;
	pile_drain(&pile, (GFP_KERNEL | __GFP_DMA32), 3100);
	EXPECT(low->free_pages < 1050);
	page = pcp_get((GFP_KERNEL | __GFP_DMA32), 0);
	pcp_put(page, 0);
	while (node->zone[ZONE_NORMAL].free_pages > 50 ||
	       zone_pcp_pages(&node->zone[ZONE_NORMAL]) > 0)
		EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT(low->pcp[0]->count > 0);
	EXPECT(page->state == PAGE_PCP);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT | __GFP_NOWARN, 1), 1);
	EXPECT(page->state == PAGE_PCP);
	EXPECT(pcp_get((GFP_KERNEL | __GFP_DMA32), 0) == page);
	pcp_put(page, 0);
	pile_give(&pile, PILE_PAGES);
	pcp_stop(node);
	EXPECT_EQUAL(node_free(node), 8192);
	return NULL;
}

/* The lower zone has no page but that of its list, which was paid for. */
CASE(pcp, memalloc_from_a_higher_zone_takes_the_last_page_off_a_list)
{
	static const unsigned long each[ZONE_COUNT] = { 0, 2048, 2048, 0 };
	struct page *page;

	machine_start((4UL << 20) + 2048);
	node = machine_zones((4UL << 20) - 2048, each);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, 40, 50, 60);
	zone->lowmem_reserve[ZONE_NORMAL] = 1000;
	set_main_node(node);
	pcp_start(node, lists, 1);
	pile.node = node;
	pile.count = 0;
	pile_drain(&pile, __GFP_MEMALLOC, PILE_PAGES);
	page = pile.page[--pile.count];
	EXPECT_EQUAL(page->zone, ZONE_DMA32);
	pcp_put(page, 0);
	EXPECT(page->state == PAGE_PCP && node_free(node) == 0);
	vmstat_clear(&node->stat);
	EXPECT(pcp_get(GFP_NOWAIT | __GFP_MEMALLOC, 0) == page);
	EXPECT(page->flags & PAGE_PFMEMALLOC);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pcp_drain), 0);
	pcp_put(page, 0);
	pile_give(&pile, PILE_PAGES);
	pcp_stop(node);
	EXPECT_EQUAL(node_free(node), 4096);
	return NULL;
}

/* 300 movable pages are on the list; unmovable ones are asked for. */
CASE(pcp, before_a_request_gets_null_the_lists_go_back)
{
	unsigned long got;

	pcp_scene(2000, 1);
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 300);
	pile_give(&pile, 300);
	EXPECT(set->count >= 300);
	got = pile_drain(&pile, GFP_ATOMIC | __GFP_NOWARN, PILE_PAGES);
	EXPECT_EQUAL(got, 2000 - 180);
	EXPECT_EQUAL(set->count, 0);
	EXPECT_EQUAL(zone->free_pages, 180);
	return pcp_scene_end();
}

/* Every second page is on the list, so no two of them make a block. */
static void pcp_scene_of_single_pages(void)
{
	pcp_scene(2000, 1);
	pcp_set_fraction(node, 200); /* 307 pages */
	pcp_stop(node);
	pile_drain(&pile, __GFP_MEMALLOC | __GFP_MOVABLE, PILE_PAGES);
	pcp_start(node, lists, 1);
	for (unsigned long pfn = 0; set->count < 306; pfn += 2)
		pcp_put(zone_page(zone, zone->start_pfn + pfn), 0);
}

/* The single pages are no longer the pile's. */
static const char *pcp_single_pages_end(void)
{
	const char *broken = pcp_scene_check();

	for (unsigned long pfn = 0; broken == NULL && pfn < Z_PAGES; pfn++) {
		struct page *page = zone_page(zone, zone->start_pfn + pfn);

		if (page->state == PAGE_USED)
			pcp_put(page, page->order);
	}
	pile.count = 0;
	return broken != NULL ? broken : pcp_scene_end();
}

CASE(pcp, a_request_that_cannot_sleep_waits_for_64_pages_at_most)
{
	pcp_scene_of_single_pages();
	EXPECT(pcp_get(GFP_ATOMIC | __GFP_NOWARN, 1) == NULL);
	EXPECT_EQUAL(set->count, 306 - 64);
	EXPECT_EQUAL(zone->free_pages, 64);
	return pcp_single_pages_end();
}

CASE(pcp, a_request_that_may_sleep_gets_null_after_all_of_them)
{
	pcp_scene_of_single_pages();
	EXPECT(pcp_get(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 1) == NULL);
	EXPECT_EQUAL(set->count, 0);
	EXPECT_EQUAL(zone->free_pages, 306);
	return pcp_single_pages_end();
}

static unsigned int reclaims;

static unsigned long
pcp_reclaim_nothing_yet(struct node *of, const struct alloc_request *request)
{
	(void)of;
	(void)request;
	reclaims++;
	return 1;
}

CASE(pcp, reclaim_that_made_progress_empties_the_lists_once)
{
	struct page *page;

	pcp_scene(2000, 1);
	pcp_set_fraction(node, 50); /* 1228 pages */
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 1000);
	pile_give(&pile, 1000);
	EXPECT(set->count >= 1000);
	pcp_set_fraction(node, 0);
	reclaims = 0;
	node->recovery.reclaim = pcp_reclaim_nothing_yet;
	while (zone->free_pages > 480)
		EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, 1), 1);
	EXPECT(set->count >= 1000);
	page = pcp_get(GFP_KERNEL, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(reclaims, 1);
	EXPECT_EQUAL(set->count, 0);
	pcp_put(page, 0);
	return pcp_scene_end();
}

/* ---- The lists of all CPUs ----------------------------------------------- */

static unsigned int pcp_runs[CPUS];

/* The worker of CPU, which the caller waits for. */
static void pcp_run_on(unsigned int cpu, void (*function)(void *), void *data)
{
	unsigned int before = arch_cpu_id();

	pcp_runs[cpu]++;
	machine_be_cpu(cpu);
	function(data);
	machine_be_cpu(before);
}

/* Pages on the lists of CPUs 0 and 2 of 4. */
static void pcp_scene_of_cpus(void)
{
	memset(pcp_runs, 0, sizeof(pcp_runs));
	pcp_scene(2000, CPUS);
	node->run_on = pcp_run_on;
	for (unsigned int cpu = 0; cpu < CPUS; cpu += 2) {
		machine_be_cpu(cpu);
		pcp_put(pcp_get(GFP_KERNEL, 0), 0);
	}
	machine_be_cpu(0);
}

CASE(pcp, drain_all_pages_empties_each_list_where_it_is)
{
	pcp_scene_of_cpus();
	EXPECT(set->count > 0);
	EXPECT(zone->pcp[2]->count > 0);
	drain_all_pages(node, zone);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		EXPECT_EQUAL(zone->pcp[cpu]->count, 0);
	EXPECT_EQUAL(zone->free_pages, 2000);
	/* The own lists directly; and a CPU without pages is not troubled. */
	EXPECT_EQUAL(pcp_runs[0] + pcp_runs[1] + pcp_runs[3], 0);
	EXPECT_EQUAL(pcp_runs[2], 1);
	return pcp_scene_end();
}

CASE(pcp, drain_all_pages_of_one_zone_leaves_those_of_others)
{
	pcp_scene_of_cpus();
	drain_all_pages(node, &node->zone[ZONE_DMA]);
	EXPECT(set->count > 0);
	EXPECT(zone->pcp[2]->count > 0);
	EXPECT_EQUAL(pcp_runs[2], 0);
	drain_all_pages(node, NULL);
	EXPECT_EQUAL(set->count + zone->pcp[2]->count, 0);
	EXPECT_EQUAL(zone->free_pages, 2000);
	return pcp_scene_end();
}

/* Reclaim has made progress, and the only free pages are on the lists of CPU 2. */
CASE(pcp, direct_reclaim_without_a_page_empties_the_lists_of_other_cpus)
{
	struct page *page;

	pcp_scene_of_cpus();
	pcp_set_fraction(node, 8);
	machine_be_cpu(2);
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 1000);
	pile_give(&pile, 1000);
	EXPECT(zone->pcp[2]->count >= 1000);
	machine_be_cpu(0);
	drain_all_pages(node, &node->zone[ZONE_DMA]);
	reclaims = 0;
	node->recovery.reclaim = pcp_reclaim_nothing_yet;
	while (zone->free_pages > 480)
		EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, 1), 1);
	while (set->count > 0)
		EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, 1), 1);
	EXPECT(zone->pcp[2]->count >= 1000);
	page = pcp_get(GFP_KERNEL, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(reclaims, 1);
	EXPECT_EQUAL(zone->pcp[2]->count, 0);
	EXPECT_EQUAL(pcp_runs[2], 1);
	pcp_put(page, 0);
	return pcp_scene_end();
}

/* ---- Types --------------------------------------------------------------- */

static void pcp_retype(struct page *page, enum migratetype type)
{
	bool enabled = pageblock_lock_settled(zone);

	pageblock_retype(zone, page, type);
	spin_unlock_irqrestore(&zone->lock, enabled);
	(void)pageblock_settle(zone);
}

CASE(pcp, a_page_goes_back_to_the_list_of_what_its_pageblock_is_now)
{
	struct page *page;

	pcp_scene(2000, 1);
	page = pcp_get(GFP_HIGHUSER_MOVABLE, 0);
	pcp_put(page, 0);
	EXPECT_EQUAL(page->state, PAGE_PCP);
	EXPECT_EQUAL(pageblock_type(zone, zone_pfn(zone, page)),
	             MIGRATE_MOVABLE);
	pcp_retype(page, MIGRATE_RECLAIMABLE);
	pcp_drain_zone(zone);
	EXPECT_EQUAL(page->state, PAGE_FREE);
	return pcp_scene_end();
}

CASE(pcp, pages_of_highatomic_pageblocks_bypass_the_lists)
{
	struct page *page;
	unsigned long before;

	pcp_scene(2000, 1);
	page = pcp_get(GFP_HIGHUSER_MOVABLE, 0);
	pcp_drain_zone(zone);
	pcp_retype(page, MIGRATE_HIGHATOMIC);
	before = zone->nr_free_highatomic;
	pcp_put(page, 0);
	EXPECT_EQUAL(set->count, 0);
	EXPECT_EQUAL(zone->nr_free_highatomic, before + 1);
	pcp_retype(page, MIGRATE_MOVABLE);
	return pcp_scene_end();
}

CASE(pcp, pages_of_isolated_pageblocks_bypass_the_lists)
{
	struct page *page;
	unsigned long first;

	pcp_scene(Z_PAGES, 1);
	page = pcp_get(GFP_HIGHUSER_MOVABLE, 0);
	lru_add(node, page);
	pcp_drain_zone(zone);
	first = ALIGN_DOWN(zone_pfn(zone, page), PAGEBLOCK_PAGES);
	EXPECT_EQUAL(start_isolate_page_range(zone, first, first + 1,
	                                      MIGRATE_MOVABLE),
	             0);
	EXPECT_EQUAL(zone->isolated_pages, 511);
	lru_remove(node, page);
	pcp_put(page, 0);
	EXPECT_EQUAL(set->count, 0);
	EXPECT_EQUAL(zone->isolated_pages, 512);
	undo_isolate_page_range(zone, first, first + 1, MIGRATE_MOVABLE);
	return pcp_scene_end();
}

/* ---- Interrupts ---------------------------------------------------------- */

CASE(pcp, an_interrupt_that_finds_the_list_in_use_takes_the_zone_s_path)
{
	struct page *warm, *page;
	struct pcp_set *busy;
	unsigned long count, free;

	pcp_scene(2000, 1);
	warm = pcp_get(GFP_KERNEL, 0);
	pcp_put(warm, 0);
	count = set->count;
	free = zone->free_pages;
	busy = pcp_enter(zone);
	EXPECT(busy == set);
	machine_enter_irq(NULL);
	EXPECT(pcp_enter(zone) == NULL);
	page = pcp_get(GFP_ATOMIC, 0);
	EXPECT(page != NULL && page->state == PAGE_USED && page != warm);
	EXPECT_EQUAL(zone->free_pages, free - 1);
	pcp_put(page, 0);
	EXPECT_EQUAL(zone->free_pages, free);
	machine_leave_irq();
	EXPECT_EQUAL(set->count, count);
	pcp_unlock();
	EXPECT_EQUAL(preempt_count(), 0);
	EXPECT(pcp_get(GFP_KERNEL, 0) == warm);
	pcp_put(warm, 0);
	return pcp_scene_end();
}

/* ---- Decay --------------------------------------------------------------- */

CASE(pcp, decay_follows_linux_s_numbers)
{
	static const unsigned int full[] = { 1680, 1470, 1287, 1127, 987 };
	static const unsigned int idle[] = { 875, 766, 671 };

	pcp_scene(6000, CPUS);
	pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 2500);
	set->high = 1920;
	pcp_drain_zone(zone);
	set->high = 1920;
	pile_give(&pile, 1920);
	EXPECT_EQUAL(set->count, 1920);
	for (size_t i = 0; i < ARRAY_SIZE(full); i++) {
		pcp_decay(node);
		EXPECT_EQUAL(set->high, full[i]);
		EXPECT_EQUAL(set->count, full[i]);
	}
	set->high = 1000;
	while (set->count > 100)
		pile_drain(&pile, GFP_HIGHUSER_MOVABLE, 1);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
		pcp_decay(node);
		EXPECT_EQUAL(set->high, idle[i]);
		EXPECT_EQUAL(set->count, 100);
	}
	for (unsigned int i = 0; i < 100; i++)
		pcp_decay(node);
	EXPECT_EQUAL(set->high, 150);
	return pcp_scene_end();
}
