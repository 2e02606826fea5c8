/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_vmalloc_free.c -- Linux's rules of vfree() and vrealloc(), one by one.
 */
#include "kernel/arch/vmap.h"
#include "lib/string.h"
#include "tests/host/libmm.h"
#include "tests/host/test_vmalloc.h"
#include "tests/suite.h"

SUITE(vmalloc_rules);

/* 32 MiB of addresses for one CPU. */
#define LAZY_ONE 8192UL

/* ---- Freeing ------------------------------------------------------------- */

CASE(vmalloc_rules, pages_are_free_immediately_and_addresses_after_a_purge)
{
	unsigned long flushes;
	char *first;
	char *second;

	test_vmalloc_begin();
	first = vmalloc(3 * PAGE_SIZE);
	EXPECT(first != NULL);
	flushes = vmap_flushes();
	vfree(first);
	EXPECT_EQUAL(space->pages, 0);
	EXPECT_EQUAL(space->lazy_pages, 4);
	EXPECT(vmalloc_to_page(first) == NULL);
	EXPECT(test_vmalloc_is_kind(first, "lazy"));
	second = vmalloc(3 * PAGE_SIZE);
	EXPECT(second == first + 4 * PAGE_SIZE);
	EXPECT_EQUAL(vmap_flushes(), flushes);
	EXPECT_EQUAL(vmalloc_purge(space), 1);
	EXPECT_EQUAL(vmap_flushes(), flushes + 1);
	EXPECT_EQUAL(space->lazy_pages, 0);
	EXPECT(machine_faults(first, false, NULL));
	vfree(second);
	second = vmalloc(3 * PAGE_SIZE);
	EXPECT(second == first);
	vfree(second);
	return NULL;
}

/* Free areas of one page until the worker is called; how many. */
static unsigned long areas_until_wake(void)
{
	unsigned long areas = 0;

	while (vmalloc_wakes == 0 && areas < 20000) {
		void *memory = vmalloc(100);

		if (memory == NULL)
			break;
		vfree(memory);
		areas++;
	}
	return areas;
}

/* The frames of the areas' objects are the limit here. */
CASE(vmalloc_rules, more_than_32_mib_of_lazy_addresses_are_purged)
{
	test_vmalloc_start(3 * LAZY_ONE);
	EXPECT_EQUAL(space->lazy_max, LAZY_ONE);
	EXPECT_EQUAL(areas_until_wake(), LAZY_ONE / 2 + 1);
	EXPECT_EQUAL(vmalloc_wakes, 1);
	EXPECT(vmalloc_has_work(space));
	vmalloc_work(space);
	EXPECT(!vmalloc_has_work(space));
	EXPECT_EQUAL(space->purges, 1);
	EXPECT_EQUAL(space->areas, 0);
	EXPECT_EQUAL(vmap_flushes(), 1);
	return NULL;
}

CASE(vmalloc_rules, lazy_addresses_grow_with_the_doublings_of_cpus)
{
	static struct vmalloc_space four;

	test_vmalloc_begin();
	vmalloc_space_init(&four, node, vmap_base, vmap_base + vmap_size, 4);
	EXPECT_EQUAL(four.lazy_max, 24576);
	vmalloc_space_init(&four, node, vmap_base, vmap_base + vmap_size, 2);
	EXPECT_EQUAL(four.lazy_max, 16384);
	vmalloc_space_init(&four, node, vmap_base, vmap_base + vmap_size, 8);
	EXPECT_EQUAL(four.lazy_max, 32768);
	return NULL;
}

CASE(vmalloc_rules, without_addresses_the_lazy_ones_are_purged)
{
	static struct vmalloc_space small;
	void *memory[4];

	test_vmalloc_begin();
	vmalloc_space_init(&small, node, vmap_base, vmap_base + 8 * PAGE_SIZE,
	                   1);
	for (unsigned int i = 0; i < 4; i++) {
		memory[i] = vmalloc_in(&small, PAGE_SIZE, GFP_KERNEL, 0);
		EXPECT(memory[i] != NULL);
	}
	EXPECT(vmalloc_in(&small, PAGE_SIZE, GFP_KERNEL, 0) == NULL);
	vfree_in(&small, memory[1], 0);
	machine_enter_irq(NULL);
	vfree_in(&small, memory[2], 0);
	machine_leave_irq();
	/* The area that an interrupt has freed counts, too. */
	memory[1] = vmalloc_in(&small, 3 * PAGE_SIZE, GFP_KERNEL, 0);
	EXPECT(memory[1] == (char *)memory[0] + 2 * PAGE_SIZE);
	vfree_in(&small, memory[0], 0);
	vfree_in(&small, memory[1], 0);
	vfree_in(&small, memory[3], 0);
	vmalloc_purge(&small);
	EXPECT_EQUAL(small.areas, 0);
	return NULL;
}

CASE(vmalloc_rules, in_an_interrupt_vfree_leaves_the_area_until_the_worker_runs)
{
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(2 * PAGE_SIZE);
	EXPECT(memory != NULL);
	machine_enter_irq(NULL);
	vfree(memory);
	EXPECT_EQUAL(vmalloc_wakes, 1);
	machine_leave_irq();
	EXPECT_EQUAL(space->pages, 2);
	EXPECT(vmalloc_to_page(memory) != NULL);
	EXPECT(!machine_faults(memory, true, NULL));
	EXPECT(test_vmalloc_is_kind(memory, "deferred"));
	EXPECT(vmalloc_has_work(space));
	vmalloc_work(space);
	EXPECT(!vmalloc_has_work(space));
	EXPECT_EQUAL(space->pages, 0);
	EXPECT(vmalloc_to_page(memory) == NULL);
	EXPECT_EQUAL(space->purges, 0);
	return NULL;
}

CASE(vmalloc_rules, vfree_atomic_is_for_threads_that_cannot_sleep)
{
	uint64_t mark = log_mark();
	char *memory;
	char *wrong;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	wrong = vmalloc(PAGE_SIZE);
	preempt_disable();
	vfree_atomic(memory);
	EXPECT(!log_contains_since(mark, "BUG"));
	vfree(wrong);
	EXPECT(log_contains_since(mark, "vfree_atomic() is for it"));
	preempt_enable();
	EXPECT_EQUAL(space->pages, 2);
	vmalloc_work(space);
	EXPECT_EQUAL(space->pages, 0);
	return NULL;
}

/* ---- Wrong frees --------------------------------------------------------- */

CASE(vmalloc_rules, wrong_frees_are_refused_with_the_reason_and_change_nothing)
{
	uint64_t mark;
	unsigned long free;
	struct page *page;
	char *memory;
	char *mapped;

	test_vmalloc_begin();
	memory = vmalloc(2 * PAGE_SIZE);
	page = alloc_page(GFP_KERNEL);
	mapped = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	EXPECT(memory != NULL && mapped != NULL);
	free = node_free(node);
	mark = log_mark();
	vfree(NULL);
	vunmap(NULL);
	EXPECT_EQUAL(test_vmalloc_refusals(), 0);
	vfree(memory + 1);
	vfree(memory + PAGE_SIZE);
	EXPECT(log_contains_since(mark, "it is in the middle of an area"));
	EXPECT(log_contains_since(mark, "is vmalloc, made by"));
	vfree(page_address(page));
	vfree((void *)vmap_base + vmap_size);
	EXPECT(log_contains_since(mark, "nothing is allocated there"));
	vfree(mapped);
	EXPECT(log_contains_since(mark, "vunmap() is for it"));
	vunmap(memory);
	EXPECT(log_contains_since(mark, "vfree() is for it"));
	EXPECT_EQUAL(test_vmalloc_refusals(), 6);
	EXPECT_EQUAL(node_free(node), free);
	memory[0] = 1;
	mapped[0] = 1;
	vfree(memory);
	vunmap(mapped);
	__free_page(page);
	EXPECT_EQUAL(test_vmalloc_refusals(), 6);
	return NULL;
}

CASE(vmalloc_rules,
     the_second_vfree_is_refused_as_long_as_the_address_is_not_reused)
{
	uint64_t mark = log_mark();
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	machine_enter_irq(NULL);
	vfree(memory);
	vfree(memory);
	machine_leave_irq();
	EXPECT(log_contains_since(mark, "it is free already"));
	vfree_atomic(memory);
	EXPECT_EQUAL(test_vmalloc_refusals(), 2);
	vmalloc_work(space);
	vfree(memory);
	EXPECT_EQUAL(test_vmalloc_refusals(), 3);
	vmalloc_purge(space);
	vfree(memory);
	EXPECT_EQUAL(test_vmalloc_refusals(), 4);
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

CASE(vmalloc_rules, a_page_of_an_area_cannot_be_freed_behind_its_back)
{
	struct page *page;
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	page = vmalloc_to_page(memory);
	EXPECT_EQUAL(page_mapcount(page), 1);
	__free_page(page);
	EXPECT(page->state == PAGE_USED);
	memory[0] = 1;
	/* The area's own reference is missing now, and that is reported. */
	vfree(memory);
	EXPECT_EQUAL(test_vmalloc_refusals(), 1);
	return NULL;
}

CASE(vmalloc_rules, a_page_table_cannot_be_freed)
{
	struct page *table;
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	table = test_vmalloc_a_table();
	EXPECT(table != NULL);
	__free_page(table);
	EXPECT_EQUAL(test_vmalloc_refusals(), 1);
	memory[0] = 1;
	vfree(memory);
	return NULL;
}

/* ---- vrealloc() ---------------------------------------------------------- */

CASE(vmalloc_rules,
     vrealloc_keeps_the_address_within_the_area_and_copies_beyond)
{
	char *memory;
	char *same;
	char *larger;

	test_vmalloc_begin();
	memory = vrealloc(NULL, 5000, GFP_KERNEL);
	EXPECT(memory != NULL);
	memset(memory, 0x33, 2 * PAGE_SIZE);
	same = vrealloc(memory, 2 * PAGE_SIZE, GFP_KERNEL);
	EXPECT(same == memory);
	same = vrealloc(memory, 100, GFP_KERNEL | __GFP_ZERO);
	EXPECT(same == memory);
	EXPECT(memory[99] == 0x33 && memory[100] == 0 &&
	       memory[2 * PAGE_SIZE - 1] == 0);
	larger = vrealloc(memory, 2 * PAGE_SIZE + 1, GFP_KERNEL | __GFP_ZERO);
	EXPECT(larger != NULL && larger != memory);
	EXPECT(larger[99] == 0x33 && larger[100] == 0);
	EXPECT(larger[3 * PAGE_SIZE - 1] == 0);
	EXPECT(test_vmalloc_is_kind(memory, "lazy"));
	EXPECT(vrealloc(larger, VMALLOC_FRAMES * PAGE_SIZE,
	                GFP_KERNEL | __GFP_NOWARN) == NULL);
	EXPECT(larger[99] == 0x33);
	EXPECT(vrealloc(larger + PAGE_SIZE, 10, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(test_vmalloc_refusals(), 1);
	EXPECT(vrealloc(larger, 0, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(space->pages, 0);
	return NULL;
}
