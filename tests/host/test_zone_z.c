/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_zone_z.c -- the front door on zone Z: one zone with 61440
 * managed pages, the DMA32 of a 256 MB machine, and the marks 480/600/720.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_bits.h"
#include "mm/task.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(zone_z);

static struct pile pile;
static unsigned long wakes;

static void test_zone_z_count_wake(struct node *node, unsigned int order,
                                   enum zone_type highest)
{
	(void)node;
	(void)order;
	(void)highest;
	wakes++;
}

/* Zone Z with FREE pages free, and a hook on the wake-ups of kswapd. */
static struct node *node_z(unsigned long free)
{
	struct node *node;

	machine_start(61440);
	node = machine_one_zone(ZONE_DMA32, 61440);
	machine_set_marks(&node->zone[ZONE_DMA32], 480, 600, 720);
	set_main_node(node);
	pile.node = node;
	pile.count = 0;
	pile_leave(&pile, free);
	node->wake_kswapd = test_zone_z_count_wake;
	wakes = 0;
	return node;
}

static unsigned long test_zone_z_stat(const struct node *node,
                                      enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

static const char *test_zone_z_give_all(void)
{
	pile_give(&pile, PILE_PAGES);
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

		node_z(720);
		got = pile_drain(&pile, drain[i].mask, PILE_PAGES);
		if (got != drain[i].count)
			return test_failure("mask %#x: %lu pages, expected %lu",
			                    drain[i].mask, got, drain[i].count);
		EXPECT(alloc_pages_node(pile.node, drain[i].mask, 0) == NULL);
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
	node_z(720);
	machine_set_memalloc(true);
	EXPECT_EQUAL(
		pile_drain(&pile, GFP_KERNEL | __GFP_NOMEMALLOC, PILE_PAGES),
		240);
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, PILE_PAGES), 480);
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, hard_irq_over_a_pf_memalloc_thread_leaves_180)
{
	struct node *node = node_z(720);

	machine_set_memalloc(true);
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 540);
	machine_leave_irq();
	EXPECT_EQUAL(node_free(node), 180);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 180);
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, soft_work_over_a_pf_memalloc_thread_has_its_right)
{
	node_z(720);
	machine_set_memalloc(true);
	machine_enter_softirq();
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 720);
	EXPECT(alloc_pages(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(test_zone_z_stat(pile.node, VMSTAT_alloc_must_not_sleep),
	             1);
	machine_leave_softirq();
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, hard_irq_over_soft_work_has_not)
{
	node_z(720);
	machine_set_memalloc(true);
	machine_enter_softirq();
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 540);
	machine_leave_irq();
	machine_leave_softirq();
	machine_set_memalloc(false);
	return test_zone_z_give_all();
}

CASE(zone_z, an_interrupt_gets_what_a_thread_gets)
{
	node_z(720);
	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, PILE_PAGES), 240);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, PILE_PAGES), 300);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC | __GFP_MEMALLOC, PILE_PAGES),
	             180);
	machine_leave_irq();
	return test_zone_z_give_all();
}

/* ---- The path ------------------------------------------------------------ */

CASE(zone_z, kernel_at_601_is_fast_and_at_600_wakes_once)
{
	struct node *node = node_z(601);

	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(wakes, 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 1);
	EXPECT_EQUAL(node_free(node), 600);
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(wakes, 1);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 3);
	return test_zone_z_give_all();
}

CASE(zone_z, nowait_at_480_fails_after_3_passes_2_wakes_0_dumps)
{
	struct node *node = node_z(480);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, 1), 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 3);
	EXPECT_EQUAL(wakes, 2);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 0);
	EXPECT_EQUAL(might_sleep_violations(), 0);
	return test_zone_z_give_all();
}

CASE(zone_z, atomic_at_180_fails_the_same_way_with_1_dump)
{
	struct node *node = node_z(180);
	uint64_t mark = log_mark();

	machine_enter_irq(NULL);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, 1), 0);
	machine_leave_irq();
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_freelist_pass), 3);
	EXPECT_EQUAL(wakes, 2);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, dumps_are_one_in_ten_seconds)
{
	uint64_t mark;

	node_z(180);
	mark = log_mark();
	pile_drain(&pile, GFP_ATOMIC, 1);
	machine_advance(9999999);
	pile_drain(&pile, GFP_ATOMIC, 1);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	machine_advance(1);
	pile_drain(&pile, GFP_ATOMIC, 1);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 2);
	machine_advance(20000000);
	pile_drain(&pile, GFP_ATOMIC | __GFP_NOWARN, 1);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 2);
	return test_zone_z_give_all();
}

CASE(zone_z, kernel_fails_where_it_would_wait_and_says_so_once)
{
	struct node *node = node_z(480);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL | __GFP_NOWARN, 1), 0);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOIO | __GFP_NOWARN, 1), 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_would_wait), 2);
	EXPECT_EQUAL(log_count_since(mark, "nothing to reclaim yet"), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, recovers_when_one_page_more_than_the_floor_is_free)
{
	struct node *node = node_z(480);

	EXPECT_EQUAL(pile_drain(&pile, GFP_NOFS | __GFP_NOWARN, 1), 0);
	pile_give(&pile, 1);
	EXPECT_EQUAL(node_free(node), 481);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOFS | __GFP_NOWARN, 2), 1);
	return test_zone_z_give_all();
}

/* ---- Contexts ------------------------------------------------------------ */

CASE(zone_z, direct_reclaim_in_an_interrupt_is_refused_with_plenty_of_memory)
{
	static const gfp_t masks[] = { GFP_KERNEL, GFP_NOFS, GFP_NOIO,
		                       GFP_ATOMIC | __GFP_DIRECT_RECLAIM };
	struct node *node = node_z(61440);
	uint64_t mark = log_mark();

	machine_enter_irq(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		EXPECT(alloc_pages(masks[i], 0) == NULL);
		EXPECT_EQUAL(
			test_zone_z_stat(node, VMSTAT_alloc_must_not_sleep),
			i + 1);
		EXPECT_EQUAL(log_count_since(mark, "cannot sleep here"), i + 1);
	}
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, 1), 1);
	machine_leave_irq();
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, direct_reclaim_with_interrupts_off_is_refused)
{
	struct node *node = node_z(61440);
	bool enabled = arch_irq_save();

	EXPECT(alloc_pages(GFP_KERNEL, 0) == NULL);
	EXPECT_EQUAL(pile_drain(&pile, GFP_ATOMIC, 1), 1);
	arch_irq_restore(enabled);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_must_not_sleep), 1);
	return test_zone_z_give_all();
}

CASE(zone_z, in_an_nmi_every_entry_is_refused_counted_and_silent)
{
	struct node *node = node_z(61440);
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
	struct node *node = node_z(61440);
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

	node_z(61440);
	machine_enter_nmi();
	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC, 4, array), 0);
	machine_leave_nmi();
	EXPECT(array[0] == NULL && array[1] == (void *)1);
	return NULL;
}

CASE(zone_z, before_there_is_a_node_nothing_is_done)
{
	struct node *node = node_z(61440);
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

	node_z(61440);
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

	node_z(61440);
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
	struct node *node = node_z(61440);

	EXPECT(__get_free_pages(GFP_ATOMIC | __GFP_EXCLUSIVE, 0) == 0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_refused), 1);
	return NULL;
}

CASE(zone_z, get_free_pages_takes_highmem_away)
{
	uintptr_t address;

	node_z(61440);
	address =
		__get_free_pages(GFP_KERNEL | __GFP_HIGHMEM | __GFP_MOVABLE, 0);
	EXPECT(address != 0);
	free_page(address);
	return NULL;
}

CASE(zone_z, free_of_a_wrong_address_is_refused)
{
	struct node *node = node_z(61440);
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

/* ---- Exact --------------------------------------------------------------- */

CASE(zone_z, exact_gives_the_pages_asked_for_and_no_more)
{
	struct node *node = node_z(61440);
	static const size_t sizes[] = { 1,     4096,  4097,    12288,  20480,
		                        20481, 65536, 1000000, 4194304 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t pages = (sizes[i] + PAGE_SIZE - 1) / PAGE_SIZE;
		char *at = alloc_pages_exact(sizes[i], GFP_KERNEL);

		EXPECT(at != NULL);
		EXPECT_EQUAL(node_free(node), 61440 - pages);
		for (size_t page = 0; page < pages; page++)
			EXPECT_EQUAL(page_ref_count(virt_to_page(
					     at + page * PAGE_SIZE)),
			             1);
		free_pages_exact(at, sizes[i]);
		EXPECT_EQUAL(node_free(node), 61440);
	}
	EXPECT(alloc_pages_exact(0, GFP_KERNEL) == NULL);
	EXPECT(alloc_pages_exact(4194305, GFP_KERNEL) == NULL);
	return NULL;
}

CASE(zone_z, exact_strips_comp_and_says_so)
{
	uint64_t mark;
	char *at;

	node_z(61440);
	mark = log_mark();
	at = alloc_pages_exact(12288, GFP_KERNEL | __GFP_COMP);
	EXPECT(at != NULL);
	EXPECT(log_contains_since(mark, "__GFP_COMP"));
	EXPECT_EQUAL(virt_to_page(at)->flags & PAGE_COMPOUND, 0);
	free_pages_exact(at, 12288);
	return NULL;
}

CASE(zone_z, each_page_of_exact_remembers_who_took_it_and_how)
{
	char *at;

	node_z(61440);
	machine_main()->owner.id = 7 | 1ULL << 40;
	at = alloc_pages_exact(7 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	EXPECT(at != NULL);
	for (unsigned int i = 0; i < 7; i++) {
		const struct page *page = virt_to_page(at + i * PAGE_SIZE);

		EXPECT_EQUAL(page->order, 0);
		EXPECT_EQUAL(page->gfp, GFP_KERNEL | __GFP_ZERO);
		EXPECT_EQUAL(page->taker, 7 | 1ULL << 40);
		EXPECT_EQUAL(page->caller, virt_to_page(at)->caller);
	}
	free_pages_exact(at, 7 * PAGE_SIZE);
	return NULL;
}

/* ---- Bulk ---------------------------------------------------------------- */

static void give_array(struct page **array, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		if (array[i] != NULL)
			__free_page(array[i]);
		array[i] = NULL;
	}
}

CASE(zone_z, bulk_of_64_is_all_above_low_plus_64_else_one_and_none_at_min)
{
	struct page *array[64] = { NULL };

	node_z(665);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 64);
	give_array(array, 64);
	pile_leave(&pile, 664);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1);
	give_array(array, 64);
	pile_leave(&pile, 481);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1);
	give_array(array, 64);
	pile_leave(&pile, 480);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 0);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_fills_only_empty_entries)
{
	struct page *array[8] = { NULL };
	struct page *mine;

	node_z(61440);
	mine = alloc_page(GFP_KERNEL);
	memset(page_address(mine), 0x77, PAGE_SIZE);
	array[3] = mine;
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, 8, array), 8);
	EXPECT(array[3] == mine);
	EXPECT_EQUAL(*(uint8_t *)page_address(mine), 0x77);
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT(array[i] != NULL);
		EXPECT_EQUAL(page_ref_count(array[i]), 1);
	}
	give_array(array, 8);
	return NULL;
}

CASE(zone_z, bulk_zeroes_new_pages_and_never_those_from_before)
{
	struct page *array[8] = { NULL };

	node_z(61440);
	/* One call site, so that the pages' callers do not differ. */
	for (unsigned int round = 0; round < 2; round++) {
		EXPECT_EQUAL(
			alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, 8, array), 8);
		for (unsigned int i = 0; i < 8; i++) {
			uint8_t *byte = page_address(array[i]);

			EXPECT_EQUAL(*byte, round == 1 && i < 4 ? 0x33 : 0);
			memset(byte, 0x33, PAGE_SIZE);
		}
		if (round == 0)
			give_array(array + 4, 4);
	}
	give_array(array, 8);
	return NULL;
}

CASE(zone_z, bulk_needs_low_plus_all_entries_whatever_the_right)
{
	static const gfp_t masks[] = { GFP_NOWAIT, GFP_ATOMIC,
		                       GFP_ATOMIC | __GFP_MEMALLOC,
		                       GFP_KERNEL | __GFP_HIGH };
	struct page *array[64] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		node_z(664);
		EXPECT_EQUAL(alloc_pages_bulk(masks[i], 64, array), 1);
		give_array(array, 64);
		pile_leave(&pile, 665);
		EXPECT_EQUAL(alloc_pages_bulk(masks[i], 64, array), 64);
		give_array(array, 64);
		test_zone_z_give_all();
	}
	return NULL;
}

CASE(zone_z, bulk_counts_the_filled_entries_of_the_array_as_well)
{
	struct page *array[64];

	node_z(664);
	for (unsigned int i = 0; i < 64; i++)
		array[i] = i < 60 ? (void *)1 : NULL;
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 61);
	__free_page(array[60]);
	array[60] = NULL;
	pile_leave(&pile, 665);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 64);
	EXPECT(array[59] == (void *)1);
	give_array(array + 60, 4);
	return test_zone_z_give_all();
}

/* "-" is an empty entry, "X" one that is full already. */
struct bulk_row {
	unsigned long free;
	gfp_t mask;
	const char *entries;
	unsigned long returned;
	const char *after;
};

/* The value in a full entry: never read. */
#define BULK_OTHERS ((void *)1)

static const char *expect_bulk(const struct bulk_row *row)
{
	unsigned long entries = strlen(row->entries);
	struct page *array[16];
	unsigned long returned;

	node_z(row->free);
	for (unsigned long i = 0; i < entries; i++)
		array[i] = row->entries[i] == 'X' ? BULK_OTHERS : NULL;
	returned = alloc_pages_bulk(row->mask, entries, array);
	for (unsigned long i = 0; i < entries; i++) {
		if ((array[i] != NULL) != (row->after[i] == 'X') ||
		    (row->entries[i] == 'X' && array[i] != BULK_OTHERS))
			return test_failure("%lu free, %s: entry %lu is %p",
			                    row->free, row->entries, i,
			                    (void *)array[i]);
		if (row->entries[i] != 'X' && array[i] != NULL)
			__free_page(array[i]);
	}
	if (returned != row->returned)
		return test_failure("%lu free, %s: returned %lu", row->free,
		                    row->entries, returned);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_returns_a_number_below_which_all_entries_are_full)
{
	static const struct bulk_row rows[] = {
		/* low is 600; more than 600 + entries, and all are filled */
		{ 605, GFP_KERNEL, "--XX", 4, "XXXX" },
		{ 605, GFP_KERNEL, "X--X", 4, "XXXX" },
		{ 613, GFP_KERNEL, "-X--X-X---X-", 12, "XXXXXXXXXXXX" },
		/* not so many: one, in the first empty entry */
		{ 604, GFP_KERNEL, "----", 1, "X---" },
		{ 602, GFP_KERNEL, "--XX", 1, "X-XX" },
		{ 602, GFP_KERNEL, "-X-X", 1, "XX-X" },
		{ 602, GFP_NOWAIT, "XX--", 3, "XXX-" },
		{ 602, GFP_ATOMIC, "X-X-", 2, "XXX-" },
		/* nothing for NOWAIT at min, but ATOMIC has a right */
		{ 480, GFP_NOWAIT, "--X-", 0, "--X-" },
		{ 480, GFP_NOWAIT, "XX-X", 2, "XX-X" },
		{ 480, GFP_ATOMIC, "--X-", 1, "X-X-" },
		/* the only empty one needs no more than an ordinary request */
		{ 481, GFP_NOWAIT, "XX-X", 3, "XXXX" },
		{ 481, GFP_NOWAIT, "-", 1, "X" },
		{ 480, GFP_NOWAIT, "-", 0, "-" },
		/* nothing is to be done */
		{ 480, GFP_NOWAIT, "XXXX", 4, "XXXX" },
		{ 480, GFP_NOWAIT, "", 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *wrong = expect_bulk(&rows[i]);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(zone_z, a_refused_bulk_counts_the_full_entries_at_the_front)
{
	struct page *array[4] = { BULK_OTHERS, BULK_OTHERS, NULL, BULK_OTHERS };

	node_z(61440);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL | __GFP_COMP, 4, array), 2);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL | __GFP_DMA | __GFP_DMA32, 4,
	                              array),
	             2);
	EXPECT(array[2] == NULL);
	return NULL;
}

/* NORMAL over DMA32, which has plenty. */
static struct node *node_of_two_zones(unsigned long normal_free)
{
	const unsigned long pages[ZONE_COUNT] = {
		[ZONE_DMA32] = 61440,
		[ZONE_NORMAL] = 4096,
	};
	struct node *node;

	machine_start(pages[ZONE_DMA32] + pages[ZONE_NORMAL]);
	node = machine_zones(0, pages);
	machine_set_marks(&node->zone[ZONE_DMA32], 480, 600, 720);
	set_main_node(node);
	pile.node = node;
	pile.count = 0;
	/* No marks yet: NORMAL serves until it has what is wanted. */
	pile_drain(&pile, GFP_KERNEL, pages[ZONE_NORMAL] - normal_free);
	pile_leave(&pile, pages[ZONE_DMA32] + normal_free);
	machine_set_marks(&node->zone[ZONE_NORMAL], 48, 60, 72);
	return node;
}

CASE(zone_z, bulk_of_one_page_takes_it_from_the_zone_of_an_ordinary_request)
{
	struct page *last[4] = { BULK_OTHERS, BULK_OTHERS, BULK_OTHERS, NULL };
	struct page *first[4] = { NULL, BULK_OTHERS, BULK_OTHERS, BULK_OTHERS };
	struct node *node = node_of_two_zones(61);

	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 61);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 1, first), 1);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 60);
	give_array(first, 1);
	/* The full entries in front are no part of the request ... */
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 4, last), 4);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 60);
	give_array(last + 3, 1);
	/* ... those after the first empty one are. */
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 4, first), 4);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 61);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].free_pages, 61440 - 1);
	give_array(first, 1);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_asks_for_an_injected_failure_as_often_as_linux)
{
	static const struct {
		unsigned long free, entries;
		unsigned int nth; /* the question that returns "fail" */
		unsigned long returned;
	} rows[] = {
		/* one page: the ordinary request asks */
		{ 720, 1, 1, 0 },
		{ 720, 1, 2, 1 },
		/* several: once for all of them */
		{ 720, 8, 1, 0 },
		{ 720, 8, 2, 8 },
		/* too few: then the ordinary request asks again */
		{ 602, 8, 1, 0 },
		{ 602, 8, 2, 0 },
		{ 602, 8, 3, 1 },
	};
	struct page *array[8] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		node_z(rows[i].free);
		fail_nth_set(machine_main(), rows[i].nth, false);
		EXPECT_EQUAL(
			alloc_pages_bulk(GFP_NOWAIT, rows[i].entries, array),
			rows[i].returned);
		fail_nth_set(machine_main(), 0, false);
		give_array(array, 8);
		test_zone_z_give_all();
	}
	return NULL;
}

CASE(zone_z, bulk_never_looks_into_a_filled_entry)
{
	struct page *array[8] = { NULL };

	/* With pages for all, and with one by the normal way. */
	node_z(720);
	for (unsigned int round = 0; round < 2; round++) {
		array[3] = (void *)1;
		EXPECT_EQUAL(
			alloc_pages_bulk(GFP_ATOMIC | __GFP_ZERO, 8, array),
			round == 0 ? 8 : 1);
		EXPECT(array[3] == (void *)1);
		EXPECT_EQUAL(*(uint8_t *)page_address(array[0]), 0);
		array[3] = NULL;
		give_array(array, 8);
		pile_leave(&pile, 600);
	}
	for (unsigned int i = 0; i < 8; i++)
		array[i] = (void *)1;
	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC | __GFP_ZERO, 8, array), 8);
	EXPECT_EQUAL(test_zone_z_stat(pile.node, VMSTAT_freelist_pass), 0);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_refuses_comp_and_exclusive)
{
	struct node *node = node_z(61440);
	struct page *array[4] = { NULL };

	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC | __GFP_COMP, 4, array), 0);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC | __GFP_EXCLUSIVE, 4, array),
	             0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_refused), 2);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

/* ---- References ---------------------------------------------------------- */

CASE(zone_z, get_and_put_count_and_the_last_put_frees)
{
	struct node *node = node_z(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	EXPECT(page != NULL);
	get_page(page);
	EXPECT(try_get_page(page));
	EXPECT_EQUAL(pin_page(page), 0);
	EXPECT_EQUAL(page_ref_count(page), 4);
	put_page(page);
	put_page(page);
	put_page(page);
	EXPECT_EQUAL(node_free(node), 61432);
	put_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, a_block_freed_under_a_reference_gives_7_then_1_by_put)
{
	struct node *node = node_z(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	EXPECT(page != NULL);
	get_page(page);
	__free_pages(page, 3);
	EXPECT_EQUAL(node_free(node), 61439);
	put_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, references_of_a_compound_block_are_its_heads)
{
	struct node *node = node_z(61440);
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 3);

	EXPECT(page != NULL);
	get_page(page + 5);
	EXPECT_EQUAL(page_ref_count(page), 2);
	__free_pages(page, 3);
	EXPECT_EQUAL(node_free(node), 61432);
	put_page(page + 2);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, a_free_page_gives_no_reference)
{
	struct node *node = node_z(61440);
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();

	__free_page(page);
	EXPECT(!try_get_page(page));
	EXPECT(pin_page(page) < 0);
	get_page(page);
	EXPECT(log_contains_since(mark, "get_page"));
	EXPECT_EQUAL(page->refcount, 0);
	put_page(page);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 2);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, a_count_of_int32_max_references_gives_no_more)
{
	struct node *node = node_z(61440);
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();

	EXPECT(page != NULL);
	page->refcount = INT32_MAX;
	EXPECT(!try_get_page(page));
	EXPECT_EQUAL(pin_page(page), -EOVERFLOW);
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);

	/* An honest put is no bug, and there is room for one again. */
	put_page(page);
	EXPECT_EQUAL(page->refcount, INT32_MAX - 1);
	EXPECT(try_get_page(page));
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 0);
	page->refcount = 1;
	__free_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, too_many_references_leak_the_page_forever)
{
	struct node *node = node_z(61440);
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();

	EXPECT(page != NULL);
	page->refcount = INT32_MAX - 1;
	get_page(page);
	EXPECT_EQUAL(log_count_since(mark, "too many references"), 0);
	get_page(page);
	get_page(page);
	EXPECT_EQUAL(log_count_since(mark, "too many references"), 1);
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	for (unsigned int i = 0; i < 3; i++)
		put_page(page);
	__free_page(page);
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	EXPECT_EQUAL(log_count_since(mark, "refused"), 0);
	EXPECT_EQUAL(node_free(node), 61439);
	page->flags = 0;
	page->refcount = 1;
	__free_page(page);
	return NULL;
}

CASE(zone_z, extra_references_leak_nothing_in_1000000_rounds)
{
	struct node *node = node_z(61440);

	for (unsigned int i = 0; i < 1000000; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, 3);

		EXPECT(page != NULL);
		get_page(page);
		__free_pages(page, 3);
		put_page(page);
	}
	EXPECT_EQUAL(node_free(node), 61440);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_pgfree), 8000000);
	return NULL;
}

CASE(zone_z, what_is_no_page_gives_no_reference_and_no_address)
{
	struct node *node = node_z(61440);
	struct page stranger = { .state = PAGE_USED, .refcount = 1 };
	struct page *const none[] = {
		NULL,
		node->pages - 1,
		node->pages + node->page_count,
		(struct page *)((uintptr_t)node->pages + 8),
		(struct page *)8,
		&stranger,
	};

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		uint64_t mark = log_mark();

		get_page(none[i]);
		put_page(none[i]);
		EXPECT(!try_get_page(none[i]));
		EXPECT(pin_page(none[i]) < 0);
		__free_pages(none[i], 0);
		EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused),
		             5 * (i + 1));
		EXPECT_EQUAL(log_count_since(mark, "no such page"), 5);
		EXPECT(page_address(none[i]) == NULL);
	}
	EXPECT_EQUAL(stranger.refcount, 1);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

/* Free COUNT pages that somebody has locked; how many are reported. */
static unsigned int free_locked(unsigned int count)
{
	uint64_t mark = log_mark();

	while (count-- > 0) {
		struct page *page = alloc_page(GFP_KERNEL);

		page_set(page, PG_locked);
		__free_page(page);
	}
	return log_count_since(mark, "Bad page state");
}

CASE(zone_z, bad_pages_are_all_leaked_and_60_in_a_minute_reported)
{
	struct node *node = node_z(61440);

	EXPECT_EQUAL(free_locked(59), 59);
	EXPECT_EQUAL(free_locked(50), 1);
	machine_advance(59999999);
	EXPECT_EQUAL(free_locked(1), 0);
	machine_advance(2);
	EXPECT_EQUAL(free_locked(70), 60);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_bad_page), 180);
	EXPECT_EQUAL(node_free(node), 61440 - 180);
	return NULL;
}

/* ---- What alloc_would_take_from() says is what happens ------------------- */

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

static const char *test_zone_z_compare_answer(struct node *node, gfp_t mask,
                                              unsigned int order)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];
	enum gfp_verdict verdict =
		gfp_decode(mask, order, &context, &request, why, sizeof(why));
	struct zone *said = NULL;
	struct page *page;

	if (verdict == GFP_OK)
		said = alloc_would_take_from(node, &request);
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
	pile_leave(&pile, random_below(random, node_managed(node) + 1));
	/* Holes, so that large blocks are rare. */
	for (unsigned int i = 0; pile.count > 0 && i < 40; i++) {
		unsigned long at = random_below(random, pile.count);
		struct page *page = pile.page[at];

		pile.page[at] = pile.page[--pile.count];
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
}

CASE(zone_z, would_take_from_agrees_with_the_request_for_all_masks)
{
	static const unsigned long pages[ZONE_COUNT] = { 100, 150, 200, 60 };
	struct random random = { test_seed() };
	struct node *node;

	machine_start(510);
	node = machine_zones(0, pages);
	pile.node = node;
	pile.count = 0;
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
		struct node *node = node_z(61440);
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
