/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive.c -- exclusive pages, by touching them.
 *
 * The node has 2048 pages and the marks 16/20/24, so the refiller's floor is 6
 * (16 - 8 = 8, less a quarter); the pool's marks are 4 and 8.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/task.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(exclusive);

#define PAGES 2048UL
#define FLOOR 6UL

static struct node *node;
static struct zone *zone;
static struct pile pile;
static unsigned long wakes;

/* Besides thread main: another thread, and two interrupt lines. */
static struct thread other;
static struct owner timer;
static struct owner keyboard;

static void test_exclusive_count_wake(void)
{
	wakes++;
}

static void start_with(unsigned long tables)
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
	node->stat = (struct vmstat){ 0 };
}

/* A pool of PARKED frames, and tables enough. */
static void test_exclusive_start(unsigned long parked)
{
	start_with(4);
	if (exclusive_refill(node, parked) != parked)
		panic("the pool was not filled");
	wakes = 0;
}

static void *test_exclusive_take(void)
{
	return labyrinth_void_alloc_page_gfp_atomic_exclusive();
}

static unsigned long test_exclusive_take_all(void)
{
	unsigned long count = 0;

	while (test_exclusive_take() != NULL)
		count++;
	return count;
}

static unsigned long test_exclusive_stat(enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

static const char *test_exclusive_check(void)
{
	static char sentence[200];

	return node_check(node, NULL, false, sentence, sizeof(sentence));
}

/* The frame behind an address of the running owner. */
static unsigned long frame_of(void *address)
{
	struct page *page = exclusive_page(address);

	return page == NULL ? -1UL : node_pfn(node, page);
}

static const uint8_t *eyes(unsigned long pfn)
{
	return machine_physical(pfn);
}

static bool all_bytes_are(const uint8_t *bytes, uint8_t value)
{
	for (size_t i = 0; i < PAGE_SIZE; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* ---- Taking -------------------------------------------------------------------- */

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
	EXPECT_EQUAL(timer.owned, 8);
	EXPECT_EQUAL(might_sleep_violations(), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_refiller_is_woken_below_low_and_not_at_it)
{
	test_exclusive_start(8);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT(test_exclusive_take() != NULL);
	EXPECT_EQUAL(node->pool.count, node->pool.low);
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
		if (node_page(node, pfn)->state == PAGE_FREE ||
		    node_page(node, pfn)->state == PAGE_FREE_TAIL)
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
	unsigned int slot;
	void *address;

	test_exclusive_start(8);
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	EXPECT(page != NULL && page->state == PAGE_OWNED);
	address = exclusive_address(page);
	EXPECT_EQUAL(window_of_address((uintptr_t)address, &slot),
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
	EXPECT_EQUAL(node->pool.count, 8);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_refused), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_alloc_in_nmi), 1);
	return test_exclusive_check();
}

CASE(exclusive, whoever_may_sleep_refills_an_empty_pool)
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

/* What one call with GFP_KERNEL | EXCLUSIVE has counted and moved. */
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
	EXPECT_EQUAL(node->pool.count, 0);
	return test_exclusive_check();
}

CASE(exclusive, whoever_has_no_window_moves_no_frame)
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

	test_exclusive_start(WINDOW_SLOTS);
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_SLOTS);
	free = node_free(node);
	node->stat = (struct vmstat){ 0 };
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
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_alloc_fail), 1);
	return test_exclusive_check();
}

CASE(exclusive, an_address_stays_dead_for_long)
{
	void *first;

	test_exclusive_start(8);
	first = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(first), 0);
	for (unsigned int i = 1; i < WINDOW_SLOTS; i++) {
		void *next = test_exclusive_take();

		EXPECT(next != NULL && next != first);
		EXPECT_EQUAL(exclusive_release(next), 0);
	}
	EXPECT(test_exclusive_take() == first);
	return test_exclusive_check();
}

/* ---- Who cannot touch it ---------------------------------------------------------- */

/* A touch of ADDRESS faults, as a touch of frame PFN, that OWNER owns, by
 * INTRUDER. */
static const char *expect_fault(const void *address, unsigned long pfn,
                                const struct owner *owner,
                                const struct owner *intruder)
{
	for (int write = 0; write <= 1; write++) {
		struct fault fault = { 0 };

		EXPECT(machine_faults(address, write, &fault));
		EXPECT_EQUAL(fault.kind, FAULT_EXCLUSIVE);
		EXPECT_EQUAL(fault.pfn, pfn);
		EXPECT(fault.owner == owner);
		EXPECT(fault.intruder == intruder);
	}
	return NULL;
}

CASE(exclusive, the_direct_map_does_not_show_it)
{
	struct owner *me;
	unsigned long pfn;
	uint8_t *page;
	void *direct;
	const char *wrong;

	test_exclusive_start(8);
	me = &machine_main()->owner;
	page = test_exclusive_take();
	pfn = frame_of(page);
	direct = (void *)(direct_map_base + pfn * PAGE_SIZE);
	*page = 7;
	EXPECT(!direct_map_visible(pfn));
	wrong = expect_fault(direct, pfn, me, me);
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_fault), 2);
	EXPECT_EQUAL(*page, 7);
	return test_exclusive_check();
}

CASE(exclusive, a_parked_page_cannot_be_touched_by_anybody)
{
	const struct page *page;
	unsigned long pfn;

	test_exclusive_start(8);
	page = list_first(&node->pool.parked, struct page, link);
	pfn = node_pfn(node, page);
	return expect_fault((void *)(direct_map_base + pfn * PAGE_SIZE), pfn,
	                    NULL, &machine_main()->owner);
}

CASE(exclusive, a_stranger_thread_cannot_touch_it)
{
	const char *wrong;
	unsigned long pfn;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	*page = 42;
	machine_switch_to(&other);
	wrong = expect_fault(page, pfn, &machine_main()->owner, &other.owner);
	machine_switch_to(machine_main());
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(*page, 42);
	return test_exclusive_check();
}

CASE(exclusive, an_interrupt_on_top_of_its_owner_cannot_touch_it)
{
	const char *wrong;
	unsigned long pfn;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	*page = 43;
	machine_enter_irq(&timer);
	wrong = expect_fault(page, pfn, &machine_main()->owner, &timer);
	machine_leave_irq();
	if (wrong != NULL)
		return wrong;
	machine_enter_irq(NULL);
	wrong = expect_fault(page, pfn, &machine_main()->owner, NULL);
	machine_leave_irq();
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(*page, 43);
	return test_exclusive_check();
}

CASE(exclusive, an_nmi_on_top_of_its_owner_cannot_touch_it)
{
	const char *wrong;
	unsigned long pfn;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	*page = 44;
	machine_enter_nmi();
	wrong = expect_fault(page, pfn, &machine_main()->owner, NULL);
	machine_leave_nmi();
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(*page, 44);
	return test_exclusive_check();
}

/* LINE takes a page, INNER interrupts it; neither can touch the other's. */
static const char *nest(struct owner *line, struct owner *inner)
{
	uint8_t *outer_page;
	uint8_t *inner_page;
	unsigned long outer_pfn;
	unsigned long inner_pfn;
	const char *wrong;

	machine_enter_irq(line);
	outer_page = test_exclusive_take();
	outer_pfn = frame_of(outer_page);
	*outer_page = 1;
	arch_irq_enable();
	machine_enter_irq(inner);
	inner_page = test_exclusive_take();
	inner_pfn = frame_of(inner_page);
	*inner_page = 2;
	wrong = expect_fault(outer_page, outer_pfn, line, inner);
	machine_leave_irq();
	if (wrong == NULL)
		wrong = expect_fault(inner_page, inner_pfn, inner, line);
	if (wrong == NULL && *outer_page != 1)
		wrong = "the outer line's page has changed";
	arch_irq_disable();
	machine_leave_irq();
	if (wrong == NULL)
		wrong = expect_fault(outer_page, outer_pfn, line,
		                     &machine_main()->owner);
	return wrong;
}

CASE(exclusive, nested_lines_cannot_touch_each_others)
{
	const char *wrong;

	test_exclusive_start(8);
	wrong = nest(&timer, &keyboard);
	if (wrong == NULL)
		wrong = nest(&keyboard, &timer);
	return wrong != NULL ? wrong : test_exclusive_check();
}

CASE(exclusive, a_released_page_cannot_be_touched)
{
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(machine_faults(page, false, NULL));
	EXPECT(machine_faults((void *)(direct_map_base + pfn * PAGE_SIZE),
	                      false, NULL));
	return test_exclusive_check();
}

CASE(exclusive, a_fault_in_an_empty_slot_names_its_window_and_no_frame)
{
	void *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(page), 0);
	return expect_fault(page, -1UL, &machine_main()->owner,
	                    &machine_main()->owner);
}

CASE(exclusive, a_page_handed_over_cannot_be_touched_by_its_sender)
{
	const char *wrong;
	uint8_t *page;
	uint8_t *received;
	unsigned long pfn;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	memset(page, 0x3c, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	wrong = expect_fault(page, -1UL, &machine_main()->owner,
	                     &machine_main()->owner);
	if (wrong != NULL)
		return wrong;
	EXPECT(machine_faults((void *)(direct_map_base + pfn * PAGE_SIZE),
	                      false, NULL));
	machine_switch_to(&other);
	EXPECT(machine_faults(page, false, NULL));
	received = exclusive_accept();
	EXPECT(received != NULL && received != page);
	EXPECT(all_bytes_are(received, 0x3c));
	EXPECT_EQUAL(frame_of(received), pfn);
	machine_switch_to(machine_main());
	EXPECT(machine_faults(page, false, NULL));
	wrong = expect_fault(received, pfn, &other.owner,
	                     &machine_main()->owner);
	return wrong != NULL ? wrong : test_exclusive_check();
}

/* ---- Release -------------------------------------------------------------------------- */

CASE(exclusive, release_scrubs_and_parks)
{
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	memset(page, 0xee, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(all_bytes_are(eyes(pfn), 0));
	EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_PARKED);
	EXPECT_EQUAL(node->pool.count, 8);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_release), 1);
	return test_exclusive_check();
}

CASE(exclusive, release_above_high_parks_and_wakes_the_refiller)
{
	void *page[10];

	test_exclusive_start(8);
	for (unsigned int i = 0; i < 8; i++)
		page[i] = test_exclusive_take();
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.count, 8);
	wakes = 0;
	EXPECT_EQUAL(exclusive_release(page[0]), 0);
	EXPECT_EQUAL(node->pool.count, 9);
	EXPECT_EQUAL(wakes, 1);
	EXPECT(exclusive_wants_balance(node));
	EXPECT_EQUAL(exclusive_release(page[1]), 0);
	EXPECT_EQUAL(wakes, 1);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.count, 8);
	EXPECT(!exclusive_wants_balance(node));
	return test_exclusive_check();
}

CASE(exclusive, release_up_to_high_wakes_nobody)
{
	void *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(node->pool.count, node->pool.high);
	EXPECT_EQUAL(wakes, 0);
	EXPECT(!exclusive_wants_balance(node));
	return test_exclusive_check();
}

CASE(exclusive, no_address_of_a_window_is_einval)
{
	uint8_t byte;
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	EXPECT_EQUAL(exclusive_release(page + 1), -EINVAL);
	EXPECT_EQUAL(exclusive_release(page + PAGE_SIZE - 1), -EINVAL);
	EXPECT_EQUAL(exclusive_release(&byte), -EINVAL);
	EXPECT_EQUAL(exclusive_release(NULL), -EINVAL);
	EXPECT_EQUAL(
		exclusive_release((void *)(direct_map_base + pfn * PAGE_SIZE)),
		-EINVAL);
	EXPECT_EQUAL(exclusive_transfer(page + 1, timer.id), -EINVAL);
	EXPECT_EQUAL(exclusive_transfer(NULL, timer.id), -EINVAL);
	EXPECT_EQUAL(exclusive_cancel(NULL), -ENOENT);
	EXPECT(exclusive_page(page + 1) == NULL);
	EXPECT(exclusive_page(&byte) == NULL);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_refused), 8);
	EXPECT_EQUAL(frame_of(page), pfn);
	return test_exclusive_check();
}

CASE(exclusive, another_owners_page_is_eperm_and_both_are_named)
{
	uint64_t mark;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	*page = 9;
	mark = log_mark();
	machine_enter_irq(&keyboard);
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EPERM);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT(exclusive_page(page) == NULL);
	machine_leave_irq();
	EXPECT_EQUAL(log_count_since(mark, "irq 1 keyboard"), 3);
	EXPECT_EQUAL(log_count_since(mark, "owner: main"), 3);
	EXPECT_EQUAL(*page, 9);
	return test_exclusive_check();
}

CASE(exclusive, released_twice_is_enoent)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -ENOENT);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT(exclusive_page(page) == NULL);
	EXPECT_EQUAL(node->pool.count, 8);
	return test_exclusive_check();
}

CASE(exclusive, in_an_nmi_every_call_is_refused)
{
	uint64_t mark;
	uint8_t *page;
	bool enabled;

	test_exclusive_start(8);
	page = test_exclusive_take();
	mark = log_mark();
	enabled = spin_lock_irqsave(&node->pool.lock);
	machine_enter_nmi();
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EPERM);
	EXPECT_EQUAL(exclusive_cancel(page), -EPERM);
	EXPECT(exclusive_accept() == NULL);
	EXPECT(exclusive_page(page) == NULL);
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	EXPECT_EQUAL(log_mark(), mark);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

static void count_owner(const struct owner *owner, void *data)
{
	(void)owner;
	(*(unsigned long *)data)++;
}

CASE(exclusive, in_an_nmi_nobody_is_counted_or_visited)
{
	struct exclusive_counts counts;
	unsigned long visited = 0;
	bool enabled;

	test_exclusive_start(8);
	EXPECT(test_exclusive_take() != NULL);
	enabled = spin_lock_irqsave(&node->pool.lock);
	machine_enter_nmi();
	exclusive_counts(node, &counts);
	exclusive_visit_owners(node, count_owner, &visited);
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	EXPECT_EQUAL(counts.parked + counts.owned + counts.handover, 0);
	EXPECT_EQUAL(visited, 0);
	exclusive_counts(node, &counts);
	exclusive_visit_owners(node, count_owner, &visited);
	EXPECT_EQUAL(counts.parked, 7);
	EXPECT_EQUAL(counts.owned, 1);
	EXPECT_EQUAL(visited, 4);
	return test_exclusive_check();
}

/* ---- Hand-over --------------------------------------------------------------------------- */

CASE(exclusive, on_its_way_it_is_ebusy_for_the_sender)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	EXPECT_EQUAL(exclusive_release(page), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EBUSY);
	EXPECT(exclusive_page(page) == NULL);
	EXPECT(exclusive_accept() == NULL);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&other)), 1);
	machine_switch_to(&other);
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	machine_switch_to(machine_main());
	return test_exclusive_check();
}

CASE(exclusive, a_refusal_on_its_way_names_sender_and_receiver)
{
	uint64_t mark;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	mark = log_mark();
	EXPECT_EQUAL(exclusive_release(page), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EBUSY);
	EXPECT_EQUAL(log_count_since(mark, "by thread main"), 2);
	EXPECT_EQUAL(log_count_since(mark, "receiver: other"), 2);
	/* The receiver cannot cancel what it is sent; nor can a stranger. */
	mark = log_mark();
	machine_switch_to(&other);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(log_count_since(mark, "by thread other"), 1);
	EXPECT_EQUAL(log_count_since(mark, "owner: main"), 1);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, accept_makes_the_receiver_the_taker)
{
	struct page *page;
	void *address;

	test_exclusive_start(8);
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	EXPECT_EQUAL(page->taker, machine_main()->owner.id);
	address = exclusive_address(page);
	EXPECT_EQUAL(exclusive_transfer(address, thread_owner_id(&other)), 0);
	EXPECT_EQUAL(page->taker, machine_main()->owner.id);
	machine_switch_to(&other);
	EXPECT(exclusive_accept() != NULL);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(page->taker, other.owner.id);
	return test_exclusive_check();
}

CASE(exclusive, cancel_brings_it_back_to_the_same_address)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x21, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	/* The slot stays taken meanwhile. */
	EXPECT(test_exclusive_take() != page);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	EXPECT(all_bytes_are(page, 0x21));
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&other)), 0);
	machine_switch_to(&other);
	EXPECT(exclusive_accept() == NULL);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, after_accept_the_senders_address_is_enoent)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	machine_switch_to(&other);
	EXPECT(exclusive_accept() != NULL);
	EXPECT(exclusive_accept() == NULL);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -ENOENT);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_transfer), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_accept), 1);
	return test_exclusive_check();
}

CASE(exclusive, hand_overs_are_accepted_oldest_first)
{
	uint8_t *page[4];

	test_exclusive_start(8);
	for (uint8_t i = 0; i < 4; i++) {
		page[i] = test_exclusive_take();
		*page[i] = i;
	}
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQUAL(
			exclusive_transfer(page[i], thread_owner_id(&other)),
			0);
	EXPECT_EQUAL(exclusive_cancel(page[1]), 0);
	machine_switch_to(&other);
	EXPECT_EQUAL(*(uint8_t *)exclusive_accept(), 0);
	EXPECT_EQUAL(*(uint8_t *)exclusive_accept(), 2);
	EXPECT_EQUAL(*(uint8_t *)exclusive_accept(), 3);
	EXPECT(exclusive_accept() == NULL);
	machine_switch_to(machine_main());
	return test_exclusive_check();
}

CASE(exclusive, a_handler_hands_over_to_a_thread_and_a_thread_to_a_line)
{
	uint8_t *page;
	uint8_t *received;

	test_exclusive_start(8);
	machine_enter_irq(&timer);
	page = test_exclusive_take();
	memset(page, 0x66, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             0);
	EXPECT(machine_faults(page, false, NULL));
	machine_leave_irq();
	received = exclusive_accept();
	EXPECT(received != NULL && all_bytes_are(received, 0x66));
	EXPECT_EQUAL(exclusive_transfer(received, keyboard.id), 0);
	machine_enter_irq(&keyboard);
	page = exclusive_accept();
	EXPECT(page != NULL && all_bytes_are(page, 0x66));
	EXPECT_EQUAL(exclusive_release(page), 0);
	machine_leave_irq();
	return test_exclusive_check();
}

CASE(exclusive, to_itself_is_einval_to_the_dead_enxio_and_it_stays)
{
	struct thread dead;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x44, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             -EINVAL);
	machine_begin_thread(&dead, "dead");
	machine_end_thread(&dead);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&dead)), -ENXIO);
	EXPECT(all_bytes_are(page, 0x44));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_number_of_the_dead_is_enxio_in_its_old_place_too)
{
	struct thread place;
	uint8_t *page;
	uint64_t stale;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x45, PAGE_SIZE);
	machine_begin_thread(&place, "first");
	stale = thread_owner_id(&place);
	machine_end_thread(&place);
	machine_begin_thread(&place, "second");
	EXPECT_EQUAL(exclusive_transfer(page, stale), -ENXIO);
	EXPECT(all_bytes_are(page, 0x45));
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&place)), 0);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&place)), 0);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&place)), 1);
	EXPECT_EQUAL(exclusive_incoming(stale), 0);
	machine_end_thread(&place);
	EXPECT(all_bytes_are(page, 0x45));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, no_more_than_12_owners_have_numbers_that_hash_alike)
{
	static struct owner line[OWNER_BUCKET_MOST + 1];
	unsigned int alike = 0;

	test_exclusive_start(8);
	for (unsigned int i = 0; i < OWNER_BUCKET_MOST; i++) {
		/* 63 come and go between two that stay. */
		while (alike++ % OWNER_BUCKETS != 0) {
			machine_begin_line(&line[i], "passes");
			machine_end_line(&line[i]);
		}
		machine_begin_line(&line[i], "stays");
		EXPECT_EQUAL((line[i].id - line[0].id) % OWNER_BUCKETS, 0);
	}
	for (; alike % OWNER_BUCKETS != 0; alike++) {
		machine_begin_line(&line[OWNER_BUCKET_MOST], "passes");
		machine_end_line(&line[OWNER_BUCKET_MOST]);
	}
	machine_begin_line(&line[OWNER_BUCKET_MOST], "one more");
	EXPECT_EQUAL(line[OWNER_BUCKET_MOST].id,
	             line[OWNER_BUCKET_MOST - 1].id + OWNER_BUCKETS + 1);
	for (unsigned int i = 0; i <= OWNER_BUCKET_MOST; i++)
		machine_end_line(&line[i]);
	return test_exclusive_check();
}

/* ---- A full window -------------------------------------------------------------------------- */

CASE(exclusive, a_full_window_gives_null_and_its_own_counter)
{
	test_exclusive_start(520);
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_SLOTS);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_window_full), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_empty), 0);
	EXPECT_EQUAL(node->pool.count, 8);
	machine_switch_to(&other);
	EXPECT(test_exclusive_take() != NULL);
	machine_switch_to(machine_main());
	return test_exclusive_check();
}

CASE(exclusive, accept_into_a_full_window_leaves_it_on_its_way)
{
	void *page;

	test_exclusive_start(520);
	machine_enter_irq(&timer);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             0);
	machine_leave_irq();
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_SLOTS);
	EXPECT(exclusive_accept() == NULL);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(machine_main())), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_window_full), 2);
	page = exclusive_address(
		list_first(&machine_main()->owner.pages, struct page, link));
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(exclusive_accept() == page);
	return test_exclusive_check();
}

/* ---- The end of an owner ----------------------------------------------------------------------- */

CASE(exclusive, the_end_of_an_owner_scrubs_and_parks_what_it_owned)
{
	unsigned long pfn[3];

	test_exclusive_start(8);
	machine_switch_to(&other);
	for (unsigned int i = 0; i < 3; i++) {
		uint8_t *page = test_exclusive_take();

		memset(page, 0xd0, PAGE_SIZE);
		pfn[i] = frame_of(page);
	}
	machine_switch_to(machine_main());
	EXPECT_EQUAL(node->pool.count, 5);
	machine_end_thread(&other);
	EXPECT_EQUAL(node->pool.count, 8);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQUAL(node_page(node, pfn[i])->state, PAGE_PARKED);
		EXPECT(all_bytes_are(eyes(pfn[i]), 0));
	}
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_the_receiver_sends_it_back)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x31, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	machine_end_thread(&other);
	EXPECT(all_bytes_are(page, 0x31));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_the_sender_lets_it_go_on)
{
	uint8_t *page;
	uint8_t *received;

	test_exclusive_start(8);
	machine_enter_irq(&timer);
	page = test_exclusive_take();
	memset(page, 0x32, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             0);
	machine_leave_irq();
	machine_end_line(&timer);
	EXPECT(test_exclusive_check() == NULL);
	received = exclusive_accept();
	EXPECT(received != NULL && all_bytes_are(received, 0x32));
	EXPECT_EQUAL(exclusive_release(received), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_both_scrubs_and_parks_it)
{
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	machine_switch_to(&other);
	page = test_exclusive_take();
	pfn = frame_of(page);
	memset(page, 0x33, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), 0);
	machine_switch_to(machine_main());
	machine_end_thread(&other);
	EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_HANDOVER);
	machine_end_line(&timer);
	EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_PARKED);
	EXPECT(all_bytes_are(eyes(pfn), 0));
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_an_owner_gives_its_window_table_back)
{
	unsigned long used;
	struct thread thread;

	test_exclusive_start(8);
	used = zone->used_pages;
	machine_begin_thread(&thread, "short");
	EXPECT_EQUAL(zone->used_pages, used + 1);
	machine_end_thread(&thread);
	EXPECT_EQUAL(zone->used_pages, used);
	return test_exclusive_check();
}

CASE(exclusive, an_owner_without_memory_for_its_window_is_enomem)
{
	struct owner line;
	int error;

	test_exclusive_start(8);
	pile_leave(&pile, 16);
	error = owner_begin(&line, OWNER_IRQ, "irq 9 poor");
	EXPECT_EQUAL(error, -ENOMEM);
	EXPECT_EQUAL(node_free(node), 16);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

/* ---- Nobody else's ------------------------------------------------------------------------------- */

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
	EXPECT_EQUAL(log_count_since(mark, "page table of a window"), 3);
	EXPECT_EQUAL(page->state, PAGE_USED);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT(test_exclusive_take() != NULL);
	return test_exclusive_check();
}

/* ---- The refiller ------------------------------------------------------------------------------------ */

/* The page that the buddy would give next as a single one. */
static struct page *next_single(void)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		struct page *page = list_first(&zone->free_area[order].blocks,
		                               struct page, link);

		if (page != NULL)
			return page;
	}
	return NULL;
}

/* The lowest free page of a region that is split. */
static struct page *next_split(void)
{
	struct page *page = node->pages;

	while (!direct_map_is_split(node_pfn(node, page)) ||
	       (page->state != PAGE_FREE && page->state != PAGE_FREE_TAIL))
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

/* The spoilt page was told of and leaked, once. */
static const char *expect_leaked(const struct page *page, uint64_t mark)
{
	EXPECT_EQUAL(page->state, PAGE_BAD);
	EXPECT_EQUAL(zone->bad_pages, 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_bad_page), 1);
	EXPECT_EQUAL(log_count_since(mark, "Bad page state"), 1);
	return test_exclusive_check();
}

/* ---- A mapping besides the direct map -------------------------------------------- */

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
	EXPECT_EQUAL(log_count_since(mark, "refused"), 0);
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

/* What the check is for: somebody maps without counting. */
CASE(exclusive, the_check_looks_at_every_mapping)
{
	void *address;
	struct page *page;
	char said[200];
	void *mapped;

	test_exclusive_start(2);
	page = alloc_page(GFP_KERNEL);
	address = test_exclusive_take();
	EXPECT(page != NULL && address != NULL);
	const unsigned long pfn[] = {
		frame_of(address),
		node_pfn(node, page),
		node_pfn(node,
		         list_first(&node->pool.parked, struct page, link)),
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
		EXPECT_EQUAL(node->pool.count, 3 + expected);
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
	} while (node->pool.count > 0);
	EXPECT_EQUAL(got, 8 + 200 - FLOOR);
	EXPECT_EQUAL(refills, 1 + (200 - FLOOR + 7) / 8);
	EXPECT_EQUAL(node_free(node), FLOOR);
	pile_give(&pile, PILE_PAGES);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.count, 8);
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
	EXPECT_EQUAL(node->pool.count, 0);
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
	EXPECT_EQUAL(node->pool.count, 2);
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
	EXPECT_EQUAL(node->pool.count, 1);
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
	EXPECT_EQUAL(node->pool.count, 100);
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

/* ---- alloc_would_take_from() ---------------------------------------------------------------------------- */

static const char *test_exclusive_compare_answer(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	struct zone *said;
	struct page *page;
	char why[160];

	EXPECT_EQUAL(gfp_decode(mask, 0, &context, &request, why, sizeof(why)),
	             GFP_OK);
	said = alloc_would_take_from(node, &request);
	page = alloc_page(mask);
	if ((page == NULL) != (said == NULL) ||
	    (page != NULL && page_zone(node, page) != said))
		return test_failure("mask %#x: %s was said, %s came", mask,
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
	EXPECT(node->zone[ZONE_NORMAL].parked_pages > 0);
	EXPECT(node->zone[ZONE_DMA32].parked_pages > 0);
	for (unsigned int i = 0; i < 40; i++) {
		const char *wrong;

		wrong = test_exclusive_compare_answer(
			(i % 2 ? GFP_ATOMIC : GFP_KERNEL) | __GFP_EXCLUSIVE |
			__GFP_NOWARN);
		if (wrong != NULL)
			return wrong;
	}
	EXPECT(node->zone[ZONE_DMA].exclusive_pages > 0);
	EXPECT(node->zone[ZONE_DMA32].exclusive_pages > 0);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}

CASE(exclusive, would_take_from_knows_who_asks)
{
	struct mm_task task = { 0 };
	struct thread windowless = { .state = THREAD_RUNNABLE, .mm = &task };
	const char *wrong;

	test_exclusive_start(WINDOW_SLOTS + 8);
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
	EXPECT_EQUAL(timer.owned, 1);
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_SLOTS);
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

/* ---- The checker detects what it is there for --------------------------------------------------------------- */

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
	page->slot++;
	EXPECT(test_exclusive_check_says("X3"));
	page->slot--;
	me->owned++;
	EXPECT(test_exclusive_check_says("X3"));
	me->owned--;
	bitmap_set(me->slots, 400);
	EXPECT(test_exclusive_check_says("X5"));
	bitmap_clear(me->slots, 400);
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
