/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive_refill.c -- the refiller, its marks and its tables, and
 * pages that it must not park.
 */
#include "kernel/core/lock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "tests/host/pile.h"
#include "tests/host/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive);

/* ---- The refiller -------------------------------------------------------- */

/* The page that the buddy would give next as a single one. */
static struct page *next_single(void)
{
	static const enum migratetype types[] = { MIGRATE_UNMOVABLE,
		                                  MIGRATE_MOVABLE };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (unsigned int order = 0; order <= MAX_ORDER; order++) {
			struct page *page = buddy_first(zone, order, types[i]);

			if (page != NULL)
				return page;
		}
	}
	return NULL;
}

/* The lowest free page of a region that is split. */
static struct page *next_split(void)
{
	struct page *page = node->pages;

	while (!direct_map_is_split(node_pfn(node, page)) ||
	       page_head(node, page)->state != PAGE_FREE)
		page++;
	return page;
}

/* Somebody who does not own the free page writes to it. */
static void test_exclusive_spoil(struct page *page, unsigned int field)
{
	if (field == 0)
		page->refcount = 77;
	else if (field == 1)
		page->flags = PAGE_COMPOUND;
	else if (field == 2)
		page->owner = &keyboard;
	else
		page->receiver = &keyboard;
}

/* The spoilt page was reported and leaked, once. */
static const char *expect_leaked(const struct page *page, uint64_t mark)
{
	EXPECT_EQUAL(page->state, PAGE_BAD);
	EXPECT_EQUAL(zone->bad_pages, 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_bad_page), 1);
	EXPECT_EQUAL(log_count_since(mark, "Bad page state"), 1);
	return test_exclusive_check();
}

/* ---- A mapping besides the direct map ------------------------------------ */

CASE(exclusive, a_page_freed_behind_a_mapping_is_leaked_and_not_exclusive)
{
	uint64_t mark = log_mark();
	struct page *page;
	char *mapped;

	test_exclusive_start(1);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	EXPECT_EQUAL(page_add_mapping(page), 0);
	EXPECT_EQUAL(page_mapcount(page), 1);
	EXPECT_EQUAL(page_ref_count(page), 2);
	mapped = machine_map(node_pfn(node, page));
	EXPECT(test_exclusive_check() == NULL);
	__free_page(page);
	EXPECT_EQUAL(page_mapcount(page), 1);

	/* One too many. */
	put_page(page);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	EXPECT_EQUAL(zone->bad_pages, 1);
	EXPECT_EQUAL(log_count_since(mark, "Bad page state"), 1);
	EXPECT_EQUAL(log_count_since(mark, "mapcount:1"), 1);
	EXPECT(test_exclusive_check() == NULL);

	/* All memory there is becomes exclusive, and this frame does not. */
	EXPECT(exclusive_refill(node, PAGES) > 8);
	for (void *address = test_exclusive_take(); address != NULL;
	     address = test_exclusive_take()) {
		EXPECT(frame_of(address) != node_pfn(node, page));
		memset(address, 0x5a, PAGE_SIZE);
	}
	EXPECT(mapped[0] != 0x5a && mapped[PAGE_SIZE - 1] != 0x5a);
	EXPECT(test_exclusive_check() == NULL);
	machine_unmap(mapped);
	page_remove_mapping(page);
	EXPECT_EQUAL(page_mapcount(page), 0);
	/* Only the last take was, whose window is full: no call about the mapping. */
	EXPECT_EQUAL(log_count_since(mark, "refused"), 1);
	EXPECT_EQUAL(log_count_since(mark, "refused: 1524 exclusive pages are "
	                                   "parked, but none within reach"),
	             1);
	return test_exclusive_check();
}

CASE(exclusive, a_block_with_one_page_mapped_is_not_freed_in_parts)
{
	struct page *block;

	test_exclusive_start(1);
	block = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	EXPECT(block != NULL);
	EXPECT_EQUAL(page_add_mapping(block + 3), 0);
	EXPECT_EQUAL(page_ref_count(block), 2);
	__free_pages(block, 2);
	put_page(block);
	EXPECT_EQUAL(zone->bad_pages, 4);
	EXPECT(test_exclusive_check() == NULL);
	page_remove_mapping(block + 3);
	return test_exclusive_check();
}

CASE(exclusive, a_mapping_that_is_taken_back_leaves_nothing)
{
	unsigned long free;
	struct page *page;

	test_exclusive_start(1);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	free = zone->free_pages;
	for (unsigned int i = 1; i <= 255; i++) {
		EXPECT_EQUAL(page_add_mapping(page), 0);
		EXPECT_EQUAL(page_mapcount(page), i);
	}
	EXPECT_EQUAL(page_add_mapping(page), -EOVERFLOW);
	EXPECT_EQUAL(page_ref_count(page), 256);
	__free_page(page);
	for (unsigned int i = 0; i < 255; i++)
		page_remove_mapping(page);
	EXPECT_EQUAL(zone->free_pages, free + 1);
	EXPECT_EQUAL(page_add_mapping(page), -EINVAL);
	return test_exclusive_check();
}

/* The purpose of the check: a mapping that is not counted. */
CASE(exclusive, the_check_looks_at_every_mapping)
{
	void *address;
	struct page *page;
	char said[200];
	void *mapped;

	/* One frame is owned, three are on the stack, two on the list. */
	test_exclusive_start(6);
	page = alloc_page(GFP_KERNEL);
	address = test_exclusive_take();
	EXPECT(page != NULL && address != NULL);
	const unsigned long pfn[] = {
		frame_of(address),
		node_pfn(node, page),
		node_pfn(node,
		         list_first(&node->pool.parked, struct page, link)),
		node_pfn(node, node->pool.stack[0].frame[0]),
		node_pfn(node, next_single()),
	};

	for (size_t i = 0; i < ARRAY_SIZE(pfn); i++) {
		mapped = machine_map(pfn[i]);
		EXPECT(exclusive_check(node, false, said, sizeof(said)) ==
		       said);
		EXPECT(strncmp(said, "exclusive: invariant X6 broken", 30) ==
		       0);
		machine_unmap(mapped);
		EXPECT(test_exclusive_check() == NULL);
	}
	EXPECT_EQUAL(exclusive_release(address), 0);
	__free_page(page);
	return test_exclusive_check();
}

CASE(exclusive, the_refiller_leaks_a_corrupt_page_and_takes_the_next)
{
	for (unsigned int way = 0; way < 8; way++) {
		unsigned long first = way < 4 ? 0 : 1;
		uint64_t mark = log_mark();
		const char *wrong;
		struct page *page;

		/* From a region that is split first, or already. */
		test_exclusive_start(first);
		page = first == 0 ? next_single() : next_split();
		test_exclusive_spoil(page, way % 4);
		EXPECT_EQUAL(exclusive_refill(node, 8), 8 - first);
		wrong = expect_leaked(page, mark);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(exclusive, a_window_table_is_never_a_corrupt_page)
{
	for (unsigned int field = 0; field < 4; field++) {
		uint64_t mark = log_mark();
		struct thread thread;
		const char *wrong;
		struct page *page;

		test_exclusive_start(8);
		page = next_single();
		test_exclusive_spoil(page, field);
		machine_begin_thread(&thread, "next");
		EXPECT(virt_to_page(thread.owner.window.table) != page);
		machine_end_thread(&thread);
		wrong = expect_leaked(page, mark);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(exclusive, a_corrupt_page_that_was_the_last_parks_nothing)
{
	struct page *page;
	uint64_t mark = log_mark();

	test_exclusive_start(0);
	machine_set_marks(zone, 0, 0, 0);
	pile_leave(&pile, 1);
	page = next_single();
	test_exclusive_spoil(page, 0);
	EXPECT_EQUAL(exclusive_refill(node, 8), 0);
	pile_give(&pile, PILE_PAGES);
	return expect_leaked(page, mark);
}

CASE(exclusive, marks_of_the_pool_are_a_formula_of_managed_pages)
{
	EXPECT_EQUAL(exclusive_pool_high(0), 8);
	EXPECT_EQUAL(exclusive_pool_high(1024), 8);
	EXPECT_EQUAL(exclusive_pool_high(4096), 8);
	EXPECT_EQUAL(exclusive_pool_high(5120), 10);
	EXPECT_EQUAL(exclusive_pool_high(61440), 120);
	EXPECT_EQUAL(exclusive_pool_high(131072), 256);
	EXPECT_EQUAL(exclusive_pool_high(5242880), 256);
	EXPECT_EQUAL(exclusive_region_tables(1), 1);
	EXPECT_EQUAL(exclusive_region_tables(512), 1);
	EXPECT_EQUAL(exclusive_region_tables(513), 2);
	EXPECT_EQUAL(exclusive_region_tables(5242880), 512);
	test_exclusive_start(0);
	EXPECT_EQUAL(node->pool.high, 8);
	EXPECT_EQUAL(node->pool.low, 4);
	return NULL;
}

CASE(exclusive, refill_takes_exactly_free_less_floor)
{
	static const unsigned long levels[] = { 0,  1,  5,  6,   7,   8,  16,
		                                17, 24, 25, 100, 511, 900 };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		unsigned long free = levels[i];
		unsigned long expected = free > FLOOR ? free - FLOOR : 0;

		test_exclusive_start(3);
		pile_leave(&pile, free);
		EXPECT_EQUAL(exclusive_refill(node, PAGES), expected);
		EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 3 + expected);
		EXPECT_EQUAL(node_free(node), free - expected);
		EXPECT(test_exclusive_check() == NULL);
		pile_give(&pile, PILE_PAGES);
	}
	return NULL;
}

CASE(exclusive, refill_leaves_the_lowmem_reserve_of_lower_zones)
{
	static const unsigned long pages[ZONE_COUNT] = { 512, 512, 512, 0 };
	struct zone *each;

	machine_start(1536);
	node = machine_zones(0, pages);
	each = node->zone;
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++)
		machine_set_marks(&each[type], 16, 20, 24);
	machine_start_exclusive(node, 3);
	each[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] = 50;
	each[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL] = 30;
	exclusive_refill(node, 1536);
	EXPECT_EQUAL(each[ZONE_NORMAL].free_pages, FLOOR);
	EXPECT_EQUAL(each[ZONE_DMA32].free_pages, FLOOR + 30);
	EXPECT_EQUAL(each[ZONE_DMA].free_pages, FLOOR + 50);
	return test_exclusive_check();
}

CASE(exclusive, over_refills_an_interrupt_gets_parked_plus_free_less_floor)
{
	unsigned long got = 0;
	unsigned long refills = 0;

	test_exclusive_start(8);
	pile_leave(&pile, 200);
	do {
		machine_enter_irq(&keyboard);
		got += test_exclusive_take_all();
		machine_leave_irq();
		exclusive_balance(node);
		refills++;
	} while (exclusive_pool_parked(&node->pool) > 0);
	EXPECT_EQUAL(got, 8 + 200 - FLOOR);
	EXPECT_EQUAL(refills, 1 + (200 - FLOOR + 7) / 8);
	EXPECT_EQUAL(node_free(node), FLOOR);
	pile_give(&pile, PILE_PAGES);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	return test_exclusive_check();
}

CASE(exclusive, plain_atomic_gets_free_less_floor_beside_the_pool)
{
	test_exclusive_start(8);
	pile_leave(&pile, 200);
	machine_enter_irq(&keyboard);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 200 - FLOOR);
	EXPECT_EQUAL(test_exclusive_take_all(), 8);
	machine_leave_irq();
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 0);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, memory_that_comes_back_wakes_a_starved_refiller)
{
	test_exclusive_start(0);
	pile_leave(&pile, FLOOR);
	exclusive_balance(node);
	wakes = 0;
	pile_give(&pile, 1);
	EXPECT_EQUAL(wakes, 1);
	pile_give(&pile, 1);
	EXPECT_EQUAL(wakes, 1);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 2);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_an_owner_wakes_a_starved_refiller)
{
	test_exclusive_start(0);
	pile_leave(&pile, FLOOR);
	exclusive_balance(node);
	wakes = 0;
	/* Its window's table is all that it gives back. */
	machine_end_thread(&other);
	EXPECT_EQUAL(wakes, 1);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 1);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, without_tables_nothing_can_be_parked)
{
	start_with(0);
	EXPECT_EQUAL(exclusive_refill(node, 8), 0);
	EXPECT(test_exclusive_take() == NULL);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 0);
	return test_exclusive_check();
}

CASE(exclusive, splits_are_bounded_by_the_tables_and_counted)
{
	unsigned long parked;

	start_with(1);
	parked = exclusive_refill(node, PAGES);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 1);
	EXPECT_EQUAL(node->pool.tables_left, 0);
	/* One region of 512; five tables of windows lie somewhere. */
	EXPECT(parked <= REGION_FRAMES && parked >= REGION_FRAMES - 5);
	EXPECT_EQUAL(exclusive_refill(node, PAGES), 0);
	return test_exclusive_check();
}

CASE(exclusive, a_region_split_at_boot_needs_no_table)
{
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	machine_split_at_boot(600);
	machine_start_exclusive(node, 0);
	EXPECT_EQUAL(exclusive_refill(node, PAGES), REGION_FRAMES);
	for (unsigned long pfn = 512; pfn < 1024; pfn++)
		EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_PARKED);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 0);
	return test_exclusive_check();
}

CASE(exclusive, refill_prefers_regions_that_are_split)
{
	test_exclusive_start(8);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 1);
	exclusive_refill(node, 400);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 1);
	exclusive_refill(node, 1000);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 2);
	return test_exclusive_check();
}

CASE(exclusive, shrink_gives_frames_back_visible_and_joins_regions)
{
	struct page *page;
	unsigned long free;

	start_with(4);
	free = node_free(node);
	EXPECT_EQUAL(exclusive_refill(node, 1500), 1500);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_splits), 3);
	EXPECT_EQUAL(exclusive_shrink(node, 100), 1400);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 100);
	EXPECT(test_exclusive_check() == NULL);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 100);
	EXPECT_EQUAL(node_free(node), free);
	/* The newest split region stays. */
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_direct_map_level2_joins), 2);
	EXPECT_EQUAL(node->pool.tables_left, 3);
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	EXPECT(page != NULL && all_bytes_are(page_address(page), 0));
	__free_page(page);
	return test_exclusive_check();
}

CASE(exclusive, a_frame_released_and_given_back_serves_kernel_zero)
{
	struct page *page;
	uint8_t *mine;
	unsigned long pfn;
	unsigned long count = 0;

	test_exclusive_start(8);
	mine = test_exclusive_take();
	pfn = frame_of(mine);
	memset(mine, 0xbb, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_release(mine), 0);
	exclusive_shrink(node, 0);
	pile.count = 0;
	do {
		page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		EXPECT(page != NULL);
		pile.page[pile.count++] = page;
		count++;
	} while (page_to_pfn(page) != pfn && count < PAGES);
	EXPECT_EQUAL(page_to_pfn(page), pfn);
	EXPECT(all_bytes_are(page_address(page), 0));
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, a_second_refill_meanwhile_does_nothing)
{
	test_exclusive_start(0);
	node->pool.busy = true;
	EXPECT_EQUAL(exclusive_refill(node, 8), 0);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 0);
	node->pool.busy = false;
	EXPECT_EQUAL(exclusive_refill(node, 8), 8);
	return test_exclusive_check();
}

CASE(exclusive, an_nmi_in_the_middle_of_a_take_changes_nothing)
{
	bool enabled;
	void *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	enabled = spin_lock_irqsave(&node->pool.lock);
	machine_enter_nmi();
	EXPECT(test_exclusive_take() == NULL);
	EXPECT(machine_faults(page, false, NULL));
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	EXPECT(!machine_faults(page, true, NULL));
	return test_exclusive_check();
}
