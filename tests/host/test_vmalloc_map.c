/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_vmalloc_map.c -- Linux's rules of vmap(), one by one; pages by their
 * addresses; and the check.
 */
#include "kernel/arch/vmap.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/exclusive/exclusive.h"
#include "mm/slab/kmalloc.h"
#include "tests/host/libmm.h"
#include "tests/host/test_vmalloc.h"
#include "tests/suite.h"

SUITE(vmalloc_rules);

/* ---- Mapping pages of others --------------------------------------------- */

CASE(vmalloc_rules, vmap_shows_the_same_pages_in_the_order_asked_for)
{
	struct page *page[3];
	char *memory;

	test_vmalloc_begin();
	for (unsigned int i = 0; i < 3; i++) {
		page[i] = alloc_page(GFP_KERNEL);
		memset(page_address(page[i]), 'a' + (int)i, PAGE_SIZE);
	}
	page[1] = page[2];
	memory = vmap(page, 3, VM_MAP, PAGE_KERNEL);
	EXPECT(memory != NULL);
	EXPECT(memory[0] == 'a' && memory[PAGE_SIZE] == 'c' &&
	       memory[2 * PAGE_SIZE] == 'c');
	memory[PAGE_SIZE + 5] = 'x';
	EXPECT(((char *)page_address(page[2]))[5] == 'x');
	EXPECT(memory[2 * PAGE_SIZE + 5] == 'x');
	EXPECT_EQUAL(page_mapcount(page[2]), 2);
	EXPECT_EQUAL(page_ref_count(page[2]), 3);
	EXPECT(machine_faults(memory + 3 * PAGE_SIZE, false, NULL));
	EXPECT_EQUAL(space->pages, 0);
	vunmap(memory);
	EXPECT_EQUAL(page_mapcount(page[2]), 0);
	EXPECT_EQUAL(page_ref_count(page[2]), 1);
	__free_page(page[0]);
	__free_page(page[2]);
	/* The page that was overwritten in the array. */
	for (unsigned long pfn = 0; pfn < VMALLOC_FRAMES; pfn++) {
		struct page *at = node_page(node, pfn);

		if (at->state == PAGE_USED && !(at->flags & PAGE_TABLE) &&
		    *(char *)page_address(at) == 'b')
			__free_page(at);
	}
	return NULL;
}

CASE(vmalloc_rules, vunmap_by_a_thread_that_cannot_sleep_is_refused)
{
	struct page *page;
	uint64_t mark;
	void *memory;

	test_vmalloc_begin();
	page = alloc_page(GFP_KERNEL);
	memory = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	EXPECT(memory != NULL);
	mark = log_mark();
	preempt_disable();
	vunmap(memory);
	preempt_enable();
	EXPECT(log_contains_since(mark, "the caller cannot sleep"));
	EXPECT(vmalloc_to_page(memory) == page);
	vunmap(memory);
	__free_page(page);
	return NULL;
}

CASE(vmalloc_rules, each_mapping_of_a_page_is_found_with_its_area)
{
	struct vmalloc_info info;
	struct page *page[3];
	uintptr_t at;
	unsigned long pfn;
	char *first;
	char *second;

	test_vmalloc_begin();
	page[0] = alloc_page(GFP_KERNEL);
	page[1] = alloc_page(GFP_KERNEL);
	page[2] = page[0];
	pfn = node_pfn(node, page[0]);
	first = vmap(page, 3, VM_MAP, PAGE_KERNEL);
	second = vmap(page, 1, VM_MAP, PAGE_KERNEL_RO);
	EXPECT(first != NULL && second > first);
	at = vmap_base;
	EXPECT(vmalloc_find_mapping(space, pfn, 1, &at, &info));
	EXPECT_EQUAL(at, (uintptr_t)first);
	at += PAGE_SIZE;
	EXPECT(vmalloc_find_mapping(space, pfn, 1, &at, &info));
	EXPECT_EQUAL(at, (uintptr_t)first + 2 * PAGE_SIZE);
	EXPECT_EQUAL(info.start, (uintptr_t)first);
	at += PAGE_SIZE;
	EXPECT(vmalloc_find_mapping(space, pfn, 1, &at, &info));
	EXPECT_EQUAL(at, (uintptr_t)second);
	EXPECT_EQUAL(info.start, (uintptr_t)second);
	at += PAGE_SIZE;
	EXPECT(!vmalloc_find_mapping(space, pfn, 1, &at, &info));
	vunmap(first);
	vunmap(second);
	at = vmap_base;
	EXPECT(!vmalloc_find_mapping(space, pfn, 1, &at, &info));
	__free_page(page[0]);
	__free_page(page[1]);
	return NULL;
}

CASE(vmalloc_rules, a_page_freed_behind_its_mapping_is_reported_with_the_area)
{
	uint64_t mark = log_mark();
	struct page *page;
	void *memory;
	char text[64];

	test_vmalloc_begin();
	page = alloc_page(GFP_KERNEL);
	memory = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	EXPECT(memory != NULL);
	__free_page(page);
	EXPECT(!log_contains_since(mark, "mapped at"));
	put_page(page); /* the mapping's */
	EXPECT_EQUAL(page->state, PAGE_BAD);
	scnprintf(text, sizeof(text), "  mapped at %#lx, in",
	          (unsigned long)(uintptr_t)memory);
	EXPECT(log_contains_since(mark, text));
	EXPECT(log_contains_since(mark, "of vmap, made by"));
	vunmap(memory);
	return NULL;
}

CASE(vmalloc_rules, a_read_only_mapping_cannot_be_written)
{
	struct page *page;
	char *memory;

	test_vmalloc_begin();
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	memory = vmap(&page, 1, VM_MAP, PAGE_KERNEL_RO);
	EXPECT(memory != NULL);
	EXPECT(!machine_faults(memory, false, NULL));
	EXPECT(machine_faults(memory, true, NULL));
	vunmap(memory);
	__free_page(page);
	return NULL;
}

CASE(vmalloc_rules, vfree_of_pages_that_were_put_into_an_area_frees_them)
{
	struct page **pages;
	char *memory;

	test_vmalloc_begin();
	for (unsigned int round = 0; round < 2; round++) {
		pages = kmalloc(2 * sizeof(*pages), GFP_KERNEL);
		pages[0] = alloc_page(GFP_KERNEL);
		pages[1] = alloc_page(GFP_KERNEL);
		memory = vmap(pages, 2, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
		EXPECT(memory != NULL);
		if (round == 0) {
			vfree(memory);
			continue;
		}
		/* As in Linux, vunmap() leaves them to the caller. */
		vunmap(memory);
		__free_page(pages[0]);
		__free_page(pages[1]);
		kfree(pages);
	}
	vmalloc_purge(space);
	EXPECT_EQUAL(test_vmalloc_data_pages(), 0);
	return NULL;
}

CASE(vmalloc_rules, vmap_of_a_page_that_may_not_be_mapped_changes_nothing)
{
	uint64_t mark = log_mark();
	struct page *page[3];
	void *address = NULL;

	test_vmalloc_begin();
	machine_start_exclusive(node, 4);
	exclusive_balance(node);
	page[0] = alloc_page(GFP_KERNEL);
	page[1] = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	page[2] = alloc_page(GFP_KERNEL);
	EXPECT(page[0] != NULL && page[1] != NULL && page[2] != NULL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 3 }, VM_MAP, PAGE_KERNEL,
	               0, &address) == -EBUSY);
	EXPECT(vmap(page, 3, VM_MAP, PAGE_KERNEL) == NULL);
	EXPECT(log_contains_since(mark, "an exclusive page has one mapping"));
	EXPECT_EQUAL(page_mapcount(page[0]), 0);
	EXPECT_EQUAL(page_ref_count(page[0]), 1);
	EXPECT(exclusive_release(exclusive_address(page[1])) == 0);
	__free_page(page[2]);
	page[1] = node_page(node, VMALLOC_FRAMES - 1);
	EXPECT(page_head(main_node(), page[1])->state == PAGE_FREE);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 2 }, VM_MAP, PAGE_KERNEL,
	               0, &address) == -EINVAL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 1 }, 4, PAGE_KERNEL, 0,
	               &address) == -EINVAL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 0 }, VM_MAP, PAGE_KERNEL,
	               0, &address) == -EINVAL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, VMALLOC_FRAMES + 1 },
	               VM_MAP, PAGE_KERNEL, 0, &address) == -EINVAL);
	EXPECT(address == NULL);
	__free_page(page[0]);
	vmalloc_purge(space);
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

CASE(vmalloc_rules, each_allocation_of_vmap_fails_in_turn_and_nothing_is_lost)
{
	struct page *page[2];
	unsigned int failed = 1;

	for (unsigned int nth = 1; failed > 0; nth++) {
		void *memory;

		test_vmalloc_begin();
		page[0] = alloc_page(GFP_KERNEL);
		page[1] = page[0];
		fail_nth_set(machine_main(), nth, false);
		memory = vmap(page, 2, VM_MAP, PAGE_KERNEL);
		failed = fail_nth_failed(machine_main());
		fail_nth_set(machine_main(), 0, false);
		/* A slab may be made of fewer pages than were asked for first. */
		EXPECT(memory != NULL || failed > 0);
		vunmap(memory);
		EXPECT_EQUAL(page_ref_count(page[0]), 1);
		__free_page(page[0]);
		vmalloc_purge(space);
		EXPECT_EQUAL(test_vmalloc_data_pages(), 0);
		EXPECT(nth < 10);
		EXPECT(machine_finish() == NULL);
	}
	test_vmalloc_begin();
	return NULL;
}

CASE(vmalloc_rules,
     a_frame_that_becomes_exclusive_is_not_reached_by_its_old_address)
{
	struct page *page;
	char *memory;
	unsigned long pfn;

	test_vmalloc_begin();
	machine_start_exclusive(node, 4);
	memory = vmalloc(PAGE_SIZE);
	pfn = vmalloc_to_pfn(memory);
	vfree(memory);
	/* The TLB still knows it. */
	EXPECT(!machine_faults(memory, true, NULL));
	while ((page = alloc_page(GFP_KERNEL | __GFP_NORETRY |
	                          __GFP_EXCLUSIVE)) != NULL &&
	       page_to_pfn(page) != pfn)
		;
	EXPECT(page != NULL);
	EXPECT(machine_faults(memory, true, NULL));
	return NULL;
}

/* ---- By address ---------------------------------------------------------- */

CASE(vmalloc_rules, addresses_lead_to_pages_and_only_those_of_the_region)
{
	struct page *page;
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(3 * PAGE_SIZE);
	page = alloc_page(GFP_KERNEL);
	for (size_t at = 0; at < 3 * PAGE_SIZE; at += 1000) {
		memory[at] = (char)at;
		EXPECT(is_vmalloc_addr(memory + at));
		EXPECT(*(char *)(page_address(vmalloc_to_page(memory + at)) +
		                 at % PAGE_SIZE) == (char)at);
	}
	EXPECT(vmalloc_to_page(memory + 3 * PAGE_SIZE) == NULL);
	EXPECT(is_vmalloc_addr(memory + 3 * PAGE_SIZE));
	EXPECT(!is_vmalloc_addr(page_address(page)));
	EXPECT(!is_vmalloc_addr(NULL));
	EXPECT(!is_vmalloc_addr((void *)(vmap_base - 1)));
	EXPECT(!is_vmalloc_addr((void *)(vmap_base + vmap_size)));
	EXPECT(vmalloc_to_page(page_address(page)) == NULL);
	EXPECT_EQUAL(vmalloc_to_pfn(NULL), -1UL);
	vfree(memory);
	__free_page(page);
	return NULL;
}

CASE(vmalloc_rules, an_area_may_lie_across_two_tables_of_each_level)
{
	static struct vmalloc_space at_border;
	char *memory;

	test_vmalloc_begin();
	vmalloc_space_init(&at_border, node, vmap_base + GIB - 2 * PAGE_SIZE,
	                   vmap_base + GIB + 4 * PAGE_SIZE, 1);
	memory = vmalloc_in(&at_border, 5 * PAGE_SIZE, GFP_KERNEL, 0);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(at_border.tables, 4);
	memset(memory, 0x77, 5 * PAGE_SIZE);
	vfree_in(&at_border, memory, 0);
	vmalloc_purge(&at_border);
	EXPECT_EQUAL(at_border.areas, 0);
	return NULL;
}

/* ---- The check ----------------------------------------------------------- */

static bool check_says(const char *invariant)
{
	char buffer[100];
	const char *broken = vmalloc_check(space, buffer, sizeof(buffer));

	if (invariant == NULL)
		return broken == NULL;
	return broken != NULL &&
	       strncmp(broken, "vmalloc: invariant ", 19) == 0 &&
	       strncmp(broken + 19, invariant, 2) == 0;
}

CASE(vmalloc_rules, the_check_sees_each_invariant_that_is_broken)
{
	struct vm_struct *area;
	struct page *page;
	char *memory;
	char *lazy;

	test_vmalloc_begin();
	memory = vmalloc(40 * PAGE_SIZE);
	lazy = vmalloc(2 * PAGE_SIZE);
	vfree(lazy);
	EXPECT(check_says(NULL));
	area = vm_of(range_find(&space->ranges, (uintptr_t)memory));
	area->range.widest++;
	EXPECT(check_says("A1"));
	area->range.widest--;
	page = area->pages[39];
	area->pages[39] = area->pages[0];
	EXPECT(check_says("A2"));
	area->pages[39] = page;
	space->lazy_pages++;
	EXPECT(check_says("A4"));
	space->lazy_pages--;
	space->areas--;
	EXPECT(check_says("A4"));
	space->areas++;
	vmap_flush();
	vmap_set((uintptr_t)memory + 40 * PAGE_SIZE, page_to_pfn(page), true);
	EXPECT(check_says("A2"));
	vmap_clear((uintptr_t)memory + 40 * PAGE_SIZE);
	vmap_set((uintptr_t)lazy, page_to_pfn(page), true);
	EXPECT(check_says("A3"));
	vmap_clear((uintptr_t)lazy);
	EXPECT(check_says(NULL));
	vfree(memory);
	return NULL;
}
