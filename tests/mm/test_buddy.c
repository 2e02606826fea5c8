/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_buddy.c -- the buddy allocator of a private zone.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/page_state.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(buddy);

/* Blocks on the free list of ORDER. */
static unsigned long blocks(const struct zone *zone, unsigned int order)
{
	return zone->free_area[order].count;
}

static struct page *take_within(struct zone *zone, unsigned long first,
                                unsigned long last)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	struct page *page = buddy_take_within(zone, first, last);

	if (page != NULL) {
		page_set_state(zone, page, PAGE_LOOSE, PAGE_USED);
		page->refcount = 1;
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	return page;
}

/* ---- Numbers ------------------------------------------------------------- */

CASE(buddy, numbers_of_buddy_and_parent)
{
	EXPECT_EQUAL(buddy_pfn(8, 1), 10);
	EXPECT_EQUAL(buddy_pfn(10, 1), 8);
	EXPECT_EQUAL(buddy_pfn(6, 1), 4);
	EXPECT_EQUAL(buddy_parent(12, 2), 8);
	EXPECT_EQUAL(buddy_parent(8, 2), 8);
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		unsigned long pfn = 5UL << order;

		EXPECT_EQUAL(buddy_pfn(buddy_pfn(pfn, order), order), pfn);
		EXPECT_EQUAL(buddy_parent(buddy_pfn(pfn, order), order),
		             buddy_parent(pfn, order));
	}
	return NULL;
}

/* ---- What the zone is given ---------------------------------------------- */

/* Blocks of each order that cover START..END-1, by the rule: the largest that
 * is aligned and fits. */
static void expect_blocks(unsigned long start, unsigned long end,
                          unsigned long *expected)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		expected[order] = 0;
	while (start < end) {
		unsigned int order = MAX_ORDER;

		while (start % (1UL << order) != 0 ||
		       start + (1UL << order) > end)
			order--;
		expected[order]++;
		start += 1UL << order;
	}
}

static const char *init_and_compare(unsigned long start, unsigned long pages)
{
	struct zone *zone = private_zone(start, pages);
	unsigned long expected[MAX_ORDER + 1];

	expect_blocks(start, start + pages, expected);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		if (blocks(zone, order) != expected[order])
			return test_failure("frames %lu..%lu: %lu blocks of "
			                    "order %u, expected %lu",
			                    start, start + pages - 1,
			                    blocks(zone, order), order,
			                    expected[order]);
	}
	EXPECT_EQUAL(zone->free_pages, pages);
	return private_check(zone->node);
}

CASE(buddy, zones_of_every_size_are_covered_once)
{
	for (unsigned long pages = 1; pages <= PRIVATE_PAGES; pages++) {
		const char *wrong = init_and_compare(0, pages);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(buddy, zones_with_unaligned_starts_are_covered_once)
{
	static const unsigned long start[] = { 1,    2,    3,    5,      7,
		                               63,   100,  511,  513,    1000,
		                               1023, 1024, 4095, 1048575 };

	for (size_t i = 0; i < ARRAY_SIZE(start); i++) {
		for (unsigned long pages = 1; pages <= PRIVATE_PAGES;
		     pages += 5) {
			const char *wrong = init_and_compare(start[i], pages);

			if (wrong != NULL)
				return wrong;
		}
	}
	return NULL;
}

CASE(buddy, every_page_of_every_size_can_be_taken_and_comes_back)
{
	for (unsigned long pages = 1; pages <= PRIVATE_PAGES; pages += 9) {
		struct zone *zone = private_zone(3, pages);
		unsigned long expected[MAX_ORDER + 1];
		unsigned long taken = 0;

		while (private_take(zone, 0) != NULL)
			taken++;
		EXPECT_EQUAL(taken, pages);
		EXPECT_EQUAL(zone->free_pages, 0);
		EXPECT_EQUAL(zone->used_pages, pages);
		for (unsigned long i = 0; i < pages; i++)
			private_give(zone, &zone->pages[i], 0);
		expect_blocks(3, 3 + pages, expected);
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			EXPECT_EQUAL(blocks(zone, order), expected[order]);
	}
	return NULL;
}

/* ---- Splitting and joining ----------------------------------------------- */

CASE(buddy, taking_one_page_of_256_leaves_one_block_of_each_order)
{
	struct zone *zone = private_zone(0, 256);
	struct page *page = private_take(zone, 0);

	EXPECT(page != NULL);
	EXPECT_EQUAL(zone_pfn(zone, page), 0);
	EXPECT_EQUAL(zone->free_pages, 255);
	for (unsigned int order = 0; order < 8; order++) {
		EXPECT_EQUAL(blocks(zone, order), 1);
		EXPECT_EQUAL(zone_pfn(zone, buddy_first(zone, order,
		                                        MIGRATE_MOVABLE)),
		             1UL << order);
	}
	EXPECT_EQUAL(blocks(zone, 8), 0);
	private_give(zone, page, 0);
	EXPECT_EQUAL(blocks(zone, 8), 1);
	EXPECT_EQUAL(zone->free_pages, 256);
	return private_check(zone->node);
}

CASE(buddy, the_smallest_block_that_fits_is_split)
{
	struct zone *zone = private_zone(1, 255);
	struct page *page;

	/* Blocks of order 0..7 at 1, 2, 4, ... 128. */
	for (unsigned int order = 0; order < 8; order++) {
		page = private_take(zone, order);
		EXPECT(page != NULL);
		EXPECT_EQUAL(zone_pfn(zone, page), 1UL << order);
	}
	EXPECT(private_take(zone, 0) == NULL);
	return private_check(zone->node);
}

CASE(buddy, a_block_too_large_is_not_there)
{
	struct zone *zone = private_zone(0, 255);

	EXPECT(private_take(zone, 8) == NULL);
	EXPECT(private_take(zone, MAX_ORDER) == NULL);
	EXPECT(buddy_has_block(zone, 7));
	EXPECT(!buddy_has_block(zone, 8));
	EXPECT_EQUAL(zone->free_pages, 255);
	return private_check(zone->node);
}

CASE(buddy, only_free_buddies_of_the_same_order_join)
{
	struct zone *zone = private_zone(0, 8);
	struct page *a = private_take(zone, 1);
	struct page *b = private_take(zone, 0);
	struct page *c = private_take(zone, 0);

	/* 0..1 a, 2 b, 3 c, 4..7 free. */
	EXPECT(a != NULL && b == a + 2 && c == a + 3);
	private_give(zone, a, 1);
	EXPECT_EQUAL(blocks(zone, 1), 1);
	private_give(zone, c, 0);
	EXPECT_EQUAL(blocks(zone, 0), 1);
	EXPECT_EQUAL(blocks(zone, 1), 1);
	EXPECT(private_check(zone->node) == NULL);
	private_give(zone, b, 0);
	EXPECT_EQUAL(blocks(zone, 3), 1);
	EXPECT_EQUAL(zone->free_pages, 8);
	return private_check(zone->node);
}

CASE(buddy, neighbours_that_are_not_buddies_are_not_merged)
{
	struct zone *zone = private_zone(1, 2);

	/* Frames 1 and 2 are neighbours; the buddies are 0 and 3. */
	EXPECT_EQUAL(blocks(zone, 0), 2);
	EXPECT_EQUAL(blocks(zone, 1), 0);
	return private_check(zone->node);
}

CASE(buddy, blocks_never_join_across_zones)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 4, 4, 0 };
	struct node *node = private_node_full(0, pages);
	struct zone *low = &node->zone[ZONE_DMA32];
	struct zone *high = &node->zone[ZONE_NORMAL];
	struct page *a = private_take(low, 2);
	struct page *b = private_take(high, 2);

	EXPECT(a != NULL && b == a + 4);
	private_give(low, a, 2);
	private_give(high, b, 2);
	EXPECT_EQUAL(blocks(low, 2), 1);
	EXPECT_EQUAL(blocks(low, 3), 0);
	EXPECT_EQUAL(blocks(high, 2), 1);
	EXPECT_EQUAL(blocks(high, 3), 0);
	return private_check(node);
}

CASE(buddy, blocks_never_join_with_a_reserved_hole)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 16, 0 };
	struct node *node = private_node(0, pages);
	struct zone *zone = &node->zone[ZONE_NORMAL];

	zone_release(zone, 0, 4);
	zone_release(zone, 8, 16);
	EXPECT_EQUAL(blocks(zone, 2), 1);
	EXPECT_EQUAL(blocks(zone, 3), 1);
	zone_release(zone, 4, 8);
	EXPECT_EQUAL(blocks(zone, 4), 1);
	return private_check(node);
}

CASE(buddy, a_block_given_last_is_taken_first)
{
	struct zone *zone = private_zone(0, 256);
	struct page *page[4];

	for (unsigned int i = 0; i < 4; i++)
		page[i] = private_take(zone, 1);
	/* No join is likely: the buddies of both stay in use. */
	private_give(zone, page[1], 1);
	private_give(zone, page[2], 1);
	EXPECT(private_take(zone, 1) == page[2]);
	EXPECT(private_take(zone, 1) == page[1]);
	return private_check(zone->node);
}

CASE(buddy, a_block_that_may_join_soon_waits_at_the_back)
{
	struct zone *zone = private_zone(0, 256);
	struct page *page[8];

	for (unsigned int i = 0; i < 8; i++)
		page[i] = private_take(zone, 0);
	private_give(zone, page[0], 0);
	/* 6..7 become a free block of order 1; then 4 is likely to join. */
	private_give(zone, page[6], 0);
	private_give(zone, page[7], 0);
	private_give(zone, page[4], 0);
	EXPECT(private_take(zone, 0) == page[0]);
	EXPECT(private_take(zone, 0) == page[4]);
	return private_check(zone->node);
}

/* ---- take_within --------------------------------------------------------- */

CASE(buddy, take_within_gives_the_lowest_free_frame_of_the_range)
{
	struct zone *zone = private_zone(0, 256);
	struct page *page = take_within(zone, 100, 120);

	EXPECT(page != NULL);
	EXPECT_EQUAL(zone_pfn(zone, page), 100);
	EXPECT(private_check(zone->node) == NULL);
	page = take_within(zone, 100, 120);
	EXPECT_EQUAL(zone_pfn(zone, page), 101);
	EXPECT_EQUAL(zone->free_pages, 254);
	private_give(zone, page, 0);
	private_give(zone, zone_page(zone, 100), 0);
	EXPECT_EQUAL(blocks(zone, 8), 1);
	return private_check(zone->node);
}

CASE(buddy, take_within_finds_each_single_frame)
{
	for (unsigned long pfn = 5; pfn < 5 + 100; pfn++) {
		struct zone *zone = private_zone(5, 100);
		struct page *page = take_within(zone, pfn, pfn);

		EXPECT(page != NULL);
		EXPECT_EQUAL(zone_pfn(zone, page), pfn);
		EXPECT(take_within(zone, pfn, pfn) == NULL);
		EXPECT(private_check(zone->node) == NULL);
	}
	return NULL;
}

CASE(buddy, take_within_takes_nothing_outside)
{
	struct zone *zone = private_zone(64, 64);

	EXPECT(take_within(zone, 0, 63) == NULL);
	EXPECT(take_within(zone, 128, 600) == NULL);
	EXPECT_EQUAL(zone_pfn(zone, take_within(zone, 0, 64)), 64);
	EXPECT(take_within(zone, 0, 64) == NULL);
	EXPECT_EQUAL(zone_pfn(zone, take_within(zone, 127, 1000)), 127);
	EXPECT_EQUAL(zone->free_pages, 62);
	return private_check(zone->node);
}

/* ---- Long walks ---------------------------------------------------------- */

CASE(buddy, random_takes_and_gives_keep_every_invariant)
{
	struct zone *zone = private_zone(7, 249);
	struct random random = { test_seed() };
	static struct {
		uint8_t page;
		uint8_t order;
	} held[PRIVATE_PAGES];
	unsigned int count = 0;

	for (unsigned int step = 0; step < 4000; step++) {
		if (random_below(&random, 2) == 0) {
			unsigned int order =
				(unsigned int)random_below(&random, 5);
			struct page *page = private_take(zone, order);

			if (page == NULL)
				continue;
			EXPECT(zone_pfn(zone, page) % (1UL << order) == 0);
			held[count].page = (uint8_t)(page - zone->pages);
			held[count++].order = (uint8_t)order;
		} else if (count > 0) {
			unsigned int i =
				(unsigned int)random_below(&random, count);

			private_give(zone, &zone->pages[held[i].page],
			             held[i].order);
			held[i] = held[--count];
		}
		if (step % 16 == 0 && private_check(zone->node) != NULL)
			return private_check(zone->node);
	}
	while (count > 0) {
		count--;
		private_give(zone, &zone->pages[held[count].page],
		             held[count].order);
	}
	EXPECT_EQUAL(zone->free_pages, 249);
	return private_check(zone->node);
}
