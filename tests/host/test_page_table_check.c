/* SPDX-License-Identifier: MIT */
/* tests/host/test_page_table_check.c -- entries that nobody counts, and the panics. */
#include <string.h>

#include "kernel/arch/vmap.h"
#include "kernel/arch/window.h"
#include "mm/debug/page_debug.h"
#include "mm/page_alloc.h"
#include "mm/slab/vmalloc.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(page_table_check);

#define PAGES 2048UL

static uint8_t marks[PAGES];
static uint16_t entries[PAGES];
static struct node *node;
static char *area; /* of a page: its guard is mapped by nobody */

static void entries_begin(void)
{
	const struct page_debug debug = { .mark = marks, .entries = entries };

	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	memset(marks, 0, sizeof(marks));
	memset(entries, 0, sizeof(entries));
	page_debug_start(node, &debug);
	machine_start_exclusive(node, 4);
	machine_start_vmalloc(node);
	exclusive_refill(node, 8);
	area = vmalloc(PAGE_SIZE);
}

static unsigned long entries_in_use(void)
{
	unsigned long sum = 0;

	for (unsigned long pfn = 0; pfn < PAGES; pfn++)
		sum += entries[pfn];
	return sum;
}

static uintptr_t behind_the_area(void)
{
	return (uintptr_t)area + PAGE_SIZE;
}

/* Does BREAK_IT end in a panic that says TEXT?  The machine is another one then. */
static bool entries_panic(void (*break_it)(void *page), struct page *page,
                          const char *text)
{
	char said[300];
	enum machine_end end = machine_try(break_it, page, said, sizeof(said));

	machine_start(0);
	return end == MACHINE_PANICKED &&
	       strstr(said, "page_table_check") != NULL &&
	       strstr(said, text) != NULL;
}

CASE(page_table_check, entries_of_vmalloc_and_windows_are_counted_and_go_again)
{
	char *more;
	void *mine;

	entries_begin();
	EXPECT(area != NULL);
	EXPECT_EQUAL(entries_in_use(), 1);
	more = vmalloc(5 * PAGE_SIZE);
	EXPECT(more != NULL);
	EXPECT_EQUAL(entries_in_use(), 6);
	mine = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	EXPECT(mine != NULL);
	EXPECT_EQUAL(entries[page_to_pfn(exclusive_page(mine))], 0x8000);
	EXPECT_EQUAL(exclusive_release(mine), 0);
	vfree(more);
	EXPECT_EQUAL(entries_in_use(), 1);
	vfree(area);
	EXPECT_EQUAL(entries_in_use(), 0);
	return NULL;
}

static void free_it(void *page)
{
	__free_page(page);
}

CASE(page_table_check, a_page_freed_while_an_uncounted_entry_maps_it_is_the_end)
{
	struct page *page;

	entries_begin();
	page = alloc_page(GFP_KERNEL);
	vmap_set(behind_the_area(), page_to_pfn(page), true);
	EXPECT_EQUAL(page_mapcount(page), 0);
	EXPECT(entries_panic(
		free_it, page,
		"is freed while it is mapped; entries of vmalloc: 1, of windows: 0"));
	return NULL;
}

static void take_every_page(void *page __unused)
{
	while (alloc_page(__GFP_MEMALLOC | __GFP_NOWARN) != NULL)
		;
}

CASE(page_table_check, a_free_page_that_is_mapped_is_noticed_by_its_next_taker)
{
	struct page *page;

	entries_begin();
	page = alloc_page(GFP_KERNEL);
	__free_page(page);
	vmap_set(behind_the_area(), page_to_pfn(page), true);
	EXPECT(entries_panic(
		take_every_page, page,
		"is taken while it is mapped; entries of vmalloc: 1, of windows: 0"));
	return NULL;
}

static void show_it(void *page)
{
	vmap_set(behind_the_area(), page_to_pfn(page), true);
}

CASE(page_table_check, an_entry_for_a_page_of_a_window_is_the_end)
{
	void *mine;

	entries_begin();
	mine = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	EXPECT(entries_panic(
		show_it, exclusive_page(mine),
		"entries of vmalloc: 0, of windows: 1, is mapped once more"));
	return NULL;
}

static void own_it(void *page)
{
	struct page *mine = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);

	kassert(mine == page);
}

CASE(page_table_check, a_mapped_frame_does_not_come_into_a_window)
{
	struct page *parked;
	void *mine;

	entries_begin();
	mine = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	parked = exclusive_page(mine);
	EXPECT_EQUAL(exclusive_release(mine), 0);
	/* It is the next that is taken. */
	vmap_set(behind_the_area(), node_pfn(node, parked), true);
	EXPECT(entries_panic(own_it, parked,
	                     "entries of vmalloc: 1, of windows: 0, is mapped "
	                     "into a window"));
	return NULL;
}

static void clear_it(void *page __unused)
{
	vmap_clear(behind_the_area());
}

CASE(page_table_check, an_entry_that_was_not_counted_cannot_be_cleared)
{
	struct page *page;

	entries_begin();
	page = alloc_page(GFP_KERNEL);
	vmap_set(behind_the_area(), page_to_pfn(page), true);
	entries[page_to_pfn(page)] = 0;
	EXPECT(entries_panic(clear_it, page,
	                     "is cleared that was not counted"));
	return NULL;
}
