/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_map.c -- the map of memory says what is so.
 *
 * Each case shows the map, looks, and hides it.
 */
#include "drivers/screen.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/demo/map.h"
#include "kernel/refiller.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/node.h"
#include "mm/page_alloc.h"
#include "mm/slab/kmalloc.h"
#include "tests/suite.h"

SUITE(map);

static const char *run_shown(enum map_mode mode, const char *(*run)(void))
{
	const char *failure;
	int error = map_show(mode);

	if (error != 0)
		return test_failure("map_show() returns %d", error);
	failure = run();
	map_hide();
	return failure;
}

/*
 * After another look, has PFN's cell the kind NAME?  A cell of several frames may have
 * another one that matters more; then it says nothing.
 */
static bool is_now(unsigned long pfn, const char *name)
{
	unsigned int wanted = 0;
	unsigned int kind;

	map_refresh();
	kind = map_kind_of(pfn);
	while (map_kind_name(wanted) != NULL &&
	       strcmp(map_kind_name(wanted), name) != 0)
		wanted++;
	return kind == wanted ||
	       (kind > wanted && map_cell_frames() > 1 && kind < MAP_KINDS);
}

static unsigned long pfn_of(const void *memory)
{
	return virt_to_phys(memory) / PAGE_SIZE;
}

static const char *try_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long pfn;

	if (page == NULL)
		return "no page";
	pfn = page_to_pfn(page);
	EXPECT(is_now(pfn, "in use"));
	__free_page(page);
	EXPECT(map_cell_frames() > 1 || !is_now(pfn, "in use"));
	return NULL;
}

CASE(map, a_page_is_in_use_until_it_is_freed)
{
	return run_shown(MAP_STATE, try_page);
}

static const char *try_block(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 3);
	bool all = true;

	if (page == NULL)
		return "no block";
	for (unsigned long i = 0; i < 8; i++)
		all = all && is_now(page_to_pfn(page) + i, "in use");
	__free_pages(page, 3);
	EXPECT(all);
	return NULL;
}

CASE(map, every_frame_of_a_block_has_its_kind)
{
	return run_shown(MAP_STATE, try_block);
}

static const char *try_object(void)
{
	void *object = kmalloc(64, GFP_KERNEL);
	bool slab;

	if (object == NULL)
		return "no object";
	slab = is_now(pfn_of(object), "slab, kmalloc");
	kfree(object);
	EXPECT(slab);
	return NULL;
}

CASE(map, memory_of_kmalloc_is_a_slab)
{
	return run_shown(MAP_STATE, try_object);
}

static const char *try_exclusive(void)
{
	void *memory = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	unsigned int level;
	unsigned long pfn;
	bool owned;
	bool own;

	if (memory == NULL)
		return "no exclusive page";
	pfn = (paging_lookup((uintptr_t)memory, &level) & PTE_ADDRESS) /
	      PAGE_SIZE;
	owned = is_now(pfn, "exclusive");
	own = map_show(MAP_OWNER) == 0 &&
	      strcmp(map_kind_name(map_kind_of(pfn)) ?: "", "") == 0 &&
	      map_kind_of(pfn) < MAP_KINDS;
	own = map_show(MAP_STATE) == 0 && own;
	(void)exclusive_release(memory);
	EXPECT(owned);
	EXPECT(own);
	EXPECT(is_now(pfn, "parked"));
	EXPECT(map_cell_frames() > 1 || !is_now(pfn, "exclusive"));
	return NULL;
}

CASE(map, an_exclusive_page_is_seen_with_its_owner_until_it_is_parked)
{
	const char *failure;

	refiller_pause(true);
	failure = run_shown(MAP_STATE, try_exclusive);
	refiller_pause(false);
	return failure;
}

static unsigned long sum_of_counts(void)
{
	unsigned long sum = 0;

	for (unsigned int kind = 0; kind < MAP_KINDS; kind++)
		sum += map_count(kind);
	return sum;
}

static const char *try_sums(void)
{
	const struct node *node = main_node();
	unsigned long frames = node->page_count;
	unsigned long managed = node_managed(node);

	for (enum map_mode mode = 0; mode < MAP_MODES; mode++) {
		EXPECT_EQUAL(map_show(mode), 0);
		map_refresh();
		if (mode == MAP_AGE)
			frames = ALIGN_UP(frames, map_cell_frames());
		EXPECT_EQUAL(sum_of_counts(), frames);
		if (mode != MAP_AGE)
			EXPECT_EQUAL(map_count(0), node->page_count - managed);
	}
	return NULL;
}

CASE(map, counts_of_every_mode_add_up_to_the_frames_of_the_node)
{
	return run_shown(MAP_STATE, try_sums);
}

static const char *try_age(void)
{
	const struct node *node = main_node();

	map_refresh();
	/* The refiller may park a pageblock meanwhile. */
	EXPECT(map_count(0) > node->page_count / 2);
	return NULL;
}

CASE(map, nothing_is_young_when_the_map_begins)
{
	/* Its cells are where something else was. */
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		struct page *page = alloc_pages(GFP_NOWAIT, order);

		if (page == NULL)
			break;
		memset(page_address(page), 0xff, PAGE_SIZE << order);
		__free_pages(page, order);
	}
	return run_shown(MAP_AGE, try_age);
}

static const char *try_beyond(void)
{
	const struct node *node = main_node();
	unsigned long end = node_pfn(node, node->pages) + node->page_count;

	EXPECT(map_kind_of(end - 1) < MAP_KINDS);
	EXPECT_EQUAL(map_kind_of(end), MAP_KINDS);
	EXPECT(map_kind_name(MAP_KINDS) == NULL);
	return NULL;
}

CASE(map, frames_beyond_the_node_have_no_kind)
{
	return run_shown(MAP_STATE, try_beyond);
}

CASE(map, the_consoles_have_the_screen_again_when_it_is_hidden)
{
	EXPECT(!map_is_shown());
	EXPECT_EQUAL(screen_rows(), screen_full_rows());
	EXPECT_EQUAL(map_show(MAP_STATE), 0);
	EXPECT(map_is_shown());
	EXPECT(screen_rows() < screen_full_rows());
	map_hide();
	EXPECT(!map_is_shown());
	EXPECT_EQUAL(screen_rows(), screen_full_rows());
	/* Twice is no harm. */
	map_hide();
	return NULL;
}
