/* SPDX-License-Identifier: MIT */
/*
 * tests/states/test_buddy_states.c -- every state of a small buddy allocator,
 * and every call in each.
 *
 * The calls: a block of each order, and a free of each frame by each order, of
 * which at most one in a hundred is legal: the others are double frees, wrong
 * orders, the middle of a block, frames that were never allocated.  They must
 * be refused and leave every byte of the zone and its pages as it was.
 *
 * States.  The allocated blocks determine the free ones: buddies are merged
 * immediately, so the free blocks are the largest aligned ones
 * that contain no allocated page.  The key is therefore the allocated blocks.
 * Not in it: the last owner of a page (it influences nothing), and the order of the
 * free lists.  That order decides which of several free blocks is taken, so a
 * search that ignores it tries only one of them in a state.  No state is missed
 * by that: every state in which no page is free is reached by taking its
 * blocks from left to right, on which way no list ever holds two blocks; every
 * other state comes from one of those by frees, which name their block.  For
 * pools of up to 8 pages the lists' order is part of the key as well, and the
 * search tries all of it.
 *
 * How many there must be.  A block of order k is free as a whole, allocated as
 * a whole, or its halves are in two independent states, but not both free:
 *
 *	f(0) = 2        f(k) = f(k-1)^2 + 1        2, 5, 26, 677, 458330
 *
 * (f(k-1)^2 pairs of halves, less the pair of free ones, and two).  A pool that
 * is not a power of two is a row of such blocks, and has the product.
 */
#include "kernel/arch/arch.h"
#include "lib/string.h"
#include "tests/host/libmm.h"
#include "tests/sequence.h"
#include "tests/states/search.h"
#include "tests/suite.h"

SUITE(buddy_states);

#define MOST_PAGES 16UL
#define TAIL       15U

static struct {
	struct node *node;
	struct zone *zone;
	unsigned int pages;
	unsigned int
		orders; /* 0 .. orders - 1 are tried; the last is too large */
	bool ordered;   /* the lists' order is part of the key */

	/* The model: of each page 0 (free), 1 + order (head), or TAIL. */
	uint8_t block[MOST_PAGES];

	/* The state to restore. */
	struct zone zone_before;
	struct page page_before[MOST_PAGES];
	struct pageblock pageblock_before;
	uint8_t block_before[MOST_PAGES];
} b;

/* ---- The model: which blocks are free ------------------------------------ */

static bool test_buddy_states_range_is_free(unsigned int first,
                                            unsigned int count)
{
	if (first + count > b.pages)
		return false;
	for (unsigned int i = first; i < first + count; i++) {
		if (b.block[i] != 0)
			return false;
	}
	return true;
}

/* Is FIRST the head of a free block of exactly ORDER? */
static bool test_buddy_states_is_free_block(unsigned int first,
                                            unsigned int order)
{
	unsigned int size = 1U << order;

	return first % size == 0 &&
	       test_buddy_states_range_is_free(first, size) &&
	       !test_buddy_states_range_is_free(first & ~size, 2 * size);
}

/* The order of the smallest free block of ORDER or more; -1: none. */
static int test_buddy_states_smallest_free(unsigned int order)
{
	for (; order < b.orders; order++) {
		for (unsigned int i = 0; i < b.pages; i += 1U << order) {
			if (test_buddy_states_is_free_block(i, order))
				return (int)order;
		}
	}
	return -1;
}

/* ---- The pool ------------------------------------------------------------ */

static void test_buddy_states_save(void)
{
	b.zone_before = *b.zone;
	memcpy(b.page_before, b.node->pages, b.pages * sizeof(struct page));
	memcpy(b.block_before, b.block, sizeof(b.block));
	b.pageblock_before = b.zone->blocks[0];
}

static void test_buddy_states_restore(void)
{
	*b.zone = b.zone_before;
	memcpy(b.node->pages, b.page_before, b.pages * sizeof(struct page));
	memcpy(b.block, b.block_before, sizeof(b.block));
	b.zone->blocks[0] = b.pageblock_before;
}

static bool test_buddy_states_is_unchanged(void)
{
	return memcmp(b.zone, &b.zone_before, sizeof(*b.zone)) == 0 &&
	       memcmp(b.node->pages, b.page_before,
	              b.pages * sizeof(struct page)) == 0;
}

/* The pool as it was made, from a copy of then. */
static struct zone zone_made;
static struct page page_made[MOST_PAGES];
static struct pageblock pageblock_made;

static void test_buddy_states_begin(void)
{
	*b.zone = zone_made;
	memcpy(b.node->pages, page_made, b.pages * sizeof(struct page));
	memset(b.block, 0, sizeof(b.block));
	b.zone->blocks[0] = pageblock_made;
}

/* The free blocks, list by list, in the order of the lists. */
static size_t list_key(uint8_t *byte)
{
	struct list *at;
	size_t length = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		list_for_each(at,
		              &b.zone->free_area[order].blocks[MIGRATE_MOVABLE])
			byte[length++] =
				(uint8_t)(1 +
			                  zone_pfn(b.zone,
			                           container_of(at, struct page,
			                                        link)));
	}
	return length;
}

/* From the real pages, not from the model. */
static void test_buddy_states_key(struct search_key *key)
{
	for (unsigned int i = 0; i < b.pages; i++) {
		const struct page *page = &b.node->pages[i];
		uint8_t value = 0;

		if (page->state == PAGE_USED)
			value = (uint8_t)(1 + page->order);
		else if (page_head(b.node, page)->state == PAGE_USED)
			value = TAIL;
		key->byte[i] = value;
	}
	if (b.ordered)
		list_key(key->byte + b.pages);
}

/* ---- Calls --------------------------------------------------------------- */

static struct search_model model;

static enum search_step test_buddy_states_wrong(const char *sentence)
{
	model.wrong = sentence;
	return STEP_WRONG;
}

static enum search_step test_buddy_states_take(unsigned int order)
{
	int from = test_buddy_states_smallest_free(order);
	struct page *page =
		alloc_pages_node(b.node, GFP_KERNEL | __GFP_NOWARN, order);
	unsigned int pfn;

	if ((page != NULL) != (from >= 0))
		return test_buddy_states_wrong(
			page != NULL ? "a block was there that is not free"
				     : "a free block was not found");
	if (page == NULL)
		return test_buddy_states_is_unchanged()
		               ? STEP_KEPT
		               : test_buddy_states_wrong(
					 "a failed request left traces");
	pfn = (unsigned int)node_pfn(b.node, page);
	if (!test_buddy_states_is_free_block(pfn, (unsigned int)from))
		return test_buddy_states_wrong(
			"not the lowest part of a smallest free block");
	b.block[pfn] = (uint8_t)(1 + order);
	memset(&b.block[pfn + 1], TAIL, (1UL << order) - 1);
	return STEP_MOVED;
}

static enum search_step test_buddy_states_give(unsigned int pfn,
                                               unsigned int order)
{
	bool legal = b.block[pfn] == 1 + order;
	unsigned long refused = vmstat_read(&b.node->stat, VMSTAT_free_refused);

	free_pages_node(b.node, &b.node->pages[pfn], order, RETURN_ADDRESS());
	if (vmstat_read(&b.node->stat, VMSTAT_free_refused) != refused + !legal)
		return test_buddy_states_wrong(
			legal ? "a legal free was refused"
			      : "an illegal free was not refused");
	if (!legal)
		return test_buddy_states_is_unchanged()
		               ? STEP_KEPT
		               : test_buddy_states_wrong(
					 "a refused free left traces");
	memset(&b.block[pfn], 0, 1UL << order);
	return STEP_MOVED;
}

/* Calls: take order 0 .. orders - 1; then give frame by order, frame by frame. */
static enum search_step test_buddy_states_call(unsigned int call)
{
	if (call < b.orders)
		return test_buddy_states_take(call);
	call -= b.orders;
	return test_buddy_states_give(call / b.orders, call % b.orders);
}

static void test_buddy_states_describe(unsigned int call, char *buffer,
                                       size_t size)
{
	uint8_t step[SEQUENCE_STEP];

	if (call < b.orders) {
		sequence_alloc(step, call);
		snprintf(buffer, size, "%02x %02x  take order %u", step[0],
		         step[1], call);
		return;
	}
	call -= b.orders;
	sequence_free(step, call / b.orders, call % b.orders);
	snprintf(buffer, size, "%02x %02x  free frame %u by order %u", step[0],
	         step[1], call / b.orders, call % b.orders);
}

/* ---- States -------------------------------------------------------------- */

/* Is there exactly one list entry for each free block of the model? */
static const char *check_free_blocks(void)
{
	for (unsigned int order = 0; order < b.orders; order++) {
		unsigned long expected = 0;

		for (unsigned int i = 0; i < b.pages; i += 1U << order)
			expected += test_buddy_states_is_free_block(i, order);
		if (b.zone->free_area[order].count != expected)
			return "not the largest aligned blocks are free";
	}
	return NULL;
}

static const char *test_buddy_states_check(void)
{
	static char sentence[200];
	struct search_key now = { { 0 } };
	const char *broken =
		zone_check(b.zone, NULL, false, sentence, sizeof(sentence));

	if (broken != NULL)
		return broken;
	test_buddy_states_key(&now);
	if (memcmp(now.byte, b.block, b.pages) != 0)
		return "other blocks are allocated than the model has";
	return check_free_blocks();
}

static struct search_model model = {
	.begin = test_buddy_states_begin,
	.call = test_buddy_states_call,
	.key = test_buddy_states_key,
	.check = test_buddy_states_check,
	.save = test_buddy_states_save,
	.restore = test_buddy_states_restore,
	.describe = test_buddy_states_describe,
};

/* f(ORDER). */
static unsigned long states_of_block(unsigned int order)
{
	unsigned long states = 2;

	while (order-- > 0)
		states = states * states + 1;
	return states;
}

/* A pool from frame 0: its blocks fall from left to right. */
static unsigned long states_of_pool(unsigned int pages)
{
	unsigned long states = 1;

	for (unsigned int order = 0; pages >> order != 0; order++) {
		if (pages >> order & 1)
			states *= states_of_block(order);
	}
	return states;
}

static void make_pool(unsigned int pages, bool ordered)
{
	machine_start(pages);
	memset(&b, 0, sizeof(b));
	b.node = machine_one_zone(ZONE_NORMAL, pages);
	b.zone = &b.node->zone[ZONE_NORMAL];
	b.pages = pages;
	b.ordered = ordered;
	/* One more than the largest block, at least. */
	while (pages >> b.orders != 0)
		b.orders++;
	b.orders++;
	model.calls = b.orders + pages * b.orders;
	zone_made = *b.zone;
	memcpy(page_made, b.node->pages, pages * sizeof(struct page));
	pageblock_made = b.zone->blocks[0];
}

static const char *search_pool(unsigned int pages)
{
	unsigned long expected = states_of_pool(pages);
	struct search_result result;
	const char *broken;

	make_pool(pages, false);
	broken = search_all(&model, expected, &result);
	if (broken != NULL) {
		test_note("sequence header %02x, then the steps", pages);
		return broken;
	}
	test_buddy_states_begin();
	test_note("%u pages: %lu states, %lu calls, up to %u steps", pages,
	          result.states, result.transitions, result.depth);
	EXPECT_EQUAL(result.states, expected);
	return NULL;
}

CASE(buddy_states, closed_form_of_a_block)
{
	EXPECT_EQUAL(states_of_pool(1), 2);
	EXPECT_EQUAL(states_of_pool(2), 5);
	EXPECT_EQUAL(states_of_pool(4), 26);
	EXPECT_EQUAL(states_of_pool(8), 677);
	EXPECT_EQUAL(states_of_pool(16), 458330);
	EXPECT_EQUAL(states_of_pool(6), 26 * 5);
	EXPECT_EQUAL(states_of_pool(7), 26 * 5 * 2);
	return NULL;
}

CASE(buddy_states, every_call_in_every_state_of_1_to_8_pages)
{
	for (unsigned int pages = 1; pages <= 8; pages++) {
		const char *broken = search_pool(pages);

		if (broken != NULL)
			return broken;
	}
	return NULL;
}

CASE(buddy_states, every_call_in_every_state_of_12_pages)
{
	return search_pool(12);
}

/* With the lists' order in the key there are more states, but over no other
 * allocated blocks. */
CASE(buddy_states, every_order_of_the_free_lists_of_8_pages)
{
	struct search_result result;
	const char *broken;

	make_pool(8, true);
	broken = search_all(&model, 100000, &result);
	if (broken != NULL)
		return broken;
	test_buddy_states_begin();
	test_note("8 pages and the order of their lists: %lu states, %lu calls",
	          result.states, result.transitions);
	EXPECT(result.states > states_of_pool(8));
	return NULL;
}

SUITE(buddy_states_16);

CASE(buddy_states_16, every_call_in_every_state_of_16_pages)
{
	return search_pool(16);
}
