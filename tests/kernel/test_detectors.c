/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_detectors.c -- the detectors of mm/debug/ on the machine itself: a bug
 * is committed, and what is reported has the file and line of the statement.
 *
 * Which are on is decided by the command line, so most machines skip these cases; the boot
 * test detectors_selftest runs them.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/owner.h"
#include "kernel/core/printk.h"
#include "lib/string.h"
#include "mm/debug/page_owner.h"
#include "mm/page_alloc.h"
#include "tests/kernel/touch.h"
#include "tests/suite.h"

SUITE(detectors);

static const struct page_debug *debug_of_machine(void)
{
	return &main_node()->debug;
}

/* ---- debug_pagealloc ----------------------------------------------------- */

CASE(detectors, a_write_to_a_freed_page_faults_and_names_the_line_of_the_free)
{
	struct touched touched;
	unsigned int line;

	if (!debug_of_machine()->unmap)
		SKIP("debug_pagealloc=on");
	touched.memory = (uint8_t *)__get_free_pages(GFP_KERNEL, 0);
	EXPECT(touched.memory != NULL);
	touch(&touched);
	line = __LINE__ + 1;
	free_page((uintptr_t)touched.memory);
	EXPECT(touch_faults(&touched));
	EXPECT_EQUAL(touched.kind, FAULT_FREED);
	EXPECT_EQUAL(touched.area.taker, current_owner_id());
	EXPECT(is_line_of(touched.area.caller, __FILE__, line));
	return NULL;
}

/* ---- debug_guardpage ----------------------------------------------------- */

CASE(detectors, a_write_behind_a_block_faults_and_names_the_line_that_took_it)
{
	struct touched touched;
	bool caught[3];

	if (!debug_of_machine()->guard)
		SKIP("debug_guardpage=on");
	for (unsigned int order = 0; order < ARRAY_SIZE(caught); order++) {
		unsigned int line = __LINE__ + 1;
		uintptr_t memory = __get_free_pages(GFP_KERNEL, order);

		EXPECT(memory != 0);
		touched.memory = (uint8_t *)memory + (PAGE_SIZE << order) - 1;
		touch(&touched);
		touched.memory++;
		caught[order] = touch_faults(&touched);
		free_pages(memory, order);
		EXPECT(caught[order]);
		EXPECT_EQUAL(touched.kind, FAULT_OVERRUN);
		EXPECT_EQUAL(touched.area.start, memory);
		EXPECT_EQUAL(touched.area.taker, current_owner_id());
		EXPECT(is_line_of(touched.area.caller, __FILE__, line));
	}
	return NULL;
}

/* ---- page_poison --------------------------------------------------------- */

CASE(detectors, a_write_to_a_free_page_is_reported_to_its_next_taker)
{
	const struct page_debug *debug = debug_of_machine();
	uint64_t mark = log_mark();
	struct page *page;
	char *memory;

	if (!debug->poison || debug->unmap)
		SKIP("page_poison=on debug_pagealloc=off");
	/* No CPU has a list of that order: the next one gets it again. */
	page = alloc_pages(GFP_KERNEL, 4);
	EXPECT(page != NULL);
	memory = page_address(page);
	__free_pages(page, 4);
	memory[100] = 0x41;
	page = alloc_pages(GFP_KERNEL, 4);
	EXPECT(page != NULL && page_address(page) == memory);
	__free_pages(page, 4);
	EXPECT(log_contains_since(mark, "0x41 instead of 0xaa at offset 100"));
	return NULL;
}

/* ---- page_owner ---------------------------------------------------------- */

CASE(detectors, page_owner_has_the_lines_of_taking_and_of_the_free)
{
	const struct page_owner *owner;
	unsigned int took;
	unsigned int freed;
	struct page *page;

	if (debug_of_machine()->owner == NULL)
		SKIP("page_owner=on");
	took = __LINE__ + 1;
	page = alloc_pages(GFP_KERNEL, 1);
	EXPECT(page != NULL);
	freed = __LINE__ + 1;
	__free_pages(page, 1);
	owner = page_owner_of(main_node(), page_to_pfn(page) + 1);
	EXPECT(is_line_of(page_owner_frame(&owner->taken, 0), __FILE__, took));
	EXPECT(is_line_of(page_owner_frame(&owner->freed, 0), __FILE__, freed));
	/* The runner called the case. */
	EXPECT(page_owner_frame(&owner->taken, 1) != 0);
	EXPECT_EQUAL(page_owner_frame(&owner->taken, 1),
	             page_owner_frame(&owner->freed, 1));
	EXPECT_EQUAL(owner->taken.who, current_owner_id());
	return NULL;
}

/* ---- init_on_alloc ------------------------------------------------------- */

CASE(detectors, init_on_alloc_zeroes_each_page_that_is_taken)
{
	char *memory;
	unsigned int other = 0;

	if (!debug_of_machine()->init_on_alloc)
		SKIP("init_on_alloc=on");
	memory = (char *)__get_free_pages(GFP_KERNEL, 0);
	EXPECT(memory != NULL);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		other += memory[i] != 0;
	free_page((uintptr_t)memory);
	EXPECT_EQUAL(other, 0);
	return NULL;
}
