/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_detectors.c -- the detectors of mm/debug/: each bug is committed, and
 * the report expected.
 */
#include <string.h>

#include "mm/contig/contig.h"
#include "mm/debug/page_debug.h"
#include "mm/debug/page_guard.h"
#include "mm/debug/page_owner.h"
#include "mm/pcp.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(detectors);

#define PAGES 2048UL

static uint8_t marks[PAGES];
static struct page_owner owners[PAGES];
static struct pcp_cpu lists;
static struct node *node;

/* A machine whose node has the detectors of WANTED on. */
static void detectors_begin(const struct page_debug *wanted)
{
	struct page_debug debug = *wanted;

	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, 16, 24);
	for (unsigned long pfn = 0; pfn < PAGES; pfn += REGION_FRAMES)
		machine_split_at_boot(pfn);
	machine_start_exclusive(node, 0);
	pcp_start(node, &lists, 1);
	memset(marks, 0, sizeof(marks));
	memset(owners, 0, sizeof(owners));
	debug.mark = marks;
	page_debug_start(node, &debug);
	page_debug_explain_faults();
}

static const char *detectors_end(void)
{
	pcp_stop(node);
	return machine_finish();
}

/* ---- debug_pagealloc ----------------------------------------------------- */

CASE(detectors, touching_a_freed_page_faults_and_names_who_freed_it)
{
	struct fault fault = { 0 };
	struct page *page;
	uint8_t *memory;

	detectors_begin(&(struct page_debug){ .unmap = true });
	page = alloc_pages(GFP_KERNEL, 1);
	memory = page_address(page);
	memset(memory, 1, 2 * PAGE_SIZE);
	EXPECT(!machine_faults(memory, true, &fault));
	free_pages_node(node, page, 1, (uintptr_t)detectors_begin);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT(machine_faults(memory + i * PAGE_SIZE, i, &fault));
		EXPECT_EQUAL(fault.kind, FAULT_FREED);
		EXPECT_EQUAL(fault.pfn, node_pfn(node, page) + i);
		EXPECT_EQUAL(fault.area.taker, machine_main()->owner.id);
		EXPECT_EQUAL(fault.area.caller, (uintptr_t)detectors_begin);
		EXPECT_EQUAL(page_debug_last_fault(), fault.pfn);
	}
	return detectors_end();
}

static unsigned long visible_frames(void)
{
	unsigned long visible = 0;

	for (unsigned long pfn = 0; pfn < PAGES; pfn++)
		visible += direct_map_visible(pfn);
	return visible;
}

CASE(detectors, free_pages_are_unmapped_from_the_start_and_used_ones_are_not)
{
	struct page *page;
	unsigned long used;

	detectors_begin(&(struct page_debug){ .unmap = true });
	used = node_managed(node) - node_free(node);
	EXPECT_EQUAL(visible_frames(), used);
	page = alloc_pages(GFP_KERNEL, 3);
	EXPECT_EQUAL(visible_frames(), used + 8);
	__free_pages(page, 3);
	return detectors_end();
}

/* Each way in has its own call of the detectors. */
CASE(detectors, bulk_cut_zeroed_and_exclusive_pages_can_be_used)
{
	struct page *bulk[16] = { NULL };
	struct page *page;
	unsigned long bugs = machine_said("BUG:");
	uint8_t *exact;

	detectors_begin(&(struct page_debug){ .unmap = true, .poison = true });
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 16, bulk), 16);
	for (unsigned int i = 0; i < 16; i++)
		memset(page_address(bulk[i]), 1, PAGE_SIZE);
	for (unsigned int i = 0; i < 16; i++)
		__free_page(bulk[i]);
	exact = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL);
	memset(exact, 1, 3 * PAGE_SIZE);
	EXPECT(machine_faults(exact + 3 * PAGE_SIZE, true, NULL));
	free_pages_exact(exact, 3 * PAGE_SIZE);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(machine_faults(exact + i * PAGE_SIZE, true, NULL));
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	EXPECT_EQUAL(*(uint64_t *)page_address(page), 0);
	__free_page(page);
	EXPECT(exclusive_refill(node, 4) == 4);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 4);
	EXPECT_EQUAL(machine_said("BUG:"), bugs);
	return detectors_end();
}

CASE(detectors, no_free_page_is_given_the_short_way)
{
	struct page *page;

	detectors_begin(&(struct page_debug){ .unmap = true });
	/* The list is refilled, and nobody else closes the shortcut. */
	node->zone[ZONE_NORMAL].pcp[0]->batch = 8;
	node->pool.starved = false;
	pcp_shortcut_update();
	for (unsigned int i = 0; i < 64; i++) {
		page = alloc_page(GFP_KERNEL);
		EXPECT(page->flags & PAGE_WATCHED);
		EXPECT(direct_map_visible(node_pfn(node, page)));
		__free_page(page);
		EXPECT(!direct_map_visible(node_pfn(node, page)));
	}
	return detectors_end();
}

/* ---- debug_guardpage ----------------------------------------------------- */

static unsigned long guards(void)
{
	unsigned long found = 0;

	for (unsigned long pfn = 0; pfn < PAGES; pfn++)
		found += page_is_guard(node_page(node, pfn));
	return found;
}

static void guards_begin(void)
{
	detectors_begin(&(struct page_debug){
		.unmap = true, .guard = true, .owner = owners });
}

CASE(detectors, a_write_behind_a_block_faults_and_names_its_taker)
{
	struct page *page[96];
	struct fault fault;

	guards_begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++) {
		uint8_t *memory;

		page[i] = alloc_pages(GFP_KERNEL, i % 4);
		memory = page_address(page[i]);
		memset(memory, 1, PAGE_SIZE << (i % 4));
		page_set_caller(page[i], (uintptr_t)detectors_begin);
		EXPECT(machine_faults(memory + (PAGE_SIZE << (i % 4)), true,
		                      &fault));
		EXPECT_EQUAL(fault.kind, FAULT_OVERRUN);
		EXPECT_EQUAL(fault.pfn, node_pfn(node, page[i]));
		EXPECT_EQUAL(fault.area.size, PAGE_SIZE << (i % 4));
		EXPECT_EQUAL(fault.area.taker, machine_main()->owner.id);
		EXPECT_EQUAL(fault.area.caller, (uintptr_t)detectors_begin);
	}
	EXPECT_EQUAL(guards(), ARRAY_SIZE(page));
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++)
		__free_pages(page[i], i % 4);
	EXPECT_EQUAL(guards(), 0);
	return detectors_end();
}

/* The rest of the larger block is free again immediately. */
CASE(detectors, a_guard_costs_one_page_and_goes_with_the_last_part_of_its_block)
{
	struct page *page;
	unsigned long free;
	uint8_t *exact;

	guards_begin();
	free = node_free(node);
	exact = alloc_pages_exact(8 * PAGE_SIZE, GFP_KERNEL);
	page = virt_to_page(exact);
	EXPECT_EQUAL(node_free(node), free - 8 - 1);
	for (unsigned int i = 0; i < 7; i++)
		__free_page(page + i);
	EXPECT_EQUAL(node_free(node), free - 2);
	EXPECT(page_is_guard(page + 8));
	__free_page(page + 7);
	EXPECT_EQUAL(node_free(node), free);
	/* The tail that is given back was in front of it. */
	exact = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL);
	EXPECT_EQUAL(node_free(node), free - 3);
	EXPECT(machine_faults(exact + 3 * PAGE_SIZE, true, NULL));
	free_pages_exact(exact, 3 * PAGE_SIZE);
	/* Somebody has a reference to the first page only. */
	page = alloc_pages(GFP_KERNEL, 1);
	get_page(page);
	__free_pages(page, 1);
	EXPECT_EQUAL(node_free(node), free - 1);
	put_page(page);
	EXPECT_EQUAL(node_free(node), free);
	return detectors_end();
}

CASE(detectors, a_guard_is_in_use_refuses_a_free_and_is_nobodys_leak)
{
	struct page_owner_site table[3];
	struct page_owner_sites sites = { .site = table, .room = 3 };
	unsigned long refused = machine_said("it is the guard behind a block");
	static struct page *all[PAGES];
	unsigned long count = 0;
	struct page *page;

	guards_begin();
	/* The frame of the guard had an owner before. */
	while ((all[count] = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY |
	                                __GFP_NOWARN)) != NULL)
		count++;
	while (count-- > 0)
		__free_page(all[count]);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page_is_guard(page + 1));
	EXPECT(page_owner_of(node, node_pfn(node, page) + 1)->taken.time != 0);
	page_owner_sum(node, 0, 0, &sites);
	EXPECT_EQUAL(sites.count, 1);
	EXPECT_EQUAL(table[0].pages, 1);
	__free_page(page + 1);
	EXPECT_EQUAL(machine_said("it is the guard behind a block"),
	             refused + 1);
	EXPECT(page_is_guard(page + 1));
	__free_page(page);
	return detectors_end();
}

/* A guard cannot be moved; one of a pageblock would be in the next; and a request that
 * would bring the zone below its mark goes without. */
CASE(detectors, movable_large_and_needy_requests_have_no_guard)
{
	static struct page *page[PAGES];
	struct page *movable;
	struct page *large;
	unsigned long count = 0;

	guards_begin();
	movable = alloc_page(GFP_HIGHUSER_MOVABLE);
	large = alloc_pages(GFP_KERNEL, PAGEBLOCK_ORDER);
	EXPECT(movable != NULL && large != NULL);
	EXPECT_EQUAL(guards(), 0);
	while ((page[count] = alloc_page(GFP_NOWAIT | __GFP_NOWARN)) != NULL)
		count++;
	/* All but the reserve was taken; about half of it by guards. */
	EXPECT(node_free(node) <= node->zone[ZONE_NORMAL].watermark[WMARK_MIN]);
	EXPECT(count > guards());
	EXPECT(guards() > PAGES / 4);
	while (count-- > 0)
		__free_page(page[count]);
	EXPECT_EQUAL(guards(), 0);
	__free_page(movable);
	__free_pages(large, PAGEBLOCK_ORDER);
	return detectors_end();
}

CASE(detectors, the_check_finds_a_guard_that_is_shared_or_behind_a_free_page)
{
	struct zone *zone;
	struct page *page;
	char said[200];
	bool enabled;

	guards_begin();
	zone = &node->zone[ZONE_NORMAL];
	page = alloc_pages(GFP_KERNEL, 1);
	EXPECT(page_is_guard(page + 2));
	EXPECT(zone_check(zone, NULL, false, said, sizeof(said)) == NULL);
	page[2].refcount = 2;
	EXPECT(zone_check(zone, NULL, false, said, sizeof(said)) != NULL);
	EXPECT(strstr(said, "(G1)") != NULL);
	page[2].refcount = 1;
	enabled = spin_lock_irqsave(&zone->lock);
	EXPECT(page_guard_check(zone, page + 2) == NULL);
	page->state = PAGE_FREE;
	EXPECT(strcmp(page_guard_check(zone, page + 2), "G2") == 0);
	page->state = PAGE_USED;
	spin_unlock_irqrestore(&zone->lock, enabled);
	__free_pages(page, 1);
	return detectors_end();
}

/* ---- page_poison --------------------------------------------------------- */

CASE(detectors, a_write_to_a_free_page_is_reported_when_it_is_taken)
{
	struct page *page;
	uint8_t *memory;

	detectors_begin(&(struct page_debug){ .poison = true });
	page = alloc_page(GFP_KERNEL);
	memory = page_address(page);
	__free_page(page);
	memory[100] = 0x41;
	memory[120] = 0x42;
	EXPECT(alloc_page(GFP_KERNEL) == page);
	EXPECT_EQUAL(machine_said("was written to while it was free"), 1);
	EXPECT_EQUAL(
		machine_said("0x41 instead of 0xaa at offset 100, the last "
	                     "at 120"),
		1);
	__free_page(page);
	return detectors_end();
}

CASE(detectors, a_page_that_nobody_wrote_to_is_not_reported)
{
	unsigned long bugs = machine_said("BUG:");
	struct page *page[256];

	detectors_begin(&(struct page_debug){ .poison = true });
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 256; i++) {
			page[i] = alloc_pages(GFP_KERNEL, i % 3);
			memset(page_address(page[i]), (int)i, PAGE_SIZE);
		}
		for (unsigned int i = 0; i < 256; i++)
			__free_pages(page[i], i % 3);
	}
	EXPECT_EQUAL(machine_said("BUG:"), bugs);
	return detectors_end();
}

/* ---- init_on_alloc, init_on_free ----------------------------------------- */

CASE(detectors, init_on_alloc_zeroes_what_nobody_asked_to_be_zeroed)
{
	static const uint8_t zeroes[2 * PAGE_SIZE];
	struct page *page;

	detectors_begin(
		&(struct page_debug){ .init_on_alloc = true, .poison = true });
	page = alloc_pages(GFP_KERNEL, 1);
	EXPECT(memcmp(page_address(page), zeroes, sizeof(zeroes)) == 0);
	__free_pages(page, 1);
	return detectors_end();
}

CASE(detectors, init_on_free_leaves_no_byte_of_the_last_owner)
{
	static const uint8_t zeroes[PAGE_SIZE];
	struct page *page;

	detectors_begin(&(struct page_debug){ .init_on_free = true });
	page = alloc_page(GFP_KERNEL);
	memset(page_address(page), 0x41, PAGE_SIZE);
	__free_page(page);
	EXPECT(memcmp(machine_physical(node_pfn(node, page)), zeroes,
	              PAGE_SIZE) == 0);
	return detectors_end();
}

/* ---- slub_debug ---------------------------------------------------------- */

CASE(detectors, slub_debug_puts_red_zones_around_objects_of_all_caches)
{
	uint8_t *object;

	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	node->slab.debug = SLAB_RED_ZONE | SLAB_POISON;
	EXPECT(slab_start(node, 1, 1));
	object = kmalloc(100, GFP_KERNEL);
	EXPECT(object != NULL);
	EXPECT_EQUAL(object[128], 0xcc);
	kfree(object);
	EXPECT_EQUAL(object[128], 0xbb);
	EXPECT_EQUAL(object[0], 0x6b);
	EXPECT(slab_stop(node));
	return machine_finish();
}

/* ---- page_owner ---------------------------------------------------------- */

CASE(detectors, page_owner_keeps_who_took_and_who_freed_a_page)
{
	static struct owner line;
	const struct page_owner *owner;
	struct page *page;

	detectors_begin(&(struct page_debug){ .owner = owners });
	machine_advance(1000);
	machine_begin_line(&line, "disk");
	machine_enter_irq(&line);
	page = alloc_pages(GFP_ATOMIC, 2);
	machine_leave_irq();
	owner = page_owner_of(node, node_pfn(node, page) + 3);
	EXPECT_EQUAL(owner->taken.who, line.id);
	EXPECT(owner->in_interrupt);
	EXPECT_EQUAL(owner->gfp, GFP_ATOMIC);
	EXPECT_EQUAL(owner->order, 2);
	EXPECT_EQUAL(owner->freed.time, 0);
	machine_advance(500);
	free_pages_node(node, page, 2, (uintptr_t)detectors_begin);
	EXPECT_EQUAL(owner->freed.time, owner->taken.time + 500);
	EXPECT_EQUAL(owner->freed.who, machine_main()->owner.id);
	EXPECT_EQUAL(page_owner_frame(&owner->freed, 0),
	             (uintptr_t)detectors_begin);
	/* The record of the free stays while the page is used again. */
	page = alloc_pages(GFP_KERNEL, 2);
	EXPECT_EQUAL(owner->taken.who, machine_main()->owner.id);
	EXPECT(!owner->in_interrupt);
	EXPECT_EQUAL(page_owner_frame(&owner->freed, 0),
	             (uintptr_t)detectors_begin);
	__free_pages(page, 2);
	machine_end_line(&line);
	return detectors_end();
}

CASE(detectors, page_owner_says_who_took_and_who_freed_a_page)
{
	struct page *page;

	detectors_begin(&(struct page_debug){ .owner = owners });
	machine_advance(1000);
	page = alloc_page(GFP_KERNEL);
	page_owner_print(node, node_pfn(node, page));
	EXPECT_EQUAL(machine_said("taken at"), 1);
	EXPECT_EQUAL(machine_said("freed at"), 0);
	__free_page(page);
	page_owner_print(node, node_pfn(node, page));
	EXPECT_EQUAL(machine_said("taken at"), 2);
	EXPECT_EQUAL(machine_said("freed at"), 1);
	return detectors_end();
}

CASE(detectors, page_owner_sums_the_pages_of_one_owner)
{
	static struct owner line;
	struct page_owner_site table[3];
	struct page_owner_sites sites = { .site = table, .room = 3 };
	struct page *page[2];

	detectors_begin(&(struct page_debug){ .owner = owners });
	machine_advance(1000);
	page[0] = alloc_page(GFP_KERNEL);
	machine_begin_line(&line, "disk");
	machine_enter_irq(&line);
	page[1] = alloc_pages(GFP_ATOMIC, 1);
	machine_leave_irq();
	page_owner_sum(node, 0, line.id, &sites);
	EXPECT_EQUAL(sites.count, 1);
	EXPECT_EQUAL(table[0].pages, 2);
	EXPECT_EQUAL(table[0].pfn, node_pfn(node, page[1]));
	__free_page(page[0]);
	__free_pages(page[1], 1);
	machine_end_line(&line);
	return detectors_end();
}

CASE(detectors, page_owner_notes_who_took_a_range)
{
	struct page *page;

	detectors_begin(&(struct page_debug){ .owner = owners });
	machine_advance(1000);
	page = alloc_contig_pages(PAGEBLOCK_PAGES, GFP_KERNEL);
	EXPECT(page != NULL);
	EXPECT_EQUAL(page_owner_of(node, node_pfn(node, page) + 5)->taken.who,
	             machine_main()->owner.id);
	free_contig_range(node_pfn(node, page), PAGEBLOCK_PAGES);
	return detectors_end();
}

static __noinline struct page *take_here(unsigned int order)
{
	return alloc_pages(GFP_KERNEL, order);
}

static __noinline struct page *take_there(unsigned int order)
{
	return alloc_pages(GFP_KERNEL, order);
}

CASE(detectors, page_owner_sums_the_pages_in_use_by_place_most_first)
{
	struct page_owner_site table[3];
	struct page_owner_sites sites = { .site = table, .room = 3 };
	struct page *page[6];
	uint64_t middle;

	detectors_begin(&(struct page_debug){ .owner = owners });
	machine_advance(1000);
	for (unsigned int i = 0; i < 3; i++)
		page[i] = take_here(0);
	machine_advance(1000);
	for (unsigned int i = 3; i < 5; i++)
		page[i] = take_there(2);
	middle = page_owner_of(node, node_pfn(node, page[3]))->taken.time;
	page[5] = alloc_page(GFP_KERNEL);
	page_owner_sum(node, 0, 0, &sites);
	EXPECT_EQUAL(sites.count, 3);
	EXPECT_EQUAL(table[0].pages, 8);
	EXPECT_EQUAL(table[0].blocks, 2);
	EXPECT_EQUAL(table[1].pages, 3);
	EXPECT_EQUAL(table[1].pfn, node_pfn(node, page[0]));
	EXPECT_EQUAL(table[2].pages, 1);
	EXPECT_EQUAL(sites.others, 0);
	sites.room = 1;
	page_owner_sum(node, 0, 0, &sites);
	EXPECT_EQUAL(table[0].pages + sites.others, 12);
	sites.room = 3;
	page_owner_sum(node, middle, 0, &sites);
	EXPECT_EQUAL(sites.count, 2);
	EXPECT_EQUAL(table[1].pages, 1);
	page_owner_sum(node, 0, 12345, &sites);
	EXPECT_EQUAL(sites.count, 0);
	for (unsigned int i = 0; i < 6; i++)
		__free_pages(page[i], page[i]->order);
	page_owner_sum(node, 0, 0, &sites);
	EXPECT_EQUAL(sites.count + sites.others, 0);
	return detectors_end();
}
