/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_page_alloc.c -- the front door, on a private node of 256 pages.
 *
 * The marks are 32/40/48, so that GFP_ATOMIC stops at 12 (32 - 16 = 16, less a
 * quarter) and every floor differs.
 */
#include "kernel/core/context.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/watermark.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(page_alloc);

static struct page *taken[PRIVATE_PAGES];
static unsigned long taken_count;
static unsigned long kswapd_wakes;

static void test_page_alloc_count_wake(struct node *node, unsigned int order,
                                       enum zone_type highest,
                                       bool may_sleep __unused)
{
	(void)node;
	(void)order;
	(void)highest;
	kswapd_wakes++;
}

static void test_page_alloc_set_marks(struct zone *zone, unsigned long lowest,
                                      unsigned long low, unsigned long high)
{
	zone->watermark[WMARK_MIN] = lowest;
	zone->watermark[WMARK_LOW] = low;
	zone->watermark[WMARK_HIGH] = high;
}

/* A node with one zone of 256 pages and the marks above. */
static struct node *test_page_alloc_small_node(void)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 256, 0, 0 };
	struct node *node = private_node_full(0, pages);

	test_page_alloc_set_marks(&node->zone[ZONE_DMA32], 32, 40, 48);
	node->wake_kswapd = test_page_alloc_count_wake;
	taken_count = 0;
	kswapd_wakes = 0;
	return node;
}

static struct zone *small_zone(struct node *node)
{
	return &node->zone[ZONE_DMA32];
}

/* Allocate single pages with MASK until NULL, at most LIMIT. */
static unsigned long test_page_alloc_drain(struct node *node, gfp_t mask,
                                           unsigned long limit)
{
	unsigned long got = 0;

	while (got < limit && taken_count < PRIVATE_PAGES) {
		struct page *page = alloc_pages_node(node, mask, 0);

		if (page == NULL)
			break;
		taken[taken_count++] = page;
		got++;
	}
	return got;
}

/* Leave FREE pages free, and the counters as if nothing had happened. */
static void drain_to(struct node *node, unsigned long free)
{
	test_page_alloc_drain(node, __GFP_MEMALLOC | __GFP_NOWARN,
	                      node_free(node) - free);
	vmstat_clear(&node->stat);
	kswapd_wakes = 0;
}

static void free_taken(struct node *node)
{
	while (taken_count > 0)
		free_pages_node(node, taken[--taken_count], 0,
		                RETURN_ADDRESS());
}

/* Everything is back and joined. */
static const char *expect_full(struct node *node)
{
	free_taken(node);
	EXPECT_EQUAL(node_free(node), node_managed(node));
	return private_check(node);
}

static unsigned long test_page_alloc_stat(const struct node *node,
                                          enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

/* FNV-1a over the zones and the pages: bit-identical state, same number. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * 0x100000001b3ULL;
	return hash;
}

static uint64_t fingerprint(const struct node *node)
{
	uint64_t hash = hash_bytes(0xcbf29ce484222325ULL, node->zone,
	                           sizeof(node->zone));

	return hash_bytes(hash, node->pages,
	                  node->page_count * sizeof(*node->pages));
}

/* ---- How far each class may go ------------------------------------------- */

struct level {
	gfp_t mask;
	unsigned long left;
};

CASE(page_alloc, each_class_stops_at_its_floor)
{
	static const struct level levels[] = {
		{ 0, 32 },
		{ GFP_NOWAIT, 32 },
		{ GFP_KERNEL & ~__GFP_DIRECT_RECLAIM, 32 },
		{ GFP_ATOMIC, 12 },
		{ __GFP_HIGH, 12 },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC, 16 },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC | __GFP_MEMALLOC, 16 },
		{ GFP_NOWAIT | __GFP_MEMALLOC, 0 },
		{ GFP_ATOMIC | __GFP_MEMALLOC, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct node *node = test_page_alloc_small_node();
		unsigned long got = test_page_alloc_drain(
			node, levels[i].mask | __GFP_NOWARN, PRIVATE_PAGES);
		const char *wrong;

		if (got != 256 - levels[i].left)
			return test_failure("mask %#x: %lu pages, expected %lu",
			                    levels[i].mask, got,
			                    256 - levels[i].left);
		EXPECT_EQUAL(node_free(node), levels[i].left);
		wrong = expect_full(node);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(page_alloc, classes_that_may_sleep_stop_at_their_floor)
{
	static const struct level levels[] = {
		{ GFP_KERNEL, 32 },
		{ GFP_NOFS, 32 },
		{ GFP_NOIO, 32 },
		{ GFP_KERNEL | __GFP_HIGH, 16 },
		{ GFP_KERNEL | __GFP_MEMALLOC, 0 },
	};

	if (!may_sleep_here())
		SKIP("no thread");
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct node *node = test_page_alloc_small_node();
		const char *wrong;

		test_page_alloc_drain(node, levels[i].mask | __GFP_NOWARN,
		                      PRIVATE_PAGES);
		EXPECT_EQUAL(node_free(node), levels[i].left);
		wrong = expect_full(node);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(page_alloc, a_reserve_that_was_drained_is_there_again_after_a_free)
{
	struct node *node = test_page_alloc_small_node();

	test_page_alloc_drain(node, GFP_ATOMIC | __GFP_NOWARN, PRIVATE_PAGES);
	EXPECT(alloc_pages_node(node, GFP_ATOMIC | __GFP_NOWARN, 0) == NULL);
	free_pages_node(node, taken[--taken_count], 0, RETURN_ADDRESS());
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_ATOMIC | __GFP_NOWARN,
	                                   PRIVATE_PAGES),
	             1);
	return expect_full(node);
}

/* ---- The path ------------------------------------------------------------ */

CASE(page_alloc, above_low_one_pass_and_no_wake)
{
	struct node *node = test_page_alloc_small_node();

	drain_to(node, 41);
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_NOWAIT, 1), 1);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_freelist_pass), 1);
	EXPECT_EQUAL(kswapd_wakes, 0);
	return expect_full(node);
}

CASE(page_alloc, at_low_two_passes_and_one_wake)
{
	struct node *node = test_page_alloc_small_node();

	drain_to(node, 40);
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_NOWAIT, 1), 1);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_freelist_pass), 2);
	EXPECT_EQUAL(kswapd_wakes, 1);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_kswapd_wake_request), 1);
	return expect_full(node);
}

CASE(page_alloc, a_failure_is_three_passes_and_two_wakes)
{
	struct node *node = test_page_alloc_small_node();
	uint64_t mark = log_mark();

	drain_to(node, 32);
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_NOWAIT, 1), 0);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_freelist_pass), 3);
	EXPECT_EQUAL(kswapd_wakes, 2);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_alloc_fail), 1);
	EXPECT(!log_contains_since(mark, "page allocation failure"));
	return expect_full(node);
}

CASE(page_alloc, without_kswapd_reclaim_nobody_is_woken)
{
	struct node *node = test_page_alloc_small_node();

	drain_to(node, 12);
	EXPECT_EQUAL(test_page_alloc_drain(node, __GFP_HIGH | __GFP_NOWARN, 1),
	             0);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_freelist_pass), 3);
	EXPECT_EQUAL(kswapd_wakes, 0);
	return expect_full(node);
}

CASE(page_alloc, a_failure_is_dumped_in_linux_shape_once)
{
	struct node *node = test_page_alloc_small_node();
	uint64_t mark = log_mark();

	drain_to(node, 12);
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_ATOMIC, 1), 0);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure: order:0,"),
	             1);
	EXPECT_EQUAL(log_count_since(mark, " mode:0x820(GFP_ATOMIC)"), 1);
	EXPECT(log_contains_since(mark, "Mem-Info:"));
	EXPECT(log_contains_since(mark, "min:128kB low:160kB high:192kB"));
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_ATOMIC, 1), 0);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	return expect_full(node);
}

CASE(page_alloc, order_11_is_null_and_moves_no_counter)
{
	struct node *node = test_page_alloc_small_node();
	uint64_t before = fingerprint(node);

	EXPECT(alloc_pages_node(node, GFP_NOWAIT, 11) == NULL);
	EXPECT(alloc_pages_node(node, GFP_ATOMIC | __GFP_NOWARN, 64) == NULL);
	for (unsigned int event = 0; event < VMSTAT_COUNT; event++)
		EXPECT_EQUAL(vmstat_read(&node->stat, (enum vmstat_event)event),
		             0);
	EXPECT(fingerprint(node) == before);
	return NULL;
}

CASE(page_alloc, a_silent_order_11_leaves_the_report_to_the_next)
{
	struct node *node = test_page_alloc_small_node();
	uint64_t mark = log_mark();

	EXPECT(alloc_pages_node(node, GFP_ATOMIC | __GFP_NOWARN, 11) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "said once"), 0);
	EXPECT(alloc_pages_node(node, GFP_ATOMIC, 11) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "order 11 is above 10"), 1);
	EXPECT(alloc_pages_node(node, GFP_ATOMIC, 12) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "said once"), 1);
	return NULL;
}

CASE(page_alloc, memalloc_above_its_marks_is_not_marked_pfmemalloc)
{
	struct node *node = test_page_alloc_small_node();

	/* The fast pass, the pass at MIN, and the last one. */
	EXPECT_EQUAL(
		test_page_alloc_drain(node, GFP_ATOMIC | __GFP_MEMALLOC, 1), 1);
	EXPECT_EQUAL(taken[taken_count - 1]->flags, 0);
	drain_to(node, 40);
	EXPECT_EQUAL(
		test_page_alloc_drain(node, GFP_ATOMIC | __GFP_MEMALLOC, 1), 1);
	EXPECT_EQUAL(taken[taken_count - 1]->flags, 0);
	drain_to(node, 13);
	EXPECT_EQUAL(
		test_page_alloc_drain(node, GFP_ATOMIC | __GFP_MEMALLOC, 2), 2);
	EXPECT_EQUAL(taken[taken_count - 2]->flags, 0);
	EXPECT_EQUAL(taken[taken_count - 1]->flags, PAGE_PFMEMALLOC);
	return expect_full(node);
}

CASE(page_alloc, a_page_taken_without_marks_is_marked_pfmemalloc)
{
	struct node *node = test_page_alloc_small_node();

	drain_to(node, 12);
	EXPECT_EQUAL(
		test_page_alloc_drain(node, GFP_ATOMIC | __GFP_MEMALLOC, 1), 1);
	EXPECT((taken[taken_count - 1]->flags & PAGE_PFMEMALLOC) != 0);
	free_taken(node);
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_ATOMIC, 1), 1);
	EXPECT((taken[0]->flags & PAGE_PFMEMALLOC) == 0);
	return expect_full(node);
}

CASE(page_alloc, counters_count_base_pages)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 5);

	EXPECT(page != NULL);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_pgalloc_dma32), 32);
	free_pages_node(node, page, 5, RETURN_ADDRESS());
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_pgfree), 32);
	return expect_full(node);
}

/* ---- Refused masks ------------------------------------------------------- */

CASE(page_alloc, a_refused_mask_is_reported_and_changes_nothing)
{
	static const gfp_t refused[] = {
		__GFP_ACCOUNT,
		__GFP_ZEROTAGS,
		0x200,
		0x80000000,
		__GFP_DMA | __GFP_DMA32,
		__GFP_DMA | __GFP_HIGHMEM,
		__GFP_DMA32 | __GFP_HIGHMEM,
		__GFP_MOVABLE | __GFP_RECLAIMABLE,
		__GFP_EXCLUSIVE | __GFP_MOVABLE,
		__GFP_EXCLUSIVE | __GFP_NOFAIL,
	};
	struct node *node = test_page_alloc_small_node();
	uint64_t before = fingerprint(node);

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		uint64_t mark = log_mark();

		EXPECT(alloc_pages_node(node, GFP_ATOMIC | refused[i], 0) ==
		       NULL);
		EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_alloc_refused),
		             i + 1);
		EXPECT_EQUAL(log_count_since(mark, "refused: "), 1);
		EXPECT(fingerprint(node) == before);
	}
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_freelist_pass), 0);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_alloc_fail), 0);
	return NULL;
}

CASE(page_alloc, direct_reclaim_with_preemption_off_is_refused)
{
	struct node *node = test_page_alloc_small_node();
	uint64_t before = fingerprint(node);
	uint64_t mark = log_mark();
	struct page *page;

	preempt_disable();
	page = alloc_pages_node(node, GFP_KERNEL, 0);
	preempt_enable();
	EXPECT(page == NULL);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_alloc_must_not_sleep),
	             1);
	EXPECT(log_contains_since(mark, "__GFP_DIRECT_RECLAIM"));
	EXPECT(fingerprint(node) == before);
	preempt_disable();
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_ATOMIC, 1), 1);
	preempt_enable();
	return expect_full(node);
}

/* ---- Zones --------------------------------------------------------------- */

CASE(page_alloc, zones_are_tried_from_the_highest_downwards)
{
	static const unsigned long pages[ZONE_COUNT] = { 16, 32, 64, 128 };
	struct node *node = private_node_full(0, pages);
	unsigned long got[ZONE_COUNT] = { 0 };
	unsigned int last = ZONE_MOVABLE;

	taken_count = 0;
	while (test_page_alloc_drain(node,
	                             GFP_NOWAIT | __GFP_HIGHMEM | __GFP_MOVABLE,
	                             1) == 1) {
		unsigned int type = taken[taken_count - 1]->zone;

		EXPECT(type <= last);
		last = type;
		got[type]++;
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		EXPECT_EQUAL(got[type], pages[type]);
	return expect_full(node);
}

CASE(page_alloc, a_request_never_goes_above_its_zone)
{
	static const struct {
		gfp_t mask;
		unsigned long reachable;
	} row[] = {
		{ __GFP_DMA, 16 },
		{ __GFP_DMA32, 16 + 32 },
		{ 0, 16 + 32 + 64 },
		{ __GFP_MOVABLE, 16 + 32 + 64 },
		{ __GFP_HIGHMEM, 16 + 32 + 64 },
		{ __GFP_HIGHMEM | __GFP_MOVABLE, 16 + 32 + 64 + 128 },
	};
	static const unsigned long pages[ZONE_COUNT] = { 16, 32, 64, 128 };

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct node *node = private_node_full(0, pages);
		const char *wrong;

		taken_count = 0;
		EXPECT_EQUAL(test_page_alloc_drain(node,
		                                   GFP_NOWAIT | row[i].mask,
		                                   PRIVATE_PAGES),
		             row[i].reachable);
		wrong = expect_full(node);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(page_alloc, a_lower_zone_keeps_its_lowmem_reserve)
{
	static const unsigned long pages[ZONE_COUNT] = { 64, 64, 64, 0 };
	struct node *node = private_node_full(0, pages);

	taken_count = 0;
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++)
		test_page_alloc_set_marks(&node->zone[type], 8, 10, 12);
	node->zone[ZONE_DMA].lowmem_reserve[ZONE_DMA32] = 20;
	node->zone[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] = 30;
	node->zone[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL] = 16;
	/* ATOMIC's floor is 3: 8 - 4 = 4, less a quarter. */
	test_page_alloc_drain(node, GFP_ATOMIC | __GFP_NOWARN, PRIVATE_PAGES);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 3);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].free_pages, 3 + 16);
	EXPECT_EQUAL(node->zone[ZONE_DMA].free_pages, 3 + 30);
	test_page_alloc_drain(node, GFP_ATOMIC | __GFP_DMA32 | __GFP_NOWARN,
	                      PRIVATE_PAGES);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].free_pages, 3);
	EXPECT_EQUAL(node->zone[ZONE_DMA].free_pages, 3 + 20);
	test_page_alloc_drain(node, GFP_ATOMIC | __GFP_DMA | __GFP_NOWARN,
	                      PRIVATE_PAGES);
	EXPECT_EQUAL(node->zone[ZONE_DMA].free_pages, 3);
	test_page_alloc_drain(node, GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOWARN,
	                      PRIVATE_PAGES);
	EXPECT_EQUAL(node_free(node), 0);
	return expect_full(node);
}

CASE(page_alloc, dma_without_dma_memory_fails_silently)
{
	struct node *node = test_page_alloc_small_node();
	uint64_t mark = log_mark();

	EXPECT(alloc_pages_node(node, GFP_ATOMIC | GFP_DMA, 0) == NULL);
	EXPECT(!log_contains_since(mark, "page allocation failure"));
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_alloc_fail), 1);
	return NULL;
}

CASE(page_alloc, dma_with_dma_memory_fails_with_a_dump)
{
	static const unsigned long pages[ZONE_COUNT] = { 16, 64, 0, 0 };
	struct node *node = private_node_full(0, pages);
	uint64_t mark = log_mark();

	taken_count = 0;
	EXPECT_EQUAL(test_page_alloc_drain(node, GFP_ATOMIC | __GFP_DMA,
	                                   PRIVATE_PAGES),
	             16);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	return expect_full(node);
}

/* ---- Blocks and references ----------------------------------------------- */

CASE(page_alloc, the_page_remembers_the_migratetype_it_was_taken_as)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page =
		alloc_pages_node(node, GFP_NOWAIT | __GFP_RECLAIMABLE, 1);

	EXPECT(page != NULL);
	EXPECT_EQUAL(gfp_migratetype(page->gfp), MIGRATE_RECLAIMABLE);
	free_pages_node(node, page, 1, RETURN_ADDRESS());
	page = alloc_pages_node(node, GFP_NOWAIT | __GFP_MOVABLE, 0);
	EXPECT(page != NULL);
	EXPECT_EQUAL(gfp_migratetype(page->gfp), MIGRATE_MOVABLE);
	free_pages_node(node, page, 0, RETURN_ADDRESS());
	return expect_full(node);
}

CASE(page_alloc, only_the_first_page_of_a_block_has_a_reference)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 3);

	EXPECT(page != NULL);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(page->state, PAGE_USED);
	for (unsigned int i = 1; i < 8; i++) {
		EXPECT_EQUAL(page_ref_count(&page[i]), 0);
		EXPECT_EQUAL(page[i].state, PAGE_NONE);
	}
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	return expect_full(node);
}

CASE(page_alloc, a_block_with_an_extra_reference_frees_7_pages_then_1)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 3);

	EXPECT(page != NULL);
	page->refcount++;
	EXPECT_EQUAL(node_free(node), 248);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	EXPECT_EQUAL(node_free(node), 255);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT(private_check(node) == NULL);
	free_pages_node(node, page, 0, RETURN_ADDRESS());
	return expect_full(node);
}

CASE(page_alloc, a_compound_block_with_an_extra_reference_frees_0_then_8)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT | __GFP_COMP, 3);

	EXPECT(page != NULL);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT(page_head(node, &page[i]) == page);
	page->refcount++;
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	EXPECT_EQUAL(node_free(node), 248);
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	EXPECT_EQUAL(node_free(node), 256);
	EXPECT_EQUAL(page->flags, 0);
	return expect_full(node);
}

CASE(page_alloc, extra_references_leak_nothing_in_10000_rounds)
{
	struct node *node = test_page_alloc_small_node();

	for (unsigned int i = 0; i < 10000; i++) {
		struct page *page = alloc_pages_node(node, GFP_NOWAIT, 3);

		EXPECT(page != NULL);
		page->refcount++;
		free_pages_node(node, page, 3, RETURN_ADDRESS());
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
	return expect_full(node);
}

/* ---- Frees that must not be ---------------------------------------------- */

/* Free PAGE by ORDER: refused, reported by name, nothing changed. */
static const char *expect_refused(struct node *node, struct page *page,
                                  unsigned int order)
{
	uint64_t before = fingerprint(node);
	uint64_t mark = log_mark();
	unsigned long refused = test_page_alloc_stat(node, VMSTAT_free_refused);

	free_pages_node(node, page, order, RETURN_ADDRESS());
	EXPECT(fingerprint(node) == before);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_free_refused),
	             refused + 1);
	EXPECT_EQUAL(log_count_since(mark, "BUG: free of"), 1);
	return private_check(node);
}

CASE(page_alloc, double_free_is_refused)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 2);
	const char *wrong;

	EXPECT(page != NULL);
	free_pages_node(node, page, 2, RETURN_ADDRESS());
	wrong = expect_refused(node, page, 2);
	return wrong != NULL ? wrong : expect_full(node);
}

CASE(page_alloc, free_of_the_wrong_order_is_refused)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 2);

	EXPECT(page != NULL);
	for (unsigned int order = 0; order <= 12; order++) {
		const char *wrong;

		if (order == 2)
			continue;
		wrong = expect_refused(node, page, order);
		if (wrong != NULL)
			return wrong;
	}
	free_pages_node(node, page, 2, RETURN_ADDRESS());
	return expect_full(node);
}

CASE(page_alloc, free_of_the_middle_of_a_block_is_refused)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 3);

	EXPECT(page != NULL);
	for (unsigned int i = 1; i < 8; i++) {
		const char *wrong = expect_refused(node, &page[i], 0);

		if (wrong == NULL)
			wrong = expect_refused(node, &page[i], 3);
		if (wrong != NULL)
			return wrong;
	}
	free_pages_node(node, page, 3, RETURN_ADDRESS());
	return expect_full(node);
}

CASE(page_alloc, free_of_a_reserved_page_is_refused)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 64, 0 };
	struct node *node = private_node(0, pages);

	zone_release(&node->zone[ZONE_NORMAL], 0, 32);
	return expect_refused(node, node_page(node, 40), 0);
}

CASE(page_alloc, free_of_a_page_that_was_never_allocated_is_refused)
{
	struct node *node = test_page_alloc_small_node();

	for (unsigned long pfn = 0; pfn < 256; pfn += 51) {
		const char *wrong =
			expect_refused(node, node_page(node, pfn), 0);

		if (wrong != NULL)
			return wrong;
	}
	return expect_refused(node, node_page(node, 0), 8);
}

CASE(page_alloc, free_of_a_stranger_that_is_not_a_page_is_refused)
{
	struct node *node = test_page_alloc_small_node();
	struct page stranger = { .state = PAGE_USED, .refcount = 1 };
	char *inside = (char *)node->pages + 1;
	const char *wrong = expect_refused(node, NULL, 0);

	if (wrong == NULL)
		wrong = expect_refused(node, &stranger, 0);
	if (wrong == NULL)
		wrong = expect_refused(node, node->pages + 256, 0);
	if (wrong == NULL)
		wrong = expect_refused(node, (struct page *)(void *)inside, 0);
	return wrong;
}

CASE(page_alloc, free_of_a_page_without_a_reference_is_refused)
{
	static const int32_t counts[] = { 0, -1, -5 };
	struct node *node = test_page_alloc_small_node();
	struct page *page = alloc_pages_node(node, GFP_NOWAIT, 2);

	EXPECT(page != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		uint64_t mark = log_mark();
		uint64_t before;

		page->refcount = counts[i];
		before = fingerprint(node);
		free_pages_node(node, page, 2, RETURN_ADDRESS());
		EXPECT(fingerprint(node) == before);
		EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_free_refused),
		             i + 1);
		EXPECT_EQUAL(log_count_since(mark, "it has no reference"), 1);
	}
	page->refcount = 1;
	free_pages_node(node, page, 2, RETURN_ADDRESS());
	return expect_full(node);
}

static void spoil(struct page *page, unsigned int field)
{
	if (field == 0)
		page->refcount = -1;
	else if (field == 1)
		page->flags = PAGE_COMPOUND;
	else if (field == 2)
		page->owner = (struct owner *)page;
	else if (field == 3)
		page->bits = 1 << PG_locked;
	else
		page->receiver = (struct owner *)page;
}

/* Of a page inside a block nothing is read, until a split makes it a head. */
CASE(page_alloc, what_is_written_inside_a_free_block_is_found_when_it_is_split)
{
	for (unsigned int field = 0; field < 5; field++) {
		struct node *node = test_page_alloc_small_node();
		struct page *got[8];

		spoil(node_page(node, 4), field);
		got[0] = alloc_pages_node(node, GFP_NOWAIT, 3);
		EXPECT(got[0] == node_page(node, 0));
		free_pages_node(node, got[0], 3, RETURN_ADDRESS());
		EXPECT_EQUAL(node_free(node), 256);
		for (unsigned int i = 0; i < 8; i++)
			got[i] = alloc_pages_node(node, GFP_NOWAIT, 0);
		EXPECT_EQUAL(node_pfn(node, got[4]), 5);
		EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_bad_page), 1);
		for (unsigned int i = 0; i < 8; i++)
			free_pages_node(node, got[i], 0, RETURN_ADDRESS());
		EXPECT_EQUAL(node_free(node), 255);
		EXPECT(private_check(node) == NULL);
	}
	return NULL;
}

CASE(page_alloc, what_is_written_to_a_free_page_makes_it_bad)
{
	for (unsigned int field = 0; field < 5; field++) {
		struct node *node = test_page_alloc_small_node();
		uint64_t mark = log_mark();
		struct page *got;

		spoil(node_page(node, 0), field);
		/* Its block goes as a whole. */
		got = alloc_pages_node(node, GFP_NOWAIT, 3);
		EXPECT(got != NULL && node_pfn(node, got) == 8);
		EXPECT_EQUAL(log_count_since(mark, "Bad page state: pfn 0"), 1);
		EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_bad_page), 8);
		EXPECT_EQUAL(small_zone(node)->bad_pages, 8);
		free_pages_node(node, got, 3, RETURN_ADDRESS());
		EXPECT_EQUAL(node_free(node), 248);
		EXPECT(private_check(node) == NULL);
	}
	return NULL;
}

CASE(page_alloc, freed_with_a_mapping_or_a_bit_that_must_not_be_it_is_bad)
{
	for (unsigned int bit = 0; bit <= PG_BIT_COUNT; bit++) {
		bool leaks = bit == PG_BIT_COUNT ||
		             (PAGE_BITS_AT_FREE & (1U << bit)) != 0;
		struct node *node = test_page_alloc_small_node();
		struct page *page = alloc_pages_node(node, GFP_NOWAIT, 0);
		uint64_t mark = log_mark();

		EXPECT(page != NULL);
		/* Such frees are refused: tests/host/test_mempool.c. */
		if (bit == PG_mempool || bit == PG_slab)
			continue;
		page->index = 77;
		if (bit == PG_BIT_COUNT)
			page->mapping = (struct address_space *)node;
		else
			page_set(page, (enum page_bit)bit);
		free_pages_node(node, page, 0, RETURN_ADDRESS());
		EXPECT_EQUAL(log_count_since(mark, "Bad page state: pfn"),
		             leaks);
		EXPECT_EQUAL(node_free(node), leaks ? 255 : 256);
		EXPECT_EQUAL(small_zone(node)->bad_pages, leaks);
		EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_pgfree), !leaks);
		EXPECT(private_check(node) == NULL);
	}
	return NULL;
}

CASE(page_alloc, free_of_a_bad_page_is_refused)
{
	struct node *node = test_page_alloc_small_node();
	struct page *page = node_page(node, 0);
	struct page *got;

	/* Somebody wrote to a page that is free. */
	page->refcount = 77;
	got = alloc_pages_node(node, GFP_NOWAIT, 0);
	EXPECT(got != NULL && got != page);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	EXPECT_EQUAL(test_page_alloc_stat(node, VMSTAT_bad_page), 1);
	EXPECT_EQUAL(small_zone(node)->bad_pages, 1);
	free_pages_node(node, got, 0, RETURN_ADDRESS());
	EXPECT_EQUAL(node_free(node), 255);
	return expect_refused(node, page, 0);
}
