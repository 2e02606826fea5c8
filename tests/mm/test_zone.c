/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_zone.c -- zones, nodes, and whether the detectors detect.
 *
 * Also the private node that other suites use (tests/mm/private_node.h).
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/debug/check.h"
#include "mm/page_state.h"
#include "mm/pageblock.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(zone);

struct node_and_pages {
	struct node node;
	struct page pages[PRIVATE_PAGES];
	struct pageblock blocks[NODE_PAGEBLOCKS(PRIVATE_PAGES)];
};

SUITE_OBJECT(struct node_and_pages, private);
static char sentence[240];

/* ---- The private node ---------------------------------------------------- */

struct node *private_node(unsigned long first,
                          const unsigned long pages[ZONE_COUNT])
{
	struct node *node = &private->node;
	unsigned long pfn = first;

	node_init(node, private->pages, private->blocks, first,
	          pages[0] + pages[1] + pages[2] + pages[3]);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		zone_init(zone, (enum zone_type)type,
		          private->pages + (pfn - first),
		          node_blocks_of(private->blocks, first,
		                         (enum zone_type)type, pfn),
		          pfn, pages[type]);
		zone->node = node;
		if (pages[type] > 0)
			zone_add_present(zone, pfn, pfn + pages[type]);
		pfn += pages[type];
	}
	return node;
}

struct node *private_node_empty(unsigned long first, unsigned long count)
{
	node_init(&private->node, private->pages, private->blocks, first,
	          count);
	return &private->node;
}

struct node *private_node_full(unsigned long first,
                               const unsigned long pages[ZONE_COUNT])
{
	struct node *node = private_node(first, pages);

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		zone_release(zone, zone->start_pfn,
		             zone->start_pfn + zone->spanned);
	}
	return node;
}

struct zone *private_zone(unsigned long first, unsigned long pages)
{
	unsigned long each[ZONE_COUNT] = { 0 };

	each[ZONE_NORMAL] = pages;
	return &private_node_full(first, each)->zone[ZONE_NORMAL];
}

const char *private_check(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (zone_check(&node->zone[type], NULL, false, sentence,
		               sizeof(sentence)) != NULL)
			return sentence;
	}
	return NULL;
}

struct page *private_take(struct zone *zone, unsigned int order)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	struct page *page = pageblock_take(zone, order, MIGRATE_MOVABLE, 0);

	if (page != NULL) {
		page_set_state(zone, page, PAGE_LOOSE, PAGE_USED);
		page->refcount = 1;
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	return page;
}

void private_give(struct zone *zone, struct page *page, unsigned int order)
{
	bool enabled = spin_lock_irqsave(&zone->lock);

	page->refcount = 0;
	page_set_state(zone, page, PAGE_USED, PAGE_LOOSE);
	buddy_give(zone, page, order);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

/* ---- Zones --------------------------------------------------------------- */

CASE(zone, a_new_zone_has_no_head_and_manages_nothing)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 100, 0 };
	struct node *node = private_node(40, pages);
	struct zone *zone = &node->zone[ZONE_NORMAL];
	struct page_columns columns;

	EXPECT_EQUAL(zone->spanned, 100);
	EXPECT_EQUAL(zone->present, 100);
	EXPECT_EQUAL(zone->managed, 0);
	for (unsigned long pfn = 40; pfn < 140; pfn++)
		EXPECT_EQUAL(zone_page(zone, pfn)->state, PAGE_NONE);
	EXPECT(zone_check(zone, &columns, false, sentence, sizeof(sentence)) ==
	       NULL);
	EXPECT_EQUAL(columns.reserved, 100);
	EXPECT_EQUAL(columns.free, 0);
	return NULL;
}

CASE(zone, contains_its_first_and_last_frame_and_no_neighbour)
{
	struct zone *zone = private_zone(40, 100);

	EXPECT(zone_contains(zone, 40) && zone_contains(zone, 139));
	EXPECT(!zone_contains(zone, 39) && !zone_contains(zone, 140));
	EXPECT(!zone_contains(zone, 0) && !zone_contains(zone, ~0UL));
	EXPECT_EQUAL(zone_pfn(zone, zone_page(zone, 77)), 77);
	return NULL;
}

CASE(zone, release_counts_managed_and_leaves_holes_reserved)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 200, 0 };
	struct node *node = private_node(0, pages);
	struct zone *zone = &node->zone[ZONE_NORMAL];
	struct page_columns columns;

	zone_release(zone, 3, 50);
	zone_release(zone, 60, 60);
	zone_release(zone, 64, 128);
	EXPECT_EQUAL(zone->managed, 47 + 64);
	EXPECT_EQUAL(zone->free_pages, 47 + 64);
	EXPECT(zone_check(zone, &columns, false, sentence, sizeof(sentence)) ==
	       NULL);
	EXPECT_EQUAL(columns.free, 111);
	EXPECT_EQUAL(columns.reserved, 89);
	EXPECT(zone_block_head(zone, 49) == zone_page(zone, 48));
	EXPECT(zone_block_head(zone, 50) == NULL);
	EXPECT(zone_block_head(zone, 63) == NULL);
	EXPECT(zone_block_head(zone, 127) == zone_page(zone, 64));
	EXPECT(zone_block_head(zone, 128) == NULL);
	return NULL;
}

CASE(zone, checks_pass_over_a_hole_and_not_over_the_block_behind_it)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 200, 0 };
	struct node *node = private_node(0, pages);
	struct zone *zone = &node->zone[ZONE_NORMAL];
	unsigned long rest;

	zone_release(zone, 3, 50);
	zone_release(zone, 64, 128);
	EXPECT(check_next_block(zone, zone_page(zone, 0), &rest) == NULL);
	EXPECT_EQUAL(rest, 3);
	EXPECT(check_next_block(zone, zone_page(zone, 49), &rest) ==
	       zone_page(zone, 48));
	EXPECT_EQUAL(rest, 1);
	EXPECT(check_next_block(zone, zone_page(zone, 50), &rest) == NULL);
	EXPECT_EQUAL(rest, 14);
	/* A flag on a page of the hole needs another look. */
	zone_page(zone, 55)->flags = PAGE_TABLE;
	(void)check_next_block(zone, zone_page(zone, 50), &rest);
	zone_page(zone, 55)->flags = 0;
	EXPECT_EQUAL(rest, 5);
	EXPECT(check_next_block(zone, zone_page(zone, 198), &rest) == NULL);
	EXPECT_EQUAL(rest, 2);
	EXPECT(pageblock_check(zone, sentence, sizeof(sentence)) == NULL);
	return NULL;
}

CASE(zone, node_divides_frames_at_16_mib)
{
	struct node *node = private_node_empty(ZONE_DMA_END - 100, 150);

	EXPECT_EQUAL(node->zone[ZONE_DMA].spanned, 100);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].spanned, 50);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].start_pfn, 4096);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].spanned, 0);
	EXPECT_EQUAL(node->zone[ZONE_MOVABLE].spanned, 0);
	return NULL;
}

CASE(zone, node_divides_frames_at_4_gib)
{
	struct node *node = private_node_empty(ZONE_DMA32_END - 10, 30);

	EXPECT_EQUAL(node->zone[ZONE_DMA].spanned, 0);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].spanned, 10);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].spanned, 20);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].start_pfn, 1048576);
	EXPECT(node_page(node, ZONE_DMA32_END - 11) == NULL);
	EXPECT(node_page(node, ZONE_DMA32_END + 20) == NULL);
	EXPECT(node_page(node, ~0UL) == NULL);
	EXPECT_EQUAL(node_pfn(node, node_page(node, ZONE_DMA32_END)),
	             ZONE_DMA32_END);
	return NULL;
}

CASE(zone, node_sums_its_zones)
{
	static const unsigned long pages[ZONE_COUNT] = { 10, 20, 30, 40 };
	struct node *node = private_node_full(5, pages);

	EXPECT_EQUAL(node_managed(node), 100);
	EXPECT_EQUAL(node_free(node), 100);
	EXPECT(private_take(&node->zone[ZONE_DMA32], 0) != NULL);
	EXPECT_EQUAL(node_managed(node), 100);
	EXPECT_EQUAL(node_free(node), 99);
	return private_check(node);
}

/* ---- The detectors: commit the crime, expect the report ------------------ */

static bool test_zone_check_says(struct zone *zone, const char *text)
{
	const char *said =
		zone_check(zone, NULL, false, sentence, sizeof(sentence));
	size_t length = strlen(text);

	for (; said != NULL && *said != '\0'; said++) {
		if (strncmp(said, text, length) == 0)
			return true;
	}
	return false;
}

CASE(zone, check_finds_a_wrong_counter_of_each_column)
{
	struct zone *zone = private_zone(0, 64);
	unsigned long *const counter[] = {
		&zone->free_pages,      &zone->used_pages, &zone->parked_pages,
		&zone->exclusive_pages, &zone->bad_pages,  &zone->loose_pages,
		&zone->managed,
	};
	static const char *const name[] = { "free",      "used", "parked",
		                            "exclusive", "bad",  "in flight",
		                            "managed" };

	for (size_t i = 0; i < ARRAY_SIZE(counter); i++) {
		(*counter[i])++;
		if (!test_zone_check_says(zone, name[i]))
			return test_failure("a wrong count of %s pages is "
			                    "not found",
			                    name[i]);
		(*counter[i])--;
	}
	return zone_check(zone, NULL, false, sentence, sizeof(sentence));
}

CASE(zone, check_finds_a_page_in_no_state)
{
	struct zone *zone = private_zone(0, 64);
	struct page *page = private_take(zone, 0);
	uint8_t state = page->state;

	page->state = PAGE_STATE_COUNT;
	EXPECT(test_zone_check_says(zone, "corrupt"));
	page->state = 0xff;
	EXPECT(test_zone_check_says(zone, "corrupt"));
	page->state = state;
	return zone_check(zone, NULL, false, sentence, sizeof(sentence));
}

CASE(zone, check_finds_each_broken_buddy_invariant)
{
	struct zone *zone = private_zone(0, 64);
	struct page *page = &zone->pages[0];
	struct page *taken;

	/* B1: the block on the list of order 6 says order 5. */
	page->order = 5;
	EXPECT(test_zone_check_says(zone, "B1"));
	page->order = 6;
	/* B4: a page that the next splits make a head is one already. */
	for (unsigned int order = 0; order < 6; order++) {
		zone->pages[1UL << order].state = PAGE_USED;
		EXPECT(test_zone_check_says(zone, "B4"));
		zone->pages[1UL << order].state = PAGE_NONE;
	}
	/* B5: the length of the list. */
	zone->free_area[6].count++;
	EXPECT(test_zone_check_says(zone, "B5"));
	zone->free_area[6].count--;
	EXPECT(!test_zone_check_says(zone, ""));
	/* B6: the block is on the list of another type than it says. */
	page->list_type++;
	EXPECT(test_zone_check_says(zone, "B6"));
	page->list_type--;
	EXPECT(!test_zone_check_says(zone, ""));
	/* B3: two free buddies of order 0 that were not joined. */
	taken = private_take(zone, 0);
	EXPECT(taken == page);
	zone->used_pages--;
	zone->free_pages++;
	page->state = PAGE_FREE;
	page->order = 0;
	list_push(&zone->free_area[0].blocks[MIGRATE_UNMOVABLE], &page->link);
	zone->free_area[0].of_type[MIGRATE_UNMOVABLE]++;
	zone->free_area[0].count++;
	EXPECT(test_zone_check_says(zone, "B3"));
	return NULL;
}

CASE(zone, check_finds_a_misplaced_block)
{
	struct zone *zone = private_zone(1, 63);
	struct free_area *area = &zone->free_area[0];
	struct page *odd = zone_page(zone, 1);

	/* B2: frame 1, of order 0, on the list of order 1 as frame 1..2. */
	EXPECT_EQUAL(odd->state, PAGE_FREE);
	list_remove(&odd->link);
	area->count--;
	area->of_type[MIGRATE_MOVABLE]--;
	zone->nonempty[MIGRATE_MOVABLE] &= (uint16_t)~1U;
	list_push(&zone->free_area[1].blocks[MIGRATE_MOVABLE], &odd->link);
	zone->free_area[1].of_type[MIGRATE_MOVABLE]++;
	zone->free_area[1].count++;
	odd->order = 1;
	EXPECT(test_zone_check_says(zone, "B2"));
	return NULL;
}

CASE(zone, page_set_state_moves_a_block_between_two_columns)
{
	struct zone *zone = private_zone(0, 16);
	struct page *page = private_take(zone, 2);
	bool enabled;

	EXPECT(page != NULL);
	EXPECT_EQUAL(zone->used_pages, 4);
	enabled = spin_lock_irqsave(&zone->lock);
	page_set_state(zone, page, PAGE_USED, PAGE_BAD);
	spin_unlock_irqrestore(&zone->lock, enabled);
	EXPECT_EQUAL(zone->used_pages, 0);
	EXPECT_EQUAL(zone->bad_pages, 4);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	return zone_check(zone, NULL, false, sentence, sizeof(sentence));
}

/* Every frame of every block of a zone that is split and merged at random leads to its
 * head, and no other frame to any. */
CASE(zone, every_frame_leads_to_the_head_of_its_block)
{
	static struct page *taken[64];
	struct zone *zone = private_zone(37, 200);
	struct random random = { test_seed() };

	for (unsigned int step = 0; step < 2000; step++) {
		size_t i = random_below(&random, ARRAY_SIZE(taken));
		unsigned long covered = 0;

		if (taken[i] == NULL)
			taken[i] = private_take(
				zone, (unsigned int)random_below(&random, 5));
		else
			private_give(zone, taken[i], taken[i]->order);
		if (taken[i] != NULL && taken[i]->state != PAGE_USED)
			taken[i] = NULL;
		for (unsigned long pfn = 37; pfn < 237; pfn++) {
			struct page *head = zone_block_head(zone, pfn);

			EXPECT(head != NULL);
			EXPECT(pfn - zone_pfn(zone, head) < 1UL << head->order);
			EXPECT((zone_pfn(zone, head) == pfn) ==
			       (zone_page(zone, pfn)->state != PAGE_NONE));
			covered += zone_pfn(zone, head) == pfn
			                   ? 1UL << head->order
			                   : 0;
		}
		EXPECT_EQUAL(covered, 200);
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		taken[i] = NULL;
	return zone_check(zone, NULL, false, sentence, sizeof(sentence));
}

CASE(zone, every_state_has_a_name)
{
	for (unsigned int state = 0; state < PAGE_STATE_COUNT; state++) {
		const char *name = page_state_name((enum page_state)state);

		EXPECT(name != NULL && strcmp(name, "corrupt") != 0);
	}
	EXPECT(strcmp(page_state_name(PAGE_STATE_COUNT), "corrupt") == 0);
	return NULL;
}
