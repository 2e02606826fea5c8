/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_boot_map.c -- real frames against the loader's real map.
 *
 * The rule is written out once more: a frame is memory if entries of type 1
 * cover all of its bytes and no other entry touches it.  Loaders do not hand
 * over overlaps of memory with memory, so that the bytes covered can be added.
 * The cases mean most under maps with holes: tests/run/boot_maps.py.
 */
#include "kernel/boot_memory.h"
#include "kernel/core/context.h"
#include "mm/boot/memmap.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(boot_map);

/* Frames START..END that the map says the same of. */
struct stretch {
	unsigned long start;
	unsigned long end;
	bool memory;
};

/*
 * If an entry begins or ends at byte AT, the stretch of PFN ends there: the
 * frame of that byte may differ, and so may the next one.
 */
static void cut_at(struct stretch *stretch, unsigned long pfn, uint64_t at)
{
	unsigned long frame = at >> PAGE_SHIFT;

	if (frame > pfn)
		stretch->end = min(stretch->end, frame);
	else if (frame == pfn)
		stretch->end = pfn + 1;
}

/* The stretch that begins at frame PFN. */
static struct stretch stretch_at(unsigned long pfn)
{
	const struct memmap *map = boot_memmap();
	struct stretch stretch = { pfn, ~0UL, false };
	uint64_t start = (uint64_t)pfn << PAGE_SHIFT;
	uint64_t end = start + PAGE_SIZE;
	uint64_t covered = 0;
	bool other = end > map->limit;

	cut_at(&stretch, pfn, map->limit);
	for (uint32_t i = 0; i < map->boot->map_entries; i++) {
		uint64_t base;
		uint64_t length;
		uint32_t type = boot_map_entry(map->boot, i, &base, &length);

		cut_at(&stretch, pfn, base);
		cut_at(&stretch, pfn, base + length);
		if (base >= end || base + length <= start)
			continue;
		if (type != BOOT_MEMORY_USABLE)
			other = true;
		covered += min(base + length, end) - max(base, start);
	}
	stretch.memory = !other && covered >= PAGE_SIZE;
	return stretch;
}

/*
 * Frames mostly come in order: scan the entries a single time for each stretch,
 * not for each frame.
 */
static bool is_memory(unsigned long pfn)
{
	static struct stretch last;

	if (pfn < last.start || pfn >= last.end)
		last = stretch_at(pfn);
	return last.memory;
}

CASE(boot_map, every_frame_of_memory_is_present_and_no_other)
{
	const struct node *node = main_node();
	unsigned long memory = 0;
	unsigned long present = 0;

	for (unsigned long i = 0; i < node->page_count; i++) {
		bool ours = is_memory(node->start_pfn + i);

		memory += ours;
		if (!ours &&
		    page_head(node, &node->pages[i])->state != PAGE_NONE)
			return test_failure("frame %#lx is in a hole",
			                    node->start_pfn + i);
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		present += node->zone[type].present;
	EXPECT_EQUAL(present, memory);
	EXPECT(is_memory(node->start_pfn + node->page_count - 1));
	return NULL;
}

static unsigned long in_holes(const struct drained *drained)
{
	unsigned long count = 0;
	struct list *at;

	list_for_each(at, &drained->pages) {
		const struct page *page = container_of(at, struct page, link);
		unsigned long pfn = page_to_pfn(page);

		for (unsigned long i = 0; i < 1UL << page->order; i++)
			count += !is_memory(pfn + i);
	}
	return count;
}

/* The right of a request that is to free memory ends at these, as in Linux. */
static unsigned long free_in_highatomic(const struct node *node)
{
	unsigned long pages = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		pages += node->zone[type].nr_free_highatomic;
	return pages;
}

CASE(boot_map, no_page_of_a_hole_is_handed_out)
{
	struct node *node = main_node();
	struct drained drained;
	unsigned long holes;
	unsigned long taken;
	unsigned long left;

	drained_init(&drained);
	/* Without __GFP_HIGH, which would set pageblocks aside for large blocks. */
	drain(&drained, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN);
	/* kswapd has had time to free cached files: those as well. */
	preempt_disable();
	drain(&drained, GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN);
	left = node_free(node) - free_in_highatomic(node);
	preempt_enable();
	holes = in_holes(&drained);
	taken = drained.count;
	drained_free(&drained);
	EXPECT_EQUAL(holes, 0);
	EXPECT_EQUAL(left, 0);
	EXPECT(taken > 0);
	return NULL;
}
