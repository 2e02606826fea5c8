/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive_rules.c -- refusals of the front door,
 * alloc_route(), and whether the checks detect corruption.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/direct_map.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/reclaim/route.h"
#include "mm/task.h"
#include "tests/host/pile.h"
#include "tests/host/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive);

/* ---- Nobody else's ------------------------------------------------------- */

CASE(exclusive, the_front_door_refuses_an_exclusive_page)
{
	struct page *page;
	void *direct;
	void *address;

	test_exclusive_start(8);
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	address = exclusive_address(page);
	direct = (void *)(direct_map_base + page_to_pfn(page) * PAGE_SIZE);
	*(uint8_t *)address = 5;
	EXPECT_EQUAL(pin_page(page), -EBUSY);
	EXPECT(!try_get_page(page));
	EXPECT_EQUAL(page_ref_count(page), 0);
	EXPECT(page_address(page) == NULL);
	EXPECT(virt_to_page(direct) == NULL);
	EXPECT(virt_to_page(address) == NULL);
	__free_page(page);
	put_page(page);
	free_page((uintptr_t)direct);
	free_page((uintptr_t)address);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_free_refused), 4);
	EXPECT_EQUAL(page->state, PAGE_OWNED);
	EXPECT_EQUAL(*(uint8_t *)address, 5);
	return test_exclusive_check();
}

CASE(exclusive, a_refused_free_leaves_zone_and_pages_bit_identical)
{
	static struct page pages_before[PAGES];
	static struct zone zone_before;
	struct page *page;

	test_exclusive_start(8);
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	for (unsigned int order = 0; order <= 10; order++) {
		memcpy(pages_before, node->pages, sizeof(pages_before));
		memcpy(&zone_before, zone, sizeof(zone_before));
		free_pages_node(node, page, order, RETURN_ADDRESS());
		EXPECT(memcmp(pages_before, node->pages,
		              sizeof(pages_before)) == 0);
		EXPECT(memcmp(&zone_before, zone, sizeof(zone_before)) == 0);
	}
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_free_refused), 11);
	return test_exclusive_check();
}

CASE(exclusive, free_of_a_live_window_table_is_refused_by_name)
{
	void *table;
	struct page *page;
	uint64_t mark;

	test_exclusive_start(8);
	table = machine_main()->owner.window.table;
	page = virt_to_page(table);
	EXPECT(page != NULL && page->state == PAGE_USED);
	mark = log_mark();
	free_page((uintptr_t)table);
	__free_page(page);
	put_page(page);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_free_refused), 3);
	EXPECT_EQUAL(log_count_since(mark, "it is a page table"), 3);
	EXPECT_EQUAL(page->state, PAGE_USED);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT(test_exclusive_take() != NULL);
	return test_exclusive_check();
}

/* ---- alloc_route() ------------------------------------------------------- */

static const char *test_exclusive_compare_answer(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_route route;
	const struct zone *said;
	struct page *page;

	alloc_route(node, mask, 0, &context, &route);
	EXPECT_EQUAL(route.verdict, GFP_OK);
	said = alloc_route_zone(&route);
	page = alloc_page(mask);
	if ((page == NULL) != (said == NULL) ||
	    (page != NULL && page_zone(node, page) != said))
		return test_failure("mask %#x: %s was predicted, got %s", mask,
		                    said == NULL ? "nothing" : said->name,
		                    page == NULL ? "nothing"
		                                 : page_zone(node, page)->name);
	return NULL;
}

CASE(exclusive, would_take_from_agrees_with_the_take)
{
	static const gfp_t masks[] = {
		GFP_ATOMIC | __GFP_EXCLUSIVE,
		GFP_KERNEL | __GFP_EXCLUSIVE | __GFP_NOWARN,
		GFP_KERNEL | __GFP_HIGH | __GFP_EXCLUSIVE | __GFP_NOWARN,
	};
	static const unsigned long levels[] = {
		0, 5, 6, 8, 9, 16, 17, 18, 300
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		test_exclusive_start(3);
		pile_leave(&pile, levels[i]);
		for (size_t m = 0; m < 40; m++) {
			const char *wrong = test_exclusive_compare_answer(
				masks[m % ARRAY_SIZE(masks)]);

			if (wrong != NULL)
				return wrong;
		}
		pile_give(&pile, PILE_PAGES);
	}
	return NULL;
}

CASE(exclusive, would_take_from_knows_that_nothing_can_be_split)
{
	start_with(0);
	return test_exclusive_compare_answer(GFP_KERNEL | __GFP_EXCLUSIVE);
}

CASE(exclusive, would_take_from_names_the_zone_of_the_page)
{
	static const unsigned long pages[ZONE_COUNT] = { 512, 512, 512, 0 };

	machine_start(1536);
	node = machine_zones(0, pages);
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++) {
		zone = &node->zone[type];
		machine_set_marks(zone, 16, 20, 24);
		machine_set_lowmem_reserve(zone, ZONE_NORMAL,
		                           type < ZONE_NORMAL ? 490 : 0);
	}
	machine_start_exclusive(node, 3);
	pile.node = node;
	pile.count = 0;
	/* NORMAL to its floor, then DMA32, then DMA; then nothing. */
	pile_drain(&pile, GFP_ATOMIC, 500);
	/* Also while the pool holds pages of two zones. */
	exclusive_refill(node, 20);
	EXPECT(exclusive_zone_parked(&node->zone[ZONE_NORMAL]) > 0);
	EXPECT(exclusive_zone_parked(&node->zone[ZONE_DMA32]) > 0);
	for (unsigned int i = 0; i < 40; i++) {
		const char *wrong;

		wrong = test_exclusive_compare_answer(
			(i % 2 ? GFP_ATOMIC : GFP_KERNEL) | __GFP_EXCLUSIVE |
			__GFP_NOWARN);
		if (wrong != NULL)
			return wrong;
	}
	EXPECT(exclusive_zone_owned(&node->zone[ZONE_DMA]) > 0);
	EXPECT(exclusive_zone_owned(&node->zone[ZONE_DMA32]) > 0);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, would_take_from_knows_who_asks)
{
	struct mm_task task = { 0 };
	struct thread windowless = { .state = THREAD_RUNNABLE, .mm = &task };
	const char *wrong;

	test_exclusive_start(WINDOW_ENTRIES + 8);
	machine_switch_to(&windowless);
	wrong = test_exclusive_compare_answer(GFP_KERNEL | __GFP_EXCLUSIVE);
	machine_switch_to(machine_main());
	if (wrong != NULL)
		return wrong;
	machine_enter_irq(NULL);
	wrong = test_exclusive_compare_answer(GFP_ATOMIC | __GFP_EXCLUSIVE);
	machine_leave_irq();
	if (wrong != NULL)
		return wrong;
	machine_enter_irq(&timer);
	wrong = test_exclusive_compare_answer(GFP_ATOMIC | __GFP_EXCLUSIVE);
	machine_leave_irq();
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(owner_pages(&timer), 1);
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_ENTRIES);
	return test_exclusive_compare_answer(GFP_KERNEL | __GFP_EXCLUSIVE);
}

CASE(exclusive, would_take_from_knows_pf_memalloc)
{
	const char *wrong;

	test_exclusive_start(0);
	pile_leave(&pile, 16);
	wrong = test_exclusive_compare_answer(GFP_KERNEL | __GFP_EXCLUSIVE);
	machine_set_memalloc(true);
	for (unsigned int i = 0; i < 20 && wrong == NULL; i++)
		wrong = test_exclusive_compare_answer(GFP_KERNEL |
		                                      __GFP_EXCLUSIVE);
	machine_set_memalloc(false);
	pile_give(&pile, PILE_PAGES);
	return wrong;
}

/* ---- The checker detects what it is there for ---------------------------- */

static bool test_exclusive_check_says(const char *text)
{
	const char *said = test_exclusive_check();
	size_t length = strlen(text);

	for (; said != NULL && *said != '\0'; said++) {
		if (strncmp(said, text, length) == 0)
			return true;
	}
	return false;
}

/* The last page of a free block of at least two in the region of PFN, or NULL. */
static struct page *last_of_a_free_block(unsigned long pfn)
{
	unsigned long first = ALIGN_DOWN(pfn, REGION_FRAMES);

	for (pfn = first; pfn < first + REGION_FRAMES; pfn++) {
		const struct page *page = node_page(node, pfn);

		if (page != NULL && page->state == PAGE_FREE && page->order > 0)
			return node_page(node, pfn + (1UL << page->order) - 1);
	}
	return NULL;
}

/* X1: a look at the head answers for a block only where the region is in one piece. */
CASE(exclusive, check_finds_a_frame_that_is_hidden_inside_a_free_block)
{
	struct page *inside;
	unsigned long pfn;

	test_exclusive_start(8);
	pfn = page_to_pfn(alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE));
	EXPECT(direct_map_is_split(pfn));
	inside = last_of_a_free_block(pfn);
	EXPECT(inside != NULL && inside->state == PAGE_NONE);
	EXPECT(test_exclusive_check() == NULL);
	direct_map_hide(node_pfn(node, inside));
	EXPECT(test_exclusive_check_says("X1"));
	direct_map_show(node_pfn(node, inside));
	return test_exclusive_check();
}

CASE(exclusive, check_finds_each_broken_invariant)
{
	struct owner *me;
	struct page *page;
	struct list *link;
	unsigned long pfn;
	void *sent;

	test_exclusive_start(8);
	me = &machine_main()->owner;
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	pfn = page_to_pfn(page);
	EXPECT(test_exclusive_check() == NULL);
	direct_map_show(pfn);
	EXPECT(test_exclusive_check_says("X1"));
	direct_map_hide(pfn);
	node->pool.count++;
	EXPECT(test_exclusive_check_says("X2"));
	node->pool.count--;
	page->private ++;
	EXPECT(test_exclusive_check_says("X3"));
	page->private --;
	me->sent++;
	EXPECT(test_exclusive_check_says("X5"));
	me->sent--;
	bitmap_set(me->entries, 400);
	EXPECT(test_exclusive_check_says("X5"));
	bitmap_clear(me->entries, 400);
	sent = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(sent, timer.id), 0);
	EXPECT(test_exclusive_check() == NULL);
	link = timer.incoming.next;
	page = container_of(link, struct page, link);
	page->receiver = NULL;
	EXPECT(test_exclusive_check_says("X4"));
	page->receiver = &timer;
	return test_exclusive_check();
}
