/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive.c -- exclusive pages, by touching them.
 *
 * The node has 2048 pages and the marks 16/20/24, so the refiller's floor is 6
 * (16 - 8 = 8, less a quarter); the pool's marks are 4 and 8.
 */
#include "tests/host/test_exclusive.h"

#include "lib/string.h"
#include "mm/task.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(exclusive);

unsigned long wakes;

struct thread other;
struct owner timer;
struct owner keyboard;

static void test_exclusive_count_wake(void)
{
	wakes++;
}

void start_with(unsigned long tables)
{
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	machine_set_marks(zone, 16, 20, 24);
	machine_start_exclusive(node, tables);
	machine_begin_thread(&other, "other");
	machine_begin_line(&timer, "irq 0 timer");
	machine_begin_line(&keyboard, "irq 1 keyboard");
	node->pool.wake = test_exclusive_count_wake;
	pile.node = node;
	pile.count = 0;
	wakes = 0;
	vmstat_clear(&node->stat);
}

void test_exclusive_start(unsigned long parked)
{
	start_with(4);
	if (exclusive_refill(node, parked) != parked)
		panic("the pool was not filled");
	wakes = 0;
}

void *test_exclusive_take(void)
{
	return labyrinth_void_alloc_page_gfp_atomic_exclusive();
}

unsigned long test_exclusive_take_all(void)
{
	unsigned long count = 0;

	while (test_exclusive_take() != NULL)
		count++;
	return count;
}

unsigned long test_exclusive_stat(enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

const char *test_exclusive_check(void)
{
	static char sentence[200];

	return node_check(node, NULL, false, sentence, sizeof(sentence));
}

unsigned long frame_of(void *address)
{
	struct page *page = exclusive_page(address);

	return page == NULL ? -1UL : node_pfn(node, page);
}

const uint8_t *eyes(unsigned long pfn)
{
	return machine_physical(pfn);
}

bool all_bytes_are(const uint8_t *bytes, uint8_t value)
{
	for (size_t i = 0; i < PAGE_SIZE; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* ---- Taking -------------------------------------------------------------- */

CASE(exclusive, pool_of_8_gives_8_then_null_with_one_wake)
{
	test_exclusive_start(8);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT(test_exclusive_take() != NULL);
	EXPECT(test_exclusive_take() == NULL);
	EXPECT_EQUAL(wakes, 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_take), 8);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_empty), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_wake), 1);
	EXPECT(test_exclusive_take() == NULL);
	EXPECT_EQUAL(wakes, 1);
	return test_exclusive_check();
}

CASE(exclusive, pool_of_8_gives_8_in_an_interrupt)
{
	test_exclusive_start(8);
	machine_enter_irq(&timer);
	EXPECT_EQUAL(test_exclusive_take_all(), 8);
	machine_leave_irq();
	EXPECT_EQUAL(wakes, 1);
	EXPECT_EQUAL(owner_pages(&timer), 8);
	EXPECT_EQUAL(might_sleep_violations(), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_refiller_is_woken_below_low_and_not_at_it)
{
	test_exclusive_start(8);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), node->pool.low);
	EXPECT_EQUAL(wakes, 0);
	EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(wakes, 1);
	return test_exclusive_check();
}

CASE(exclusive, a_page_is_zeroed_and_writable)
{
	uint8_t *page;

	start_with(4);
	for (unsigned long pfn = 0; pfn < PAGES; pfn++) {
		if (page_head(node, node_page(node, pfn))->state == PAGE_FREE)
			memset(machine_physical(pfn), 0x99, PAGE_SIZE);
	}
	EXPECT_EQUAL(exclusive_refill(node, 8), 8);
	page = test_exclusive_take();
	EXPECT(page != NULL);
	EXPECT(all_bytes_are(page, 0));
	memset(page, 0x5c, PAGE_SIZE);
	EXPECT(all_bytes_are(eyes(frame_of(page)), 0x5c));
	return test_exclusive_check();
}

CASE(exclusive, alloc_page_gives_the_page_and_its_address_in_the_window)
{
	struct page *page;
	unsigned int index;
	void *address;

	test_exclusive_start(8);
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	EXPECT(page != NULL && page->state == PAGE_OWNED);
	address = exclusive_address(page);
	EXPECT_EQUAL(window_of_address((uintptr_t)address, &index),
	             machine_main()->owner.window.id);
	EXPECT(exclusive_page(address) == page);
	EXPECT_EQUAL(page->gfp, GFP_ATOMIC | __GFP_EXCLUSIVE);
	EXPECT_EQUAL(exclusive_release(address), 0);
	EXPECT(exclusive_address(page) == NULL);
	return test_exclusive_check();
}

CASE(exclusive, a_context_without_an_owner_gets_nothing)
{
	test_exclusive_start(8);
	machine_enter_irq(NULL);
	EXPECT(test_exclusive_take() == NULL);
	machine_leave_irq();
	machine_enter_nmi();
	EXPECT(test_exclusive_take() == NULL);
	machine_leave_nmi();
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_refused), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_alloc_in_nmi), 1);
	return test_exclusive_check();
}

CASE(exclusive, a_request_that_may_sleep_refills_an_empty_pool)
{
	struct page *page;

	start_with(4);
	page = alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE);
	EXPECT(page != NULL);
	EXPECT(all_bytes_are(exclusive_address(page), 0));
	EXPECT(alloc_page(GFP_NOWAIT | __GFP_EXCLUSIVE) == NULL);
	/* GFP_KERNEL's own right: it stops at MIN. */
	pile_leave(&pile, 17);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE) != NULL);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE | __GFP_NOWARN) == NULL);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, pf_memalloc_may_refill_where_kernel_may_not)
{
	start_with(4);
	pile_leave(&pile, 16);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE | __GFP_NOWARN) == NULL);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_park), 0);
	machine_set_memalloc(true);
	for (unsigned long left = 16; left > 0; left--)
		EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE) != NULL);
	EXPECT_EQUAL(node_free(node), 0);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE) == NULL);
	machine_set_memalloc(false);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

/*
 * Check the counters after one call with GFP_KERNEL | EXCLUSIVE: no page was
 * moved.
 */
static const char *expect_nothing_moved(unsigned long refused,
                                        unsigned long full_or_empty)
{
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_refused), refused);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_window_full) +
	                     test_exclusive_stat(VMSTAT_exclusive_empty),
	             full_or_empty);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_park), 0);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_take), 0);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_alloc_fail), 1);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 0);
	return test_exclusive_check();
}

CASE(exclusive, a_context_without_a_window_moves_no_frame)
{
	struct mm_task task = { 0 };
	struct thread windowless = { .state = THREAD_RUNNABLE, .mm = &task };
	const char *wrong;

	start_with(4);
	machine_switch_to(&windowless);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE) == NULL);
	machine_switch_to(machine_main());
	wrong = expect_nothing_moved(1, 0);
	if (wrong != NULL)
		return wrong;
	/* The same on a machine whose owners have no windows at all. */
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	machine_split_at_boot(0);
	exclusive_pool_init(node, NULL, 0);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE) == NULL);
	return expect_nothing_moved(1, 0);
}

CASE(exclusive, a_node_that_owners_have_no_windows_in_moves_no_frame)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 512, 0 };
	struct node *second;

	machine_start(PAGES + 512);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	second = machine_zones(PAGES, pages);
	EXPECT(main_node() == node);
	machine_start_exclusive(node, 4);
	machine_split_at_boot(PAGES);
	exclusive_pool_init(second, NULL, 0);
	EXPECT_EQUAL(exclusive_refill(node, 8), 8);
	node = second;
	EXPECT(alloc_pages_node(second, GFP_KERNEL | __GFP_EXCLUSIVE, 0) ==
	       NULL);
	EXPECT_EQUAL(node_free(second), 512);
	return expect_nothing_moved(1, 0);
}

CASE(exclusive, a_full_window_moves_no_frame)
{
	unsigned long free;

	test_exclusive_start(WINDOW_ENTRIES);
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_ENTRIES);
	free = node_free(node);
	vmstat_clear(&node->stat);
	EXPECT(alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE) == NULL);
	EXPECT_EQUAL(node_free(node), free);
	return expect_nothing_moved(0, 1);
}

CASE(exclusive, a_failed_take_is_dumped_like_any_other)
{
	uint64_t mark;

	test_exclusive_start(0);
	mark = log_mark();
	EXPECT(test_exclusive_take() == NULL);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure"), 1);
	EXPECT_EQUAL(log_count_since(mark, "refused: no exclusive page is "
	                                   "parked, and it cannot wait until "
	                                   "one is made"),
	             1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_alloc_fail), 1);
	return test_exclusive_check();
}

CASE(exclusive, an_address_stays_dead_for_long)
{
	void *first;

	test_exclusive_start(8);
	first = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(first), 0);
	for (unsigned int i = 1; i < WINDOW_ENTRIES; i++) {
		void *next = test_exclusive_take();

		EXPECT(next != NULL && next != first);
		EXPECT_EQUAL(exclusive_release(next), 0);
	}
	EXPECT(test_exclusive_take() == first);
	return test_exclusive_check();
}
