/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive_access.c -- code that does not own a page cannot touch it.
 */
#include "kernel/arch/arch.h"
#include "lib/string.h"
#include "tests/host/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive);

/* ---- Who cannot touch it ------------------------------------------------- */

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

CASE(exclusive, a_fault_in_an_empty_entry_names_its_window_and_no_frame)
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
