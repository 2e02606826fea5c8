/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_pageblock.c -- who gets which pageblock.
 *
 * Each scene begins with a zone in which every page is taken; then some are given
 * back, and others put on the lru.  The numbers are those of Linux's rules.
 */
#include <string.h>

#include "lib/random.h"
#include "mm/buddy.h"
#include "mm/page_state.h"
#include "mm/pageblock.h"
#include "mm/reclaim/lru.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(pageblock);

#define BLOCKS 8UL
#define PAGES  (BLOCKS * PAGEBLOCK_PAGES)

static struct node *node;
static struct zone *zone;
static struct page *listed[PAGES];
static unsigned int listings;

/* A claim may begin, and is left so. */
static struct page *block_take_once(unsigned int order, enum migratetype type,
                                    unsigned int flags)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	struct page *page = pageblock_take(zone, order, type, flags);

	if (page != NULL) {
		page_set_state(zone, page, PAGE_LOOSE, PAGE_USED);
		page->refcount = 1;
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	return page;
}

static struct page *block_take(unsigned int order, enum migratetype type,
                               unsigned int flags)
{
	struct page *page;

	do {
		page = block_take_once(order, type, flags);
	} while (page == NULL && pageblock_settle(zone));
	return page;
}

static void block_give(unsigned long pfn, unsigned int order)
{
	free_pages_node(node, zone_page(zone, pfn), order, RETURN_ADDRESS());
}

/* PAGES pages from frame FIRST on, all taken one by one; BLOCK's type is TYPE. */
static void scene_start(unsigned long first, unsigned long pages)
{
	unsigned long each[ZONE_COUNT] = { 0, 0, pages, 0 };

	machine_start(first + pages);
	node = machine_zones(first, each);
	zone = &node->zone[ZONE_NORMAL];
	zone->watermark[WMARK_HIGH] = 720;
	listings = 0;
	while (block_take(0, MIGRATE_MOVABLE, 0) != NULL)
		;
}

static void block_set_type(unsigned long number, enum migratetype type)
{
	kassert(zone->blocks[number].free == 0);
	zone->blocks[number].type = (uint8_t)type;
}

/* COUNT taken pages from frame PFN on are pages of files. */
static void block_list(unsigned long pfn, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct page *page = zone_page(zone, pfn + i);

		lru_add(node, page);
		listed[listings++] = page;
	}
}

static const char *scene_check(void)
{
	static char sentence[200];

	if (zone_check(zone, NULL, false, sentence, sizeof(sentence)) != NULL)
		return sentence;
	if (buddy_check(zone, false, sentence, sizeof(sentence)) != NULL)
		return sentence;
	return pageblock_check(zone, sentence, sizeof(sentence));
}

/* Give everything back. */
static const char *scene_end(void)
{
	const char *broken = scene_check();

	if (broken != NULL)
		return broken;
	while (listings > 0)
		lru_remove(node, listed[--listings]);
	for (unsigned long pfn = zone->start_pfn;
	     pfn < zone->start_pfn + zone->spanned; pfn++) {
		const struct page *page = zone_page(zone, pfn);

		if (page->state == PAGE_USED)
			block_give(pfn, page->order);
	}
	for (unsigned long i = 0; i < zone->spanned / PAGEBLOCK_PAGES; i++)
		EXPECT_EQUAL(zone->blocks[i].movable, 0);
	EXPECT_EQUAL(zone->free_pages, zone->managed);
	return scene_check();
}

static unsigned long give_range(unsigned long pfn, unsigned long end)
{
	for (unsigned long at = pfn; at < end; at++)
		block_give(at, 0);
	return end - pfn;
}

static enum migratetype type_of(unsigned long number)
{
	return (enum migratetype)zone->blocks[number].type;
}

CASE(pageblock, all_begin_movable)
{
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	for (unsigned long i = 0; i < BLOCKS; i++) {
		EXPECT_EQUAL(type_of(i), MIGRATE_MOVABLE);
		EXPECT_EQUAL(zone->blocks[i].free, PAGEBLOCK_PAGES);
	}
	return NULL;
}

CASE(pageblock, a_free_pageblock_of_another_type_is_claimed_without_a_boost)
{
	struct page *page;

	scene_start(0, PAGES);
	give_range(1024, 1024 + 512);
	page = block_take(0, MIGRATE_UNMOVABLE, 0);
	EXPECT(page == zone_page(zone, 1024));
	EXPECT_EQUAL(type_of(2), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(zone->blocks[2].free, 511);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	return scene_end();
}

CASE(pageblock, half_of_it_free_is_enough_to_claim_among_movable_pages)
{
	scene_start(0, PAGES);
	give_range(512, 512 + 256);
	block_list(512 + 256, 256);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) != NULL);
	EXPECT_EQUAL(type_of(1), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(zone->blocks[1].free, 255);
	EXPECT_EQUAL(zone->watermark_boost, 512);
	return scene_end();
}

CASE(pageblock, one_page_less_is_stolen_from_and_each_attempt_boosts)
{
	struct page *page;

	scene_start(0, PAGES);
	/* Orders 0 to 7: 255 pages. */
	give_range(512 + 257, 1024);
	block_list(512, 257);
	page = block_take(0, MIGRATE_UNMOVABLE, 0);
	EXPECT(page == zone_page(zone, 512 + 257));
	EXPECT_EQUAL(type_of(1), MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->watermark_boost, 1080);
	block_give(512 + 257, 0);
	EXPECT_EQUAL(zone->free_area[0].of_type[MIGRATE_MOVABLE], 1);
	return scene_end();
}

CASE(pageblock, each_free_block_that_is_tried_boosts_once)
{
	scene_start(0, PAGES);
	give_range(512, 512 + 8);
	block_give(600, 0);
	block_list(512 + 8, 80);
	block_list(601, 1024 - 601);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) == zone_page(zone, 600));
	EXPECT_EQUAL(zone->watermark_boost, 1024);
	return scene_end();
}

/* Every second page of the pageblock at FIRST. */
static void give_every_second(unsigned long first)
{
	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i += 2)
		block_give(first + i, 0);
}

static unsigned long pieces_of(enum migratetype type)
{
	return zone->free_area[0].of_type[type];
}

CASE(pageblock, a_pageblock_in_pieces_is_claimed_first_and_they_follow)
{
	const struct page *page;

	scene_start(0, PAGES);
	give_every_second(512);
	EXPECT(block_take_once(0, MIGRATE_UNMOVABLE, 0) == NULL);
	EXPECT(pageblock_is_unsettled(zone));
	EXPECT_EQUAL(type_of(1), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(pieces_of(MIGRATE_MOVABLE), 256);
	EXPECT(scene_check() == NULL);
	/* A page comes and goes meanwhile. */
	page = block_take_once(0, MIGRATE_MOVABLE, 0);
	EXPECT(page != NULL && pieces_of(MIGRATE_MOVABLE) == 255);
	block_give(zone_pfn(zone, page), 0);
	EXPECT_EQUAL(pieces_of(MIGRATE_UNMOVABLE), 1);
	EXPECT(scene_check() == NULL);
	EXPECT(pageblock_settle(zone));
	EXPECT(!pageblock_settle(zone));
	EXPECT_EQUAL(pieces_of(MIGRATE_MOVABLE), 0);
	EXPECT_EQUAL(pieces_of(MIGRATE_UNMOVABLE), 256);
	EXPECT(block_take_once(0, MIGRATE_UNMOVABLE, 0) != NULL);
	return scene_end();
}

CASE(pageblock, a_second_claim_waits_for_the_first_and_does_not_steal)
{
	scene_start(0, PAGES);
	give_every_second(1024);
	give_every_second(512);
	EXPECT(block_take_once(0, MIGRATE_UNMOVABLE, 0) == NULL);
	EXPECT(block_take_once(0, MIGRATE_RECLAIMABLE, 0) == NULL);
	EXPECT_EQUAL(zone->watermark_boost, 512);
	EXPECT_EQUAL(type_of(1), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(type_of(2), MIGRATE_MOVABLE);
	EXPECT(block_take(0, MIGRATE_RECLAIMABLE, 0) != NULL);
	EXPECT_EQUAL(zone->watermark_boost, 1024);
	EXPECT_EQUAL(pieces_of(MIGRATE_RECLAIMABLE), 255);
	return scene_end();
}

CASE(pageblock, a_bulk_request_goes_on_when_its_claim_is_complete)
{
	struct page *page[20] = { NULL };

	scene_start(0, PAGES);
	node->watermark_boost_factor = 0;
	set_main_node(node);
	give_every_second(512);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 20, page), 20);
	EXPECT_EQUAL(type_of(1), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(pieces_of(MIGRATE_UNMOVABLE), 236);
	return scene_end();
}

CASE(pageblock, a_movable_request_does_not_claim_for_less_than_16_pages)
{
	scene_start(0, PAGES);
	block_set_type(1, MIGRATE_UNMOVABLE);
	give_range(512, 512 + 8);
	EXPECT(block_take(0, MIGRATE_MOVABLE, 0) == zone_page(zone, 512));
	EXPECT_EQUAL(type_of(1), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	return scene_end();
}

static const char *claim_with_16_free(unsigned long movable,
                                      enum migratetype then)
{
	scene_start(0, PAGES);
	block_set_type(1, MIGRATE_UNMOVABLE);
	give_range(512, 512 + 16);
	block_list(512 + 16, movable);
	EXPECT(block_take(0, MIGRATE_MOVABLE, 0) != NULL);
	EXPECT_EQUAL(type_of(1), then);
	return scene_end();
}

CASE(pageblock, a_movable_request_claims_where_240_pages_are_movable)
{
	return claim_with_16_free(240, MIGRATE_MOVABLE);
}

CASE(pageblock, and_steals_where_239_are)
{
	return claim_with_16_free(239, MIGRATE_UNMOVABLE);
}

CASE(pageblock, unmovable_falls_back_to_reclaimable_first)
{
	scene_start(0, PAGES);
	block_set_type(1, MIGRATE_RECLAIMABLE);
	give_range(512, 512 + 32);
	give_range(1024, 1024 + 32);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, TAKE_NO_FRAGMENT) == NULL);
	EXPECT(block_take(5, MIGRATE_UNMOVABLE, 0) == zone_page(zone, 512));
	EXPECT_EQUAL(type_of(1), MIGRATE_RECLAIMABLE);
	return scene_end();
}

CASE(pageblock, pages_of_a_reclaimable_block_are_like_nobody_elses)
{
	scene_start(0, PAGES);
	block_set_type(1, MIGRATE_RECLAIMABLE);
	give_range(512 + 257, 1024);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) != NULL);
	EXPECT_EQUAL(type_of(1), MIGRATE_RECLAIMABLE);
	return scene_end();
}

CASE(pageblock, without_fragmentation_only_whole_pageblocks_are_claimed)
{
	scene_start(0, PAGES);
	give_range(512, 512 + 256);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, TAKE_NO_FRAGMENT) == NULL);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	give_range(1024, 1024 + 512);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, TAKE_NO_FRAGMENT) ==
	       zone_page(zone, 1024));
	return scene_end();
}

CASE(pageblock, a_request_that_begins_in_normal_mixes_at_last)
{
	struct page *page;

	scene_start(0, PAGES);
	give_range(512, 512 + 256);
	block_list(512 + 256, 256);
	page = alloc_pages_node(node, GFP_NOWAIT, 3);
	EXPECT(page != NULL);
	EXPECT_EQUAL(type_of(1), MIGRATE_UNMOVABLE);
	return scene_end();
}

CASE(pageblock, the_free_half_of_a_merge_takes_the_type_of_the_other)
{
	scene_start(0, PAGES);
	block_set_type(2, MIGRATE_UNMOVABLE);
	give_range(1024, 1024 + 512);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_UNMOVABLE], 1);
	give_range(1536, 1536 + 512);
	EXPECT_EQUAL(zone->free_area[10].of_type[MIGRATE_MOVABLE], 1);
	EXPECT_EQUAL(type_of(2), MIGRATE_MOVABLE);
	EXPECT_EQUAL(type_of(3), MIGRATE_MOVABLE);
	return scene_end();
}

CASE(pageblock, one_that_is_not_whole_in_the_zone_is_never_claimed)
{
	scene_start(256, PAGES);
	give_range(256, 512);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) == zone_page(zone, 256));
	EXPECT_EQUAL(type_of(0), MIGRATE_MOVABLE);
	return scene_end();
}

CASE(pageblock, small_zones_and_a_factor_of_0_are_not_boosted)
{
	scene_start(0, 2047);
	give_range(0, 8);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) != NULL);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	EXPECT(scene_end() == NULL);
	scene_start(0, PAGES);
	node->watermark_boost_factor = 0;
	give_range(0, 8);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) != NULL);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	return scene_end();
}

CASE(pageblock, a_smaller_factor_cuts_the_boosts_that_are)
{
	scene_start(0, PAGES);
	zone->watermark_boost = 1080;
	EXPECT_EQUAL(watermark_set_boost_factor(node, 10000),
	             WATERMARK_BOOST_FACTOR);
	EXPECT_EQUAL(zone->watermark_boost, 720);
	EXPECT_EQUAL(watermark_set_boost_factor(node, 0), 10000);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	return scene_end();
}

CASE(pageblock, a_boost_raises_all_marks_until_they_are_computed_again)
{
	scene_start(0, PAGES);
	give_range(0, 8);
	EXPECT(block_take(0, MIGRATE_UNMOVABLE, 0) != NULL);
	EXPECT_EQUAL(wmark_pages(zone, WMARK_MIN), 512);
	EXPECT_EQUAL(wmark_pages(zone, WMARK_HIGH), 720 + 512);
	watermark_setup(node);
	EXPECT_EQUAL(zone->watermark_boost, 0);
	return scene_end();
}

static unsigned int wakes;

static void count_wake(struct node *of __unused, unsigned int order __unused,
                       enum zone_type highest __unused, bool may_sleep __unused)
{
	wakes++;
}

/* A boost wakes kswapd if the request may. */
static const char *boost_with(gfp_t mask, unsigned int expected)
{
	scene_start(0, PAGES);
	node->wake_kswapd = count_wake;
	wakes = 0;
	give_range(512, 512 + 256);
	block_list(512 + 256, 256);
	EXPECT(alloc_pages_node(node, mask, 0) != NULL);
	EXPECT_EQUAL(zone->watermark_boost, 512);
	EXPECT_EQUAL(wakes, expected);
	/* Nor does the next request wake it for this one. */
	EXPECT(!zone->boosted);
	return scene_end();
}

CASE(pageblock, a_boost_wakes_kswapd_for_a_request_that_may)
{
	const char *wrong = boost_with(__GFP_KSWAPD_RECLAIM, 1);

	return wrong != NULL ? wrong : boost_with(0, 0);
}

/* An interrupt came in between: its request may not wake kswapd, the next one does. */
CASE(pageblock, only_a_request_that_may_wake_kswapd_reports_a_boost)
{
	scene_start(0, PAGES);
	node->wake_kswapd = count_wake;
	wakes = 0;
	give_range(512, 1024);
	zone->boosted = true;
	EXPECT(alloc_pages_node(node, __GFP_HIGH, 0) != NULL);
	EXPECT_EQUAL(wakes, 0);
	EXPECT(alloc_pages_node(node, GFP_NOWAIT, 0) != NULL);
	EXPECT_EQUAL(wakes, 1);
	EXPECT(!zone->boosted);
	return scene_end();
}

/* Below 6 pageblocks there is nothing to group. */
CASE(pageblock, grouping_is_off_on_a_small_machine)
{
	machine_start(4096);
	node = machine_one_zone(ZONE_NORMAL, 3071);
	pageblock_group_by_mobility(node);
	EXPECT(node->no_mobility);
	EXPECT_EQUAL(pageblock_request_type(node, MIGRATE_MOVABLE),
	             MIGRATE_UNMOVABLE);
	machine_start(4096);
	node = machine_one_zone(ZONE_NORMAL, 3072);
	pageblock_group_by_mobility(node);
	EXPECT(!node->no_mobility);
	EXPECT_EQUAL(pageblock_request_type(node, MIGRATE_MOVABLE),
	             MIGRATE_MOVABLE);
	return NULL;
}

/* Compaction asks what the request would find. */
CASE(pageblock, has_a_block_where_the_type_has_one_or_may_claim_one)
{
	bool enabled;

	scene_start(0, PAGES);
	block_set_type(1, MIGRATE_UNMOVABLE);
	give_range(512, 512 + 8);
	enabled = spin_lock_irqsave(&zone->lock);
	EXPECT(pageblock_has_block(zone, 3, MIGRATE_UNMOVABLE));
	EXPECT(!pageblock_has_block(zone, 4, MIGRATE_UNMOVABLE));
	EXPECT(pageblock_has_block(zone, 3, MIGRATE_RECLAIMABLE));
	EXPECT(!pageblock_has_block(zone, 3, MIGRATE_MOVABLE));
	spin_unlock_irqrestore(&zone->lock, enabled);
	give_range(512 + 16, 512 + 32);
	enabled = spin_lock_irqsave(&zone->lock);
	EXPECT(pageblock_has_block(zone, 3, MIGRATE_MOVABLE));
	EXPECT(!pageblock_has_block(zone, 5, MIGRATE_MOVABLE));
	spin_unlock_irqrestore(&zone->lock, enabled);
	return scene_end();
}

CASE(pageblock, check_finds_each_broken_invariant)
{
	static char said[200];

	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	zone->blocks[2].free--;
	EXPECT(pageblock_check(zone, said, sizeof(said)) != NULL);
	EXPECT(strstr(said, "invariant P1 broken") != NULL);
	EXPECT(strstr(said, "pfn 0x400 ") != NULL);
	zone->blocks[2].free++;
	zone->blocks[7].movable++;
	EXPECT(pageblock_check(zone, said, sizeof(said)) != NULL);
	EXPECT(strstr(said, "invariant P2 broken") != NULL);
	zone->blocks[7].movable--;
	EXPECT(pageblock_check(zone, said, sizeof(said)) == NULL);
	zone->blocks[0].type = MIGRATE_RECLAIMABLE;
	EXPECT(buddy_check(zone, false, said, sizeof(said)) != NULL);
	EXPECT(strstr(said, "invariant B6 broken") != NULL);
	zone->blocks[0].type = MIGRATE_MOVABLE;
	return NULL;
}

/* Requests of all types and orders come and go; every invariant holds on the way, and in
 * the end all is one row of the largest blocks. */
CASE(pageblock, random_types_keep_every_invariant)
{
	static struct page *taken[400];
	struct random random = { test_seed() };

	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	listings = 0;
	memset(taken, 0, sizeof(taken));
	for (unsigned int step = 0; step < 20000; step++) {
		size_t i = random_below(&random, ARRAY_SIZE(taken));
		unsigned int order = (unsigned int)random_below(&random, 6);

		if (taken[i] != NULL) {
			block_give(zone_pfn(zone, taken[i]), taken[i]->order);
			taken[i] = NULL;
		} else {
			enum migratetype type = (enum migratetype)random_below(
				&random, MIGRATE_PCPTYPES);

			/* Sometimes a claim has only begun. */
			taken[i] = random_below(&random, 2)
			                   ? block_take(order, type, 0)
			                   : block_take_once(order, type, 0);
		}
		if (step % 500 == 0) {
			const char *broken = scene_check();

			if (broken != NULL)
				return broken;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		if (taken[i] != NULL)
			block_give(zone_pfn(zone, taken[i]), taken[i]->order);
		taken[i] = NULL;
	}
	EXPECT_EQUAL(zone->free_area[MAX_ORDER].count, PAGES >> MAX_ORDER);
	return scene_end();
}
