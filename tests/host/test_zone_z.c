/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_zone_z.c -- the front door on zone Z: drains, paths, contexts, contents.
 */
#include "tests/host/test_zone_z.h"

#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/debug/explain.h"
#include "mm/reclaim/route.h"
#include "tests/suite.h"

SUITE(zone_z);

struct pile zone_z_pile;
static unsigned long wakes;

static void test_zone_z_count_wake(struct node *node, unsigned int order,
                                   enum zone_type highest,
                                   bool may_sleep __unused)
{
	(void)node;
	(void)order;
	(void)highest;
	wakes++;
}

struct node *zone_z_begin(unsigned long free)
{
	struct node *node;

	machine_start(61440);
	node = machine_one_zone(ZONE_DMA32, 61440);
	machine_set_marks(&node->zone[ZONE_DMA32], 480, 600, 720);
	set_main_node(node);
	zone_z_pile.node = node;
	zone_z_pile.count = 0;
	pile_leave(&zone_z_pile, free);
	node->wake_kswapd = test_zone_z_count_wake;
	wakes = 0;
	return node;
}

unsigned long test_zone_z_stat(const struct node *node, enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

const char *test_zone_z_give_all(void)
{
	pile_give(&zone_z_pile, PILE_PAGES);
	return NULL;
}

/* ---- Draining from 720 --------------------------------------------------- */

struct drain {
	gfp_t mask;
	unsigned long count;
};

static const char *expect_drains(const struct drain *drain, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned long got;

		zone_z_begin(720);
		got = pile_drain(&zone_z_pile, drain[i].mask, PILE_PAGES);
		if (got != drain[i].count)
			return test_failure("mask %#x: %lu pages, expected %lu",
			                    drain[i].mask, got, drain[i].count);
		EXPECT(alloc_pages_node(zone_z_pile.node, drain[i].mask, 0) ==
		       NULL);
		test_zone_z_give_all();
	}
	return NULL;
}

CASE(zone_z, drains_from_720_by_mask)
{
	static const struct drain drains[] = {
		{ GFP_ATOMIC, 540 },
		{ __GFP_HIGH, 540 },
		{ GFP_KERNEL & ~__GFP_DIRECT_RECLAIM, 240 },
		{ GFP_KERNEL, 240 },
		{ GFP_NOWAIT, 240 },
		{ 0, 240 },
		{ GFP_KERNEL | __GFP_HIGH, 480 },
		{ GFP_KERNEL | __GFP_MEMALLOC, 720 },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC, 480 },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC | __GFP_MEMALLOC, 480 },
		{ GFP_KERNEL | __GFP_NOMEMALLOC | __GFP_MEMALLOC, 240 },
	};

	return expect_drains(drains, ARRAY_SIZE(drains));
}

CASE(zone_z, pf_memalloc_drains_all_but_nomemalloc_beats_it)
{
	zone_z_begin(720);
	machine_set_memalloc(true);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_KERNEL | __GFP_NOMEMALLOC,
	                        PILE_PAGES),
	             240);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_KERNEL, PILE_PAGES), 480);
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, hard_irq_over_a_pf_memalloc_thread_leaves_180)
{
	struct node *node = zone_z_begin(720);

	machine_set_memalloc(true);
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, PILE_PAGES), 540);
	machine_leave_irq();
	EXPECT_EQUAL(node_free(node), 180);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, PILE_PAGES), 180);
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, soft_work_over_a_pf_memalloc_thread_has_its_right)
{
	zone_z_begin(720);
	machine_set_memalloc(true);
	machine_enter_softirq();
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, PILE_PAGES), 720);
	EXPECT(alloc_pages(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(
		test_zone_z_stat(zone_z_pile.node, VMSTAT_alloc_must_not_sleep),
		1);
	machine_leave_softirq();
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, hard_irq_over_soft_work_has_not)
{
	zone_z_begin(720);
	machine_set_memalloc(true);
	machine_enter_softirq();
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, PILE_PAGES), 540);
	machine_leave_irq();
	machine_leave_softirq();
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, an_interrupt_gets_what_a_thread_gets)
{
	zone_z_begin(720);
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_NOWAIT, PILE_PAGES), 240);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, PILE_PAGES), 300);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC | __GFP_MEMALLOC,
	                        PILE_PAGES),
	             180);
	machine_leave_irq();
	return test_zone_z_give_all();
}

/* ---- The path ------------------------------------------------------------ */

CASE(zone_z, kernel_at_601_is_fast_and_at_600_wakes_once)
{
	struct node *node = zone_z_begin(601);

	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(wakes, 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 1);
	EXPECT_EQUAL(node_free(node), 600);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(wakes, 1);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 3);
	return test_zone_z_give_all();
}

CASE(zone_z, nowait_at_480_fails_after_3_passes_2_wakes_0_dumps)
{
	struct node *node = zone_z_begin(480);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_NOWAIT, 1), 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 3);
	EXPECT_EQUAL(wakes, 2);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 0);
	EXPECT_EQUAL(might_sleep_violations(), 0);
	return test_zone_z_give_all();
}

CASE(zone_z, atomic_at_180_fails_the_same_way_with_1_dump)
{
	struct node *node = zone_z_begin(180);
	uint64_t mark = log_mark();

	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, 1), 0);
	machine_leave_irq();
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 3);
	EXPECT_EQUAL(wakes, 2);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, dumps_are_one_in_ten_seconds)
{
	uint64_t mark;

	zone_z_begin(180);
	mark = log_mark();
	pile_drain(&zone_z_pile, GFP_ATOMIC, 1);
	machine_advance(9999999);
	pile_drain(&zone_z_pile, GFP_ATOMIC, 1);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	machine_advance(1);
	pile_drain(&zone_z_pile, GFP_ATOMIC, 1);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 2);
	machine_advance(20000000);
	pile_drain(&zone_z_pile, GFP_ATOMIC | __GFP_NOWARN, 1);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 2);
	return test_zone_z_give_all();
}

CASE(zone_z, kernel_fails_where_it_would_wait_and_says_so_once)
{
	struct node *node = zone_z_begin(480);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_KERNEL | __GFP_NOWARN, 1), 0);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_NOIO | __GFP_NOWARN, 1), 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_would_wait), 2);
	EXPECT_EQUAL(log_count_since(mark, "nothing to reclaim yet"), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, recovers_when_one_page_more_than_the_floor_is_free)
{
	struct node *node = zone_z_begin(480);

	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_NOFS | __GFP_NOWARN, 1), 0);
	pile_give(&zone_z_pile, 1);
	EXPECT_EQUAL(node_free(node), 481);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_NOFS | __GFP_NOWARN, 2), 1);
	return test_zone_z_give_all();
}

/* ---- Contexts ------------------------------------------------------------ */

CASE(zone_z, direct_reclaim_in_an_interrupt_is_refused_with_plenty_of_memory)
{
	static const gfp_t masks[] = { GFP_KERNEL, GFP_NOFS, GFP_NOIO,
		                       GFP_ATOMIC | __GFP_DIRECT_RECLAIM };
	struct node *node = zone_z_begin(61440);
	uint64_t mark = log_mark();

	machine_enter_irq(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		EXPECT(alloc_pages(masks[i], 0) == NULL);
		EXPECT_EQUAL(
			test_zone_z_stat(node, VMSTAT_alloc_must_not_sleep),
			i + 1);
		EXPECT_EQUAL(log_count_since(mark, "cannot sleep here"), i + 1);
	}
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, 1), 1);
	machine_leave_irq();
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_KERNEL, 1), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, direct_reclaim_with_interrupts_off_is_refused)
{
	struct node *node = zone_z_begin(61440);
	bool enabled = arch_irq_save();

	EXPECT(alloc_pages(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(pile_drain(&zone_z_pile, GFP_ATOMIC, 1), 1);
	arch_irq_restore(enabled);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_must_not_sleep), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, in_an_nmi_every_entry_is_refused_counted_and_silent)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 0);
	struct page *array[4] = { NULL };
	uint64_t mark = log_mark();
	bool enabled;

	EXPECT(page != NULL);
	/* The interrupted context may hold the lock. */
	enabled = spin_lock_irqsave(&node->zone[ZONE_DMA32].lock);
	machine_enter_nmi();
	EXPECT(alloc_pages(GFP_ATOMIC, 0) == NULL);
	EXPECT(alloc_page(GFP_ATOMIC | __GFP_MEMALLOC) == NULL);
	EXPECT(__get_free_pages(GFP_ATOMIC, 0) == 0);
	EXPECT(get_zeroed_page(GFP_ATOMIC) == 0);
	EXPECT(alloc_pages_exact(5000, GFP_ATOMIC) == NULL);
	EXPECT(alloc_pages_bulk(GFP_ATOMIC, 4, array) == 0);
	EXPECT(labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL);
	__free_pages(page, 0);
	put_page(page);
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->zone[ZONE_DMA32].lock, enabled);
	EXPECT_EQUAL(log_mark(), mark);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_in_nmi), 9);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(node_free(node), 61439);
	__free_pages(page, 0);
	return test_zone_z_give_all();
}

CASE(zone_z, in_an_nmi_references_and_frees_are_refused_and_silent)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 0);
	uintptr_t address = (uintptr_t)page_address(page);
	uint64_t mark = log_mark();
	bool enabled;

	enabled = spin_lock_irqsave(&node->zone[ZONE_DMA32].lock);
	machine_enter_nmi();
	get_page(page);
	EXPECT(!try_get_page(page));
	EXPECT(pin_page(page) < 0);
	put_page(page);
	__free_page(page);
	free_pages(address, 0);
	free_page(address);
	free_page(address + 8);
	free_pages(direct_map_base - PAGE_SIZE, 3);
	free_pages_node(node, page, 0, RETURN_ADDRESS());
	free_pages_exact((void *)address, 2 * PAGE_SIZE);
	/* Nonsense is not reported here either. */
	get_page(NULL);
	put_page(node->pages - 1);
	EXPECT(alloc_pages_exact(5000, GFP_ATOMIC | __GFP_COMP) == NULL);
	EXPECT(__get_free_pages(GFP_ATOMIC | __GFP_EXCLUSIVE, 0) == 0);
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->zone[ZONE_DMA32].lock, enabled);
	EXPECT_EQUAL(log_mark(), mark);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_in_nmi), 16);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 0);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(node_free(node), 61439);
	__free_pages(page, 0);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_in_an_nmi_is_0_whatever_is_there_already)
{
	struct page *array[4] = { NULL, (void *)1, NULL, (void *)1 };

	zone_z_begin(61440);
	machine_enter_nmi();
	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC, 4, array), 0);
	machine_leave_nmi();
	EXPECT(array[0] == NULL && array[1] == (void *)1);
	return NULL;
}

CASE(zone_z, before_there_is_a_node_nothing_is_done)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 0);
	void *address = page_address(page);
	struct page *array[2] = { NULL };
	uint64_t mark = log_mark();

	set_main_node(NULL);
	EXPECT(alloc_pages(GFP_KERNEL, 0) == NULL);
	EXPECT(alloc_page(GFP_KERNEL) == NULL);
	EXPECT(__get_free_pages(GFP_KERNEL, 0) == 0);
	EXPECT(get_zeroed_page(GFP_KERNEL) == 0);
	EXPECT(alloc_pages_exact(4096, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 2, array), 0);
	EXPECT(page_address(page) == NULL);
	EXPECT(virt_to_page(address) == NULL);
	get_page(page);
	EXPECT(!try_get_page(page));
	EXPECT(pin_page(page) < 0);
	put_page(page);
	__free_page(page);
	__free_pages(page, 3);
	free_page((uintptr_t)address);
	free_page((uintptr_t)address + 8);
	free_pages_exact(address, 4096);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(log_mark(), mark);
	set_main_node(node);
	__free_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

/* ---- Contents ------------------------------------------------------------ */

CASE(zone_z, zero_clears_an_order_3_block_full_of_0xaa)
{
	struct page *page;
	const uint8_t *bytes;

	zone_z_begin(61440);
	page = alloc_pages(GFP_KERNEL, 3);
	EXPECT(page != NULL);
	memset(page_address(page), 0xaa, 8 * PAGE_SIZE);
	__free_pages(page, 3);
	page = alloc_pages(GFP_KERNEL, 3);
	bytes = page_address(page);
	EXPECT_EQUAL(bytes[0], 0xaa);
	__free_pages(page, 3);
	page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 3);
	EXPECT(page_address(page) == (const void *)bytes);
	for (size_t i = 0; i < 32768; i++)
		EXPECT_EQUAL(bytes[i], 0);
	__free_pages(page, 3);
	return NULL;
}

CASE(zone_z, addresses_and_pages_are_each_others_inverse)
{
	uintptr_t address;
	struct page *page;

	zone_z_begin(61440);
	address = __get_free_pages(GFP_KERNEL, 2);
	EXPECT(address != 0);
	page = virt_to_page((void *)address);
	EXPECT(page_address(page) == (void *)address);
	EXPECT(pfn_to_page(page_to_pfn(page)) == page);
	EXPECT_EQUAL(address, direct_map_base + page_to_pfn(page) * PAGE_SIZE);
	memset((void *)address, 0x11, 4 * PAGE_SIZE);
	EXPECT_EQUAL(*(uint8_t *)machine_physical(page_to_pfn(page)), 0x11);
	free_pages(address, 2);
	address = get_zeroed_page(GFP_ATOMIC);
	EXPECT(address != 0 && *(uint8_t *)address == 0);
	free_page(address);
	EXPECT(virt_to_page((void *)(direct_map_base - PAGE_SIZE)) == NULL);
	return NULL;
}

CASE(zone_z, get_free_pages_refuses_exclusive)
{
	struct node *node = zone_z_begin(61440);

	EXPECT(__get_free_pages(GFP_ATOMIC | __GFP_EXCLUSIVE, 0) == 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_refused), 1);
	return NULL;
}

CASE(zone_z, get_free_pages_takes_highmem_away)
{
	uintptr_t address;

	zone_z_begin(61440);
	address =
		__get_free_pages(GFP_KERNEL | __GFP_HIGHMEM | __GFP_MOVABLE, 0);
	EXPECT(address != 0);
	free_page(address);
	return NULL;
}

CASE(zone_z, free_of_a_wrong_address_is_refused)
{
	struct node *node = zone_z_begin(61440);
	uintptr_t address = __get_free_pages(GFP_KERNEL, 0);

	EXPECT(address != 0);
	free_page(address + 8);
	free_page(direct_map_base + 61440 * PAGE_SIZE);
	free_page(direct_map_base - PAGE_SIZE);
	free_page(PAGE_SIZE);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 4);
	free_page(0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 4);
	free_page(address);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

/* ---- What alloc_route() says is what happens ----------------------------- */

/* A random working mask out of number 0..32767, without EXCLUSIVE. */
static gfp_t mask_number(unsigned int number)
{
	static const gfp_t bit[] = {
		__GFP_DMA,
		__GFP_HIGHMEM,
		__GFP_DMA32,
		__GFP_MOVABLE,
		__GFP_RECLAIMABLE,
		__GFP_HIGH,
		__GFP_IO,
		__GFP_FS,
		__GFP_ZERO,
		__GFP_NOWARN,
		__GFP_DIRECT_RECLAIM,
		__GFP_KSWAPD_RECLAIM,
		__GFP_MEMALLOC,
		__GFP_COMP,
		__GFP_NOMEMALLOC,
	};
	gfp_t mask = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(bit); i++) {
		if (number & (1U << i))
			mask |= bit[i];
	}
	return mask;
}

/* Does mm/debug/explain.c say that each zone refuses REQUEST on each rung? */
static bool is_refused_by_all(const struct node *node,
                              const struct alloc_request *request)
{
	char text[EXPLANATION_SIZE];

	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		const struct zone *zone = &node->zone[type];

		if (!alloc_explain(text, sizeof(text), zone, request, WMARK_LOW,
		                   RESERVE_NONE) ||
		    !alloc_explain(text, sizeof(text), zone, request, WMARK_MIN,
		                   request->right) ||
		    !alloc_explain(text, sizeof(text), zone, request, WMARK_MIN,
		                   request->last_right))
			return false;
	}
	return true;
}

static const char *test_zone_z_compare_answer(struct node *node, gfp_t mask,
                                              unsigned int order)
{
	const struct alloc_context context = gfp_context();
	struct alloc_route route;
	const struct zone *said;
	struct page *page;

	alloc_route(node, mask, order, &context, &route);
	said = alloc_route_zone(&route);
	if (route.verdict == GFP_OK &&
	    (said == NULL) != is_refused_by_all(node, &route.request))
		return test_failure("mask %#x order %u: no reason agrees", mask,
		                    order);
	page = alloc_pages_node(node, mask, order);
	if ((page == NULL) != (said == NULL) ||
	    (page != NULL && page_zone(node, page) != said))
		return test_failure(
			"mask %#x order %u: %s was predicted, got %s", mask,
			order, said == NULL ? "nothing" : said->name,
			page == NULL ? "nothing" : page_zone(node, page)->name);
	if (page != NULL)
		free_pages_node(node, page, order, RETURN_ADDRESS());
	return NULL;
}

/* Random marks, reserves and fill level. */
static void shuffle(struct node *node, struct random *random)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		unsigned long lowest = random_below(random, 60);

		machine_set_marks(zone, lowest, lowest + 15, lowest + 30);
		for (unsigned int j = type + 1; j < ZONE_COUNT; j++)
			zone->lowmem_reserve[j] = random_below(random, 40);
	}
	pile_leave(&zone_z_pile, random_below(random, node_managed(node) + 1));
	/* Holes, so that large blocks are rare. */
	for (unsigned int i = 0; zone_z_pile.count > 0 && i < 40; i++) {
		unsigned long at = random_below(random, zone_z_pile.count);
		struct page *page = zone_z_pile.page[at];

		zone_z_pile.page[at] = zone_z_pile.page[--zone_z_pile.count];
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
}

CASE(zone_z, the_route_agrees_with_the_request_for_all_masks)
{
	static const unsigned long pages[ZONE_COUNT] = { 100, 150, 200, 60 };
	struct random random = { test_seed() };
	struct node *node;

	machine_start(510);
	node = machine_zones(0, pages);
	zone_z_pile.node = node;
	zone_z_pile.count = 0;
	for (unsigned int number = 0; number < 32768; number++) {
		unsigned int order = (unsigned int)random_below(&random, 12);
		const char *wrong;

		if (number % 128 == 0)
			shuffle(node, &random);
		if (number % 2 == 0)
			machine_set_memalloc(random_below(&random, 4) == 0);
		wrong = test_zone_z_compare_answer(node, mask_number(number),
		                                   order > 6 ? 0 : order);
		if (wrong != NULL)
			return wrong;
	}
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

/* ---- Order 10, and every order ------------------------------------------- */

CASE(zone_z, one_block_of_order_10_splits_into_one_of_each_order)
{
	struct node *node;
	struct zone *zone;
	struct page *page;

	machine_start(1024);
	node = machine_one_zone(ZONE_NORMAL, 1024);
	zone = &node->zone[ZONE_NORMAL];
	page = alloc_pages_node(node, GFP_KERNEL, 0);
	EXPECT(page != NULL && node_pfn(node, page) == 0);
	for (unsigned int order = 0; order < 10; order++) {
		EXPECT_EQUAL(zone->free_area[order].count, 1);
		EXPECT_EQUAL(zone_page(zone, 1UL << order)->state, PAGE_FREE);
		EXPECT_EQUAL(zone_page(zone, 1UL << order)->order, order);
	}
	EXPECT_EQUAL(zone->free_pages, 1023);
	free_pages_node(node, page, 0, RETURN_ADDRESS());
	EXPECT_EQUAL(zone->free_area[10].count, 1);
	return NULL;
}

CASE(zone_z, every_order_drains_to_its_floor)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		static struct page *block[PILE_PAGES];
		struct node *node = zone_z_begin(61440);
		unsigned long count = 0;
		unsigned long size = 1UL << order;

		while ((block[count] = alloc_pages(GFP_KERNEL, order)) != NULL)
			count++;
		/* The last one left more than 480 after its first page. */
		EXPECT_EQUAL(count, (61440 - 480) / size);
		while (count > 0)
			__free_pages(block[--count], order);
		EXPECT_EQUAL(node_free(node), 61440);
		EXPECT_EQUAL(node->zone[ZONE_DMA32].free_area[10].count, 60);
	}
	return NULL;
}
