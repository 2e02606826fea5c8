/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_highatomic.c -- pageblocks that are kept for large urgent requests.
 *
 * Each scene begins with zone Z of mm/watermark.c (61440 pages, marks 480/600/720), or
 * one of another size, in which every page is taken; then some are given back, so few
 * that requests need the slow path.
 */
#include <string.h>

#include "lib/random.h"
#include "mm/buddy.h"
#include "mm/pageblock.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(highatomic);

#define Z_PAGES 61440UL

/* Not as far as rung 9, which gives up HIGHATOMIC pageblocks. */
#define PLAIN   (__GFP_NOWARN | __GFP_NORETRY)

static struct node *node;
static struct zone *zone;
static struct pile pile;

static struct page *ask(gfp_t mask, unsigned int order)
{
	return alloc_pages_node(node, mask | __GFP_NOWARN, order);
}

static void hand_back(unsigned long pfn, unsigned int order)
{
	free_pages_node(node, zone_page(zone, pfn), order, RETURN_ADDRESS());
}

/* A zone of PAGES pages from frame FIRST on, all of them taken. */
static void start_at(unsigned long first, unsigned long pages)
{
	unsigned long each[ZONE_COUNT] = { 0, 0, pages, 0 };

	machine_start(first + pages);
	node = machine_zones(first, each);
	zone = &node->zone[ZONE_NORMAL];
	machine_set_marks(zone, 0, 0, 0);
	pile.node = node;
	pile.count = 0;
	while (ask(__GFP_MEMALLOC, 0) != NULL)
		;
	machine_set_marks(zone, 480, 600, 720);
}

/* Give back all pages of the pageblock of NUMBER. */
static void free_pageblock(unsigned long number)
{
	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++)
		hand_back(number * PAGEBLOCK_PAGES + i, 0);
}

/* Give back PAGES single pages, from frame PFN on, none beside another. */
static void free_singles(unsigned long pfn, unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++)
		hand_back(pfn + 2 * i, 0);
}

static enum migratetype highatomic_type_of(unsigned long number)
{
	return (enum migratetype)zone->blocks[number].type;
}

static unsigned long number_of(const struct page *page)
{
	return zone_pfn(zone, page) / PAGEBLOCK_PAGES;
}

/* Zone Z with one HIGHATOMIC pageblock, number 2, of which 504 pages are free. */
static void start_with_one(void)
{
	start_at(0, Z_PAGES);
	free_pageblock(2);
	kassert(ask(GFP_ATOMIC, 3) != NULL);
	kassert(highatomic_type_of(2) == MIGRATE_HIGHATOMIC);
}

/* And with a second one, number 4, which is free. */
static void start_with_two(void)
{
	struct page *page;

	start_at(0, Z_PAGES);
	free_singles(10240, 300);
	for (unsigned long number = 2; number <= 4; number += 2) {
		free_pageblock(number);
		page = ask(GFP_ATOMIC, 9);
		kassert(page == zone_page(zone, number * PAGEBLOCK_PAGES));
	}
	hand_back(2048, 9);
	hand_back(1024, 9);
}

static const char *highatomic_check(void)
{
	static char sentence[200];
	unsigned long count = 0;

	for (unsigned long i = 0; i < pageblock_count(zone); i++)
		count += highatomic_type_of(i) == MIGRATE_HIGHATOMIC;
	EXPECT_EQUAL(zone->nr_reserved_highatomic, count * PAGEBLOCK_PAGES);
	if (zone_check(zone, NULL, false, sentence, sizeof(sentence)) != NULL)
		return sentence;
	if (buddy_check(zone, false, sentence, sizeof(sentence)) != NULL)
		return sentence;
	return pageblock_check(zone, sentence, sizeof(sentence));
}

/* Check, and give everything back. */
static const char *highatomic_end(void)
{
	const char *wrong = highatomic_check();

	if (wrong != NULL)
		return wrong;
	for (unsigned long i = 0; i < zone->spanned; i++) {
		const struct page *page = &zone->pages[i];

		if (page->state == PAGE_USED)
			hand_back(zone_pfn(zone, page), page->order);
	}
	EXPECT_EQUAL(zone->free_pages, zone->managed);
	return highatomic_check();
}

/* ---- Reserving ----------------------------------------------------------- */

CASE(highatomic, a_large_urgent_block_reserves_its_pageblock)
{
	struct page *page;

	start_at(0, Z_PAGES);
	free_pageblock(2);
	page = ask(GFP_ATOMIC, 3);
	EXPECT(page == zone_page(zone, 1024));
	EXPECT_EQUAL(highatomic_type_of(2), MIGRATE_HIGHATOMIC);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 512);
	EXPECT_EQUAL(zone->nr_free_highatomic, 504);
	hand_back(1024, 3);
	EXPECT_EQUAL(zone->nr_free_highatomic, 512);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_HIGHATOMIC], 1);
	return highatomic_end();
}

CASE(highatomic, other_requests_reserve_nothing)
{
	static const struct {
		gfp_t mask;
		unsigned int order;
	} request[] = {
		{ GFP_ATOMIC, 0 },
		{ GFP_NOWAIT, 3 },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC, 3 },
		{ GFP_KERNEL | __GFP_HIGH, 3 },
		{ GFP_KERNEL | __GFP_MEMALLOC, 3 },
		{ GFP_KERNEL, 3 },
	};

	start_at(0, Z_PAGES);
	free_pageblock(2);
	for (size_t i = 0; i < ARRAY_SIZE(request); i++) {
		struct page *page = ask(request[i].mask, request[i].order);

		EXPECT(page != NULL);
		EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
		hand_back(zone_pfn(zone, page), request[i].order);
	}
	/* Nor do they in the fast pass. */
	free_pageblock(8);
	EXPECT(ask(GFP_ATOMIC, 3) != NULL);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	return highatomic_end();
}

static const char *reserve_three(unsigned long pages, unsigned long reserved)
{
	start_at(0, pages);
	free_singles(10240, 300);
	for (unsigned long number = 2; number <= 6; number += 2) {
		free_pageblock(number);
		EXPECT(ask(GFP_ATOMIC, 9) != NULL);
	}
	EXPECT_EQUAL(zone->nr_reserved_highatomic, reserved);
	return highatomic_end();
}

CASE(highatomic, below_51200_pages_nothing_is_reserved)
{
	const char *wrong = reserve_three(51199, 0);

	return wrong != NULL ? wrong : reserve_three(51200, 512);
}

CASE(highatomic, one_percent_is_rounded_up_to_pageblocks)
{
	const char *wrong = reserve_three(51299, 512);

	return wrong != NULL ? wrong : reserve_three(51300, 1024);
}

CASE(highatomic, an_order_10_block_reserves_both_its_pageblocks)
{
	start_at(0, Z_PAGES);
	free_singles(10240, 300);
	free_pageblock(2);
	free_pageblock(3);
	EXPECT(ask(GFP_ATOMIC, 10) == zone_page(zone, 1024));
	EXPECT_EQUAL(highatomic_type_of(2), MIGRATE_HIGHATOMIC);
	EXPECT_EQUAL(highatomic_type_of(3), MIGRATE_HIGHATOMIC);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 1024);
	hand_back(1024, 10);
	EXPECT_EQUAL(zone->free_area[10].of_type[MIGRATE_HIGHATOMIC], 1);
	return highatomic_end();
}

CASE(highatomic, a_pageblock_that_is_not_whole_is_not_reserved)
{
	start_at(256, Z_PAGES);
	for (unsigned long pfn = 256; pfn < 512; pfn++)
		hand_back(pfn, 0);
	EXPECT(ask(GFP_ATOMIC, 3) == zone_page(zone, 256));
	EXPECT_EQUAL(highatomic_type_of(0), MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	return highatomic_end();
}

/* ---- Taking -------------------------------------------------------------- */

CASE(highatomic, large_urgent_requests_look_there_first)
{
	start_with_one();
	for (unsigned long pfn = 8192; pfn < 8192 + 8; pfn++)
		hand_back(pfn, 0);
	EXPECT_EQUAL(number_of(ask(GFP_ATOMIC, 3)), 2);
	EXPECT_EQUAL(number_of(ask(GFP_ATOMIC, 1)), 2);
	EXPECT_EQUAL(number_of(ask(GFP_NOWAIT, 3)), 16);
	return highatomic_end();
}

/* 504 free pages in HIGHATOMIC blocks and 700 elsewhere. */
CASE(highatomic, single_pages_are_taken_there_last_and_by_some_not_at_all)
{
	start_with_one();
	free_singles(10240, 700);
	/* Without any right they do not count: 700 - 480. */
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | PLAIN, PILE_PAGES), 220);
	EXPECT_EQUAL(
		pile_drain(&pile, GFP_NOWAIT | __GFP_NOMEMALLOC, PILE_PAGES),
		0);
	/* They count, but it gets none: 480 are left, above half of min. */
	EXPECT_EQUAL(
		pile_drain(&pile, GFP_KERNEL | __GFP_HIGH | PLAIN, PILE_PAGES),
		480);
	EXPECT_EQUAL(zone->nr_free_highatomic, 504);
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_MEMALLOC | PLAIN, 1),
	             0);
	EXPECT_EQUAL(watermark_headroom(zone, 480, ZONE_NORMAL, RESERVE_HALF),
	             0);
	EXPECT_EQUAL(watermark_headroom(zone, 480, ZONE_NORMAL, RESERVE_ALL),
	             0);
	EXPECT_EQUAL(watermark_headroom(zone, 480, ZONE_NORMAL, RESERVE_NOWAIT),
	             24);
	/* 504 - 480; 480 - 180. */
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, PILE_PAGES), 24);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC | __GFP_NOWARN, PILE_PAGES),
	             300);
	EXPECT_EQUAL(zone->nr_free_highatomic, 180);
	return highatomic_end();
}

CASE(highatomic, who_cannot_wait_gets_no_large_block_there)
{
	start_with_one();
	EXPECT(ask(GFP_NOWAIT, 1) == NULL);
	EXPECT(ask(GFP_ATOMIC | __GFP_NOMEMALLOC, 1) == NULL);
	EXPECT(ask(GFP_NOWAIT | __GFP_MEMALLOC, 1) == NULL);
	EXPECT_EQUAL(number_of(ask(GFP_ATOMIC, 1)), 2);
	return highatomic_end();
}

CASE(highatomic, a_victim_gets_large_blocks_there)
{
	start_with_one();
	thread_set_flags(machine_main(), THREAD_OOM_VICTIM);
	EXPECT(ask(GFP_KERNEL | __GFP_NOMEMALLOC | PLAIN, 3) == NULL);
	EXPECT_EQUAL(number_of(ask(GFP_KERNEL, 3)), 2);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 512);
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM);
	return highatomic_end();
}

CASE(highatomic, without_a_right_free_pages_there_are_subtracted)
{
	static const enum reserve_right with[] = { RESERVE_NOWAIT, RESERVE_HALF,
		                                   RESERVE_VICTIM,
		                                   RESERVE_ATOMIC };

	start_with_one();
	free_singles(10240, 481);
	EXPECT(watermark_ok(zone, 0, 480, ZONE_NORMAL, RESERVE_NONE));
	EXPECT(!watermark_ok(zone, 0, 481, ZONE_NORMAL, RESERVE_NONE));
	EXPECT(!watermark_would_pass(
		zone, 0, 985,
		watermark_to_leave(zone, 481, ZONE_NORMAL, RESERVE_NONE, false),
		RESERVE_NONE, false));
	for (size_t i = 0; i < ARRAY_SIZE(with); i++)
		EXPECT(watermark_ok(zone, 0, 984, ZONE_NORMAL, with[i]));
	EXPECT(!watermark_ok(zone, 0, 985, ZONE_NORMAL, RESERVE_NOWAIT));
	return highatomic_end();
}

CASE(highatomic, a_given_frame_is_not_taken_there)
{
	start_with_one();
	EXPECT(buddy_find_within(zone, 0, 4095) == -1UL);
	free_singles(1536, 1);
	EXPECT_EQUAL(buddy_find_within(zone, 0, 4095), 1536);
	return highatomic_end();
}

CASE(highatomic, its_blocks_merge_with_one_another_only)
{
	start_with_one();
	hand_back(1024, 3);
	free_pageblock(3);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_HIGHATOMIC], 1);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_UNMOVABLE], 1);
	EXPECT_EQUAL(zone->free_area[10].count, 0);
	return highatomic_end();
}

/* ---- Giving up ----------------------------------------------------------- */

static struct alloc_request request_of(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[100];

	kassert(gfp_decode(mask, 0, &context, &request, why, sizeof(why)) ==
	        GFP_OK);
	return request;
}

CASE(highatomic, the_last_pageblock_is_given_up_only_if_forced)
{
	struct alloc_request movable = request_of(GFP_HIGHUSER_MOVABLE);
	struct alloc_request low = request_of(GFP_KERNEL | __GFP_DMA);

	start_with_two();
	EXPECT_EQUAL(zone->nr_free_highatomic, 1024);
	EXPECT(!highatomic_unreserve(node, &low, true));
	EXPECT(highatomic_unreserve(node, &movable, false));
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 512);
	EXPECT_EQUAL(zone->nr_free_highatomic, 512);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_MOVABLE], 1);
	EXPECT(!highatomic_unreserve(node, &movable, false));
	EXPECT(highatomic_unreserve(node, &movable, true));
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	EXPECT(!highatomic_unreserve(node, &movable, true));
	return highatomic_end();
}

CASE(highatomic, the_pageblock_with_the_smallest_free_block_is_given_up)
{
	struct alloc_request request = request_of(GFP_KERNEL);

	start_with_two();
	EXPECT_EQUAL(number_of(ask(GFP_ATOMIC, 1)), 2);
	EXPECT(highatomic_unreserve(node, &request, false));
	EXPECT_EQUAL(highatomic_type_of(2), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(highatomic_type_of(4), MIGRATE_HIGHATOMIC);
	EXPECT_EQUAL(zone->free_area[1].of_type[MIGRATE_UNMOVABLE], 1);
	return highatomic_end();
}

CASE(highatomic, one_without_a_free_page_is_not_given_up)
{
	struct alloc_request request = request_of(GFP_KERNEL);

	start_at(0, Z_PAGES);
	free_singles(10240, 300);
	free_pageblock(2);
	EXPECT(ask(GFP_ATOMIC, 9) != NULL);
	EXPECT(!highatomic_unreserve(node, &request, true));
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 512);
	return highatomic_end();
}

CASE(highatomic, two_that_are_free_as_one_block_are_given_up_together)
{
	struct alloc_request request = request_of(GFP_KERNEL);

	start_at(0, Z_PAGES);
	free_singles(10240, 300);
	free_pageblock(2);
	free_pageblock(3);
	EXPECT(ask(GFP_ATOMIC, 10) != NULL);
	hand_back(1024, 10);
	EXPECT(highatomic_unreserve(node, &request, false));
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	EXPECT_EQUAL(zone->free_area[10].of_type[MIGRATE_UNMOVABLE], 1);
	return highatomic_end();
}

static unsigned long reclaims;
static unsigned long progress;
static unsigned long kills;

static unsigned long
highatomic_on_reclaim(struct node *of __unused,
                      const struct alloc_request *request __unused)
{
	reclaims++;
	return progress;
}

static unsigned long highatomic_on_reclaimable(struct node *of __unused,
                                               struct zone *in __unused)
{
	return 0;
}

static bool highatomic_on_oom(struct node *of __unused,
                              const struct alloc_request *request __unused)
{
	kills++;
	return false;
}

static void set_hooks(unsigned long pages)
{
	reclaims = 0;
	kills = 0;
	progress = pages;
	machine_set_reclaim_hook(node, highatomic_on_reclaim,
	                         highatomic_on_reclaimable);
	machine_set_oom_hook(node, highatomic_on_oom);
}

/* Progress without a page: rung 6 gives up one pageblock, and passes once more. */
CASE(highatomic, reclaim_without_a_page_gives_up_one_but_not_the_last)
{
	start_with_two();
	set_hooks(32);
	EXPECT(ask(GFP_KERNEL, 0) != NULL);
	EXPECT_EQUAL(reclaims, 1);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 512);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_reclaim_retry), 0);
	return highatomic_end();
}

CASE(highatomic, reclaim_without_progress_gives_up_nothing_on_rung_6)
{
	start_with_two();
	set_hooks(0);
	EXPECT(ask(GFP_KERNEL | __GFP_NORETRY, 0) == NULL);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 1024);
	return highatomic_end();
}

/* Nothing can be reclaimed: rung 9 gives up the last one before a thread is killed. */
CASE(highatomic, before_a_kill_the_last_one_is_given_up)
{
	start_with_one();
	hand_back(1024, 3);
	set_hooks(0);
	EXPECT(ask(GFP_KERNEL, 0) != NULL);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_reclaim_retry), 1);
	EXPECT_EQUAL(reclaims, 1);
	EXPECT_EQUAL(kills, 0);
	/* Down to the mark; then there is none left to give up. */
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_NOWARN, PILE_PAGES),
	             31);
	EXPECT_EQUAL(kills, 1);
	return highatomic_end();
}

/* ---- Reports and checks -------------------------------------------------- */

CASE(highatomic, the_dump_has_the_reserve_and_the_letter_h)
{
	uint64_t mark;

	start_with_one();
	mark = log_mark();
	EXPECT(alloc_pages_node(node, GFP_NOWAIT & ~__GFP_NOWARN, 3) == NULL);
	EXPECT(log_contains_since(
		mark, "reserved_highatomic:2048KB free_highatomic:2016KB "));
	EXPECT(log_contains_since(mark, " 1*1024kB (H) "));
	return highatomic_end();
}

CASE(highatomic, check_finds_a_wrong_count_of_free_pages)
{
	static char said[200];

	start_with_one();
	zone->nr_free_highatomic++;
	EXPECT(buddy_check(zone, false, said, sizeof(said)) != NULL);
	EXPECT(strstr(said, "invariant B7 broken") != NULL);
	zone->nr_free_highatomic--;
	return highatomic_end();
}

/* Urgent and other requests come and go, and pageblocks are given up; the invariants
 * hold on the way, and all pages are free in the end. */
CASE(highatomic, random_requests_keep_every_invariant)
{
	static struct page *taken[300];
	struct random random = { test_seed() };
	unsigned long most = 0;

	start_at(0, Z_PAGES);
	memset(taken, 0, sizeof(taken));
	for (unsigned long number = 0; number < 24; number += 4)
		free_pageblock(number + random_below(&random, 4));
	machine_set_marks(zone, 480, 30000, 30000);
	for (unsigned int step = 0; step < 20000; step++) {
		size_t i = random_below(&random, ARRAY_SIZE(taken));
		bool urgent = random_below(&random, 3) == 0;
		struct alloc_request movable = request_of(GFP_HIGHUSER_MOVABLE);

		if (taken[i] != NULL) {
			hand_back(zone_pfn(zone, taken[i]), taken[i]->order);
			taken[i] = NULL;
		} else {
			taken[i] = ask(urgent ? GFP_ATOMIC : GFP_NOWAIT,
			               (unsigned int)random_below(&random, 7));
		}
		if (step % 97 == 0)
			highatomic_unreserve(node, &movable, step % 2 == 0);
		most = max(most, zone->nr_reserved_highatomic);
		if (step % 500 == 0) {
			const char *wrong = highatomic_check();

			if (wrong != NULL)
				return wrong;
		}
	}
	EXPECT_EQUAL(most, 1024);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		if (taken[i] != NULL)
			hand_back(zone_pfn(zone, taken[i]), taken[i]->order);
	}
	EXPECT_EQUAL(zone->free_pages, 6 * PAGEBLOCK_PAGES);
	return highatomic_end();
}
