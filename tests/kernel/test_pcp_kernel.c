/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_pcp_kernel.c -- the kernel's own per-CPU page lists, in real interrupts.
 */
#include "drivers/pit.h"
#include "kernel/core/clock.h"
#include "kernel/core/sched.h"
#include "kernel/core/work.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"
#include "mm/reclaim/drain.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(pcp_kernel);

#define HELD   32U
#define ROUNDS 4000U

/* The highest zone of the machine that has memory. */
static struct zone *pcp_highest_zone(void)
{
	struct node *node = main_node();
	int type = ZONE_NORMAL;

	while (type > ZONE_DMA && node->zone[type].managed == 0)
		type--;
	return &node->zone[type];
}

CASE(pcp_kernel, every_zone_with_memory_has_lists_after_boot)
{
	const struct node *node = main_node();

	EXPECT_EQUAL(node->pcp_cpus, 1);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];

		EXPECT_EQUAL(zone->pcp[0] != NULL, zone->managed > 0);
		if (zone->pcp[0] == NULL)
			continue;
		EXPECT_EQUAL(zone->pcp[0]->batch, pcp_batch(zone->managed));
		EXPECT_EQUAL(zone->pcp[0]->high_min,
		             max(zone->watermark[WMARK_LOW],
		                 4UL * zone->pcp[0]->batch));
	}
	return NULL;
}

/* Frames that held 0xaa come back, and are cleared. */
CASE(pcp_kernel, zero_clears_pages_full_of_0xaa)
{
	struct page *page[8];
	unsigned long dirty = 0;

	for (unsigned int round = 0; round < 2; round++) {
		gfp_t mask = GFP_KERNEL | (round > 0 ? __GFP_ZERO : 0);

		for (size_t i = 0; i < ARRAY_SIZE(page); i++) {
			const uint8_t *memory;

			page[i] = alloc_page(mask);
			EXPECT(page[i] != NULL);
			memory = page_address(page[i]);
			for (size_t at = 0; round > 0 && at < PAGE_SIZE; at++)
				dirty += memory[at] != 0;
			memset(page_address(page[i]), 0xaa, PAGE_SIZE);
		}
		for (size_t i = 0; i < ARRAY_SIZE(page); i++)
			__free_page(page[i]);
	}
	EXPECT_EQUAL(dirty, 0);
	return NULL;
}

/* A page that is freed and taken again does not reach the zone. */
CASE(pcp_kernel, a_page_comes_back_without_the_zone)
{
	struct zone *zone = pcp_highest_zone();
	unsigned long changes;
	struct page *page;
	struct page *again;

	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	__free_page(page);
	EXPECT_EQUAL(page->state, PAGE_PCP);
	changes = zone->changes;
	for (unsigned int i = 0; i < 100; i++) {
		again = alloc_page(GFP_KERNEL);
		if (again != page)
			return "another page came";
		__free_page(again);
	}
	EXPECT_EQUAL(zone->changes, changes);
	return NULL;
}

static struct {
	struct page *page;
	unsigned int order;
	unsigned long taken;
} pcp_ticker;

/* At each tick a block comes, and the last one goes. */
static void pcp_take_in_tick(void *data)
{
	(void)data;
	if (pcp_ticker.page != NULL)
		__free_pages(pcp_ticker.page, pcp_ticker.order);
	pcp_ticker.order = (pcp_ticker.order + 1) % PCP_ORDERS;
	pcp_ticker.page =
		alloc_pages(GFP_ATOMIC | __GFP_NOWARN, pcp_ticker.order);
	pcp_ticker.taken += pcp_ticker.page != NULL;
}

CASE(pcp_kernel, interrupts_and_a_thread_share_a_list)
{
	static const gfp_t mask[] = { GFP_KERNEL, GFP_KERNEL | __GFP_MOVABLE,
		                      GFP_KERNEL | __GFP_RECLAIMABLE,
		                      GFP_ATOMIC };
	struct random dice = { .state = test_seed() };
	struct page *held[HELD] = { NULL };
	unsigned int order[HELD];
	unsigned int hz = clock_hz();
	char sentence[240];
	const char *broken;

	pcp_ticker.page = NULL;
	pcp_ticker.taken = 0;
	pit_set_hz(5000);
	pit_set_listener(pcp_take_in_tick, NULL);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int i = (unsigned int)random_below(&dice, HELD);

		if (held[i] != NULL) {
			__free_pages(held[i], order[i]);
			held[i] = NULL;
		} else {
			order[i] = (unsigned int)random_below(&dice, 4);
			held[i] = alloc_pages(
				mask[random_below(&dice, ARRAY_SIZE(mask))] |
					__GFP_NOWARN | __GFP_NORETRY,
				order[i]);
		}
		if (round % 512 == 0)
			pcp_drain_node(main_node());
	}
	pit_set_listener(NULL, NULL);
	pit_set_hz(hz);
	for (unsigned int i = 0; i < HELD; i++) {
		if (held[i] != NULL)
			__free_pages(held[i], order[i]);
	}
	if (pcp_ticker.page != NULL)
		__free_pages(pcp_ticker.page, pcp_ticker.order);
	broken = node_check(main_node(), NULL, false, sentence,
	                    sizeof(sentence));
	if (broken != NULL)
		return test_failure("%s", broken);
	EXPECT(pcp_ticker.taken > 0);
	return NULL;
}

/* Not one page of the lists is missing when memory is drained. */
CASE(pcp_kernel, the_lists_do_not_hide_a_page_from_a_request)
{
	struct node *node = main_node();
	struct drained drained;
	unsigned long left = 0;

	drained_init(&drained);
	drain(&drained, GFP_ATOMIC | __GFP_NOWARN);
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		left += zone_pcp_pages(&node->zone[type]);
	drained_free(&drained);
	EXPECT_EQUAL(left, 0);
	return NULL;
}

static void pcp_drain_in_worker(void *zone)
{
	pcp_drain_zone(zone);
}

/* Directly, and by the worker, as it would be on another CPU. */
CASE(pcp_kernel, drain_all_pages_leaves_no_page_on_a_list)
{
	struct node *node = main_node();
	struct zone *zone = pcp_highest_zone();
	uint64_t before = work_done();
	struct page *page = alloc_page(GFP_KERNEL);

	EXPECT(page != NULL);
	__free_page(page);
	EXPECT(zone_pcp_pages(zone) > 0);
	drain_all_pages(node, zone);
	EXPECT_EQUAL(zone_pcp_pages(zone), 0);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	__free_page(page);
	EXPECT(zone_pcp_pages(zone) > 0);
	node->run_on(0, pcp_drain_in_worker, zone);
	EXPECT_EQUAL(zone_pcp_pages(zone), 0);
	EXPECT(work_done() > before);
	return NULL;
}

#define SECOND 1000000ULL

/* Pages are taken until the list's limit is well above its least; then all go back. */
static bool pcp_raise_high(const struct pcp_set *set)
{
	unsigned int aim = min(set->high_min + 8 * set->batch, set->high_max);
	struct list pages = LIST_INIT(pages);
	struct page *page;

	while (set->high < aim &&
	       (page = alloc_page(GFP_NOWAIT | __GFP_NOWARN)) != NULL)
		list_append(&pages, &page->link);
	while ((page = list_first(&pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_page(page);
	}
	return set->high >= aim && set->high > set->high_min;
}

/* Nobody asks for it: the worker does it each second. */
CASE(pcp_kernel, seconds_without_use_lower_the_limit_of_a_list_again)
{
	const struct pcp_set *set = pcp_highest_zone()->pcp[0];
	unsigned int high;

	EXPECT(pcp_raise_high(set));
	for (unsigned int i = 0; i < 2; i++) {
		high = set->high;
		thread_sleep(SECOND + SECOND / 10);
		EXPECT(set->high < high || high == set->high_min);
		EXPECT(set->count <= set->high);
	}
	return NULL;
}
