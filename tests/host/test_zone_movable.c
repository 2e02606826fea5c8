/* SPDX-License-Identifier: MIT */
/* tests/host/test_zone_movable.c -- where ZONE_MOVABLE begins, and who may use it. */
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "mm/boot/zone_movable.h"
#include "mm/contig/contig.h"
#include "mm/exclusive/exclusive.h"
#include "mm/node.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"
#include "tests/host/contig_scene.h"
#include "tests/suite.h"

SUITE(zone_movable);

#define NODES  4U
#define RANGES 4U

/* ---- Where it begins ----------------------------------------------------- */

/* RAM of some nodes: up to four ranges each, ascending; an empty one ends them. */
struct movable_machine {
	unsigned long range[NODES][RANGES][2];
};

static bool movable_machine_next(const void *data, unsigned int nid,
                                 unsigned long from, unsigned long *start,
                                 unsigned long *end)
{
	const struct movable_machine *machine = data;

	for (unsigned int i = 0; i < RANGES; i++) {
		const unsigned long *range = machine->range[nid][i];

		if (range[1] <= from)
			continue;
		*start = range[0] > from ? range[0] : from;
		*end = range[1];
		return true;
	}
	return false;
}

static const struct movable_amount nothing;
static unsigned long begins[NODES];

/* In the words of the command line, NULL: not said; the first node's start. */
static unsigned long movable_start_of(const struct movable_machine *machine,
                                      unsigned int nodes, const char *core,
                                      const char *movable)
{
	const struct movable_memory memory = { movable_machine_next, machine,
		                               nodes };
	struct movable_amount amount[2] = { nothing, nothing };

	if (core != NULL)
		kassert(movable_amount_parse(core, &amount[0]) == 0);
	if (movable != NULL)
		kassert(movable_amount_parse(movable, &amount[1]) == 0);
	zone_movable_find(&memory, &amount[0], &amount[1], begins);
	return begins[0];
}

/* RAM from frame 1 to 1 GiB. */
static const struct movable_machine gib = { { { { 1, 262144 } } } };

CASE(zone_movable, kernelcore_of_half_a_gib_begins_it_at_132096)
{
	EXPECT_EQUAL(movable_start_of(&gib, 1, "512M", NULL), 132096);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "524288k", NULL), 132096);
	/* 131071 pages. */
	EXPECT_EQUAL(movable_start_of(&gib, 1, "50%", NULL), 131072);
	return NULL;
}

CASE(zone_movable, movablecore_is_rounded_up_to_1024_pages)
{
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "100M"), 236544);
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "4000k"), 261120);
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "4k"), 261120);
	/* 26214 pages are 26 times 1024. */
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "10%"), 235520);
	return NULL;
}

CASE(zone_movable, the_larger_share_of_the_kernel_counts)
{
	EXPECT_EQUAL(movable_start_of(&gib, 1, "512M", "100M"), 236544);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "1000M", "100M"), 257024);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "4M", "512M"), 131072);
	return NULL;
}

CASE(zone_movable, there_is_none_without_a_word_or_with_all_for_the_kernel)
{
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, NULL), 0);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "0", NULL), 0);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "1G", NULL), 0);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "100%", NULL), 0);
	EXPECT_EQUAL(movable_start_of(&gib, 1, "16G", NULL), 0);
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "0%"), 0);
	/* Nothing is left for the kernel: the word is ignored. */
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "100%"), 0);
	EXPECT_EQUAL(movable_start_of(&gib, 1, NULL, "16G"), 0);
	/* Rounded up, it would begin at the end. */
	EXPECT_EQUAL(movable_start_of(&gib, 1, "1048000k", NULL), 0);
	return NULL;
}

CASE(zone_movable, memory_below_the_highest_zone_of_the_kernel_is_never_in_it)
{
	/* 64 MB: DMA has 4095 pages, more than the kernel asks for. */
	const struct movable_machine small = { { { { 1, 16384 } } } };
	/* 12 MB: DMA is the highest. */
	const struct movable_machine tiny = { { { { 1, 3072 } } } };

	EXPECT_EQUAL(movable_start_of(&small, 1, "4M", NULL), 4096);
	EXPECT_EQUAL(movable_start_of(&small, 1, "32M", NULL), 9216);
	EXPECT_EQUAL(movable_start_of(&tiny, 1, "4M", NULL), 2048);
	return NULL;
}

CASE(zone_movable, of_6_gib_with_4_for_the_kernel_it_begins_at_1311744)
{
	/* The BIOS's hole; 3 GiB below 4 GiB, 3 above. */
	const struct movable_machine machine = { { {
		{ 1, 159 },
		{ 256, 786432 },
		{ 1048576, 1835008 },
	} } };

	EXPECT_EQUAL(movable_start_of(&machine, 1, "4G", NULL), 1311744);
	/* The memory below is enough: NORMAL is empty. */
	EXPECT_EQUAL(movable_start_of(&machine, 1, "2G", NULL), 1048576);
	return NULL;
}

CASE(zone_movable, a_node_smaller_than_its_share_has_none_and_others_keep_more)
{
	const struct movable_machine two = { {
		{ { 1, 65536 } },
		{ { 65536, 524288 } },
	} };
	const struct movable_machine three = { {
		{ { 1, 65536 } },
		{ { 65536, 131072 } },
		{ { 131072, 524288 } },
	} };

	EXPECT_EQUAL(movable_start_of(&two, 2, "1G", NULL), 0);
	EXPECT_EQUAL(begins[1], 263168);
	/* 600 MiB: 51200 pages each; in the first one DMA's count as well. */
	EXPECT_EQUAL(movable_start_of(&three, 3, "600M", NULL), 52224);
	EXPECT_EQUAL(begins[1], 116736);
	EXPECT_EQUAL(begins[2], 182272);
	return NULL;
}

CASE(zone_movable, random_machines_keep_what_the_kernel_asks_for)
{
	struct random dice = { test_seed() };

	for (unsigned int round = 0; round < 2000; round++) {
		struct movable_machine machine = { 0 };
		unsigned int nodes = 1 + (unsigned int)random_below(&dice, 4);
		struct movable_memory memory = { movable_machine_next, &machine,
			                         nodes };
		struct movable_amount core = { 0 };
		unsigned long at = 1;
		unsigned long all = 0;
		unsigned long kept = 0;
		bool any = false;

		for (unsigned int n = 0; n < nodes; n++) {
			unsigned long last = 1 + random_below(&dice, RANGES);

			for (unsigned long i = 0; i < last; i++) {
				unsigned long *range = machine.range[n][i];

				range[0] = at + random_below(&dice, 3) * 5000;
				range[1] = range[0] + 1 +
				           random_below(&dice, 300000);
				at = range[1];
				all += range[1] - range[0];
			}
		}
		core.pages = random_below(&dice, all + all / 4);
		zone_movable_find(&memory, &core, &nothing, begins);
		for (unsigned int n = 0; n < nodes; n++) {
			EXPECT_EQUAL(begins[n] % MOVABLE_ALIGN, 0);
			any = any || begins[n] != 0;
			for (unsigned int i = 0; i < RANGES; i++) {
				const unsigned long *range =
					machine.range[n][i];
				unsigned long end = range[1];

				if (begins[n] != 0 && begins[n] < end)
					end = begins[n];
				kept += end > range[0] ? end - range[0] : 0;
			}
		}
		/* Division leaves less than a page a node. */
		EXPECT(kept + nodes >= (core.pages < all ? core.pages : all));
		EXPECT(core.pages != 0 || !any);
		EXPECT(core.pages < all || !any);
	}
	return NULL;
}

CASE(zone_movable, words_that_mean_nothing_are_refused)
{
	static const struct {
		const char *text;
		int error;
	} row[] = {
		{ "", -EINVAL },        { "x", -EINVAL },
		{ "%", -EINVAL },       { "5x%", -EINVAL },
		{ "-1", -EINVAL },      { "12M5", -EINVAL },
		{ "101%", -ERANGE },    { "99999999999999999999%", -ERANGE },
		{ "mirror", -ENODEV },  { "99999999999999999999", -ERANGE },
		{ "mirrors", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct movable_amount amount = { .pages = 7 };

		EXPECT_EQUAL(movable_amount_parse(row[i].text, &amount),
		             row[i].error);
		EXPECT(amount.pages == 7 && amount.per_cent == 0);
	}
	return NULL;
}

CASE(zone_movable, a_node_has_its_frames_in_it_from_there_on)
{
	static struct node other;
	static struct page pages[4096];
	static struct pageblock blocks[NODE_PAGEBLOCKS(4096)];

	machine_start(4096);
	node_init_movable(&other, pages, blocks, 0, 4096, 2048);
	EXPECT_EQUAL(other.zone[ZONE_DMA].spanned, 2048);
	EXPECT_EQUAL(other.zone[ZONE_DMA32].spanned, 0);
	EXPECT_EQUAL(other.zone[ZONE_NORMAL].spanned, 0);
	EXPECT_EQUAL(other.zone[ZONE_MOVABLE].start_pfn, 2048);
	EXPECT_EQUAL(other.zone[ZONE_MOVABLE].spanned, 2048);
	node_init(&other, pages, blocks, 0, 4096);
	EXPECT_EQUAL(other.zone[ZONE_DMA].spanned, 4096);
	EXPECT_EQUAL(other.zone[ZONE_MOVABLE].spanned, 0);
	return NULL;
}

/* ---- Who may use it ------------------------------------------------------ */

#define KERNEL_PAGES  2048UL
#define MOVABLE_PAGES 2048UL

static struct zone *low, *high;

/* DMA32 and MOVABLE, 2048 frames each. */
static void movable_scene(void)
{
	const unsigned long pages[ZONE_COUNT] = { 0, KERNEL_PAGES, 0,
		                                  MOVABLE_PAGES };

	machine_start(KERNEL_PAGES + MOVABLE_PAGES);
	node = machine_zones(0, pages);
	low = &node->zone[ZONE_DMA32];
	high = zone = &node->zone[ZONE_MOVABLE];
	node->watermark_boost_factor = 0;
}

/* Everything goes back, and nothing is missing. */
static const char *movable_end(void)
{
	const char *broken = contig_scene_check();

	if (broken != NULL)
		return broken;
	for (unsigned long pfn = 0; pfn < KERNEL_PAGES + MOVABLE_PAGES; pfn++) {
		struct page *page = node_page(node, pfn);

		if (page->state == PAGE_USED)
			free_pages_node(node, page, page->order,
			                RETURN_ADDRESS());
	}
	EXPECT_EQUAL(low->free_pages, KERNEL_PAGES);
	EXPECT_EQUAL(high->free_pages, MOVABLE_PAGES);
	return contig_scene_check();
}

/* How many pages a mask gets, until NULL; how many of them out of MOVABLE. */
static unsigned long movable_drain(gfp_t mask, unsigned long *movable)
{
	unsigned long count = 0;
	const struct page *page;

	*movable = 0;
	while ((page = alloc_pages_node(node, mask | __GFP_NOWARN, 0)) !=
	       NULL) {
		*movable += page->zone == ZONE_MOVABLE ? 1 : 0;
		count++;
	}
	return count;
}

CASE(zone_movable, only_highmem_and_movable_together_may_use_it)
{
	static const gfp_t other[] = {
		0,
		__GFP_HIGHMEM,
		__GFP_MOVABLE,
		__GFP_RECLAIMABLE,
		__GFP_HIGHMEM | __GFP_RECLAIMABLE,
		__GFP_DMA32 | __GFP_MOVABLE,
		__GFP_MEMALLOC,
		__GFP_MEMALLOC | __GFP_MOVABLE,
		__GFP_MEMALLOC | __GFP_HIGHMEM,
		GFP_ATOMIC,
	};
	unsigned long movable;

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		movable_scene();
		EXPECT_EQUAL(movable_drain(other[i], &movable), KERNEL_PAGES);
		EXPECT_EQUAL(movable, 0);
		EXPECT_EQUAL(high->free_pages, MOVABLE_PAGES);
		EXPECT(movable_end() == NULL);
	}
	movable_scene();
	EXPECT_EQUAL(movable_drain(__GFP_HIGHMEM | __GFP_MOVABLE, &movable),
	             KERNEL_PAGES + MOVABLE_PAGES);
	EXPECT_EQUAL(movable, MOVABLE_PAGES);
	return movable_end();
}

CASE(zone_movable, its_pages_go_before_those_of_the_kernel)
{
	movable_scene();
	for (unsigned long i = 0; i < MOVABLE_PAGES; i++) {
		const struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);

		EXPECT(page != NULL && page->zone == ZONE_MOVABLE);
	}
	EXPECT_EQUAL(low->free_pages, KERNEL_PAGES);
	return movable_end();
}

CASE(zone_movable, what_falls_back_from_it_leaves_the_kernel_its_reserve)
{
	unsigned long movable;

	movable_scene();
	/* A 256th of MOVABLE. */
	watermark_setup(node);
	EXPECT_EQUAL(low->lowmem_reserve[ZONE_MOVABLE], MOVABLE_PAGES / 256);
	EXPECT_EQUAL(low->lowmem_reserve[ZONE_NORMAL], 0);
	EXPECT_EQUAL(high->lowmem_reserve[ZONE_MOVABLE], 0);
	movable_drain(__GFP_HIGHMEM | __GFP_MOVABLE, &movable);
	EXPECT_EQUAL(low->free_pages,
	             low->watermark[WMARK_MIN] + MOVABLE_PAGES / 256);
	movable_drain(0, &movable);
	EXPECT_EQUAL(low->free_pages, low->watermark[WMARK_MIN]);
	return movable_end();
}

CASE(zone_movable, its_marks_do_not_follow_min_free_kbytes)
{
	movable_scene();
	node->min_free_kbytes = 1024;
	watermark_setup(node);
	EXPECT_EQUAL(low->watermark[WMARK_MIN], 256);
	EXPECT_EQUAL(high->watermark[WMARK_MIN], 32);
	/* The gap does: 256 pages are its share. */
	EXPECT_EQUAL(high->watermark[WMARK_LOW], 32 + 64);
	EXPECT_EQUAL(high->watermark[WMARK_HIGH], 32 + 2 * 64);
	EXPECT_EQUAL(node_lowmem(node), KERNEL_PAGES);
	EXPECT_EQUAL(node_managed(node), KERNEL_PAGES + MOVABLE_PAGES);
	return movable_end();
}

CASE(zone_movable, no_frame_of_it_becomes_exclusive)
{
	movable_scene();
	machine_start_exclusive(node, 3);
	/* As many as there are: the kernel's run out first. */
	EXPECT(exclusive_refill(node, KERNEL_PAGES + MOVABLE_PAGES) > 1000);
	EXPECT(low->parked_pages > 1000);
	EXPECT_EQUAL(high->parked_pages, 0);
	EXPECT_EQUAL(high->free_pages, MOVABLE_PAGES);
	while (exclusive_trim(node, 0) > 0)
		;
	EXPECT_EQUAL(low->parked_pages, 0);
	return contig_scene_check();
}

CASE(zone_movable, the_parked_pool_is_sized_by_the_memory_of_the_kernel)
{
	const unsigned long pages[ZONE_COUNT] = { 0, 8192, 0, 8192 };

	machine_start(16384);
	node = machine_zones(0, pages);
	exclusive_pool_init(node, NULL, 0);
	EXPECT_EQUAL(node->pool.high, exclusive_pool_high(8192));
	EXPECT(exclusive_pool_high(8192) < exclusive_pool_high(16384));
	return contig_scene_check();
}

CASE(zone_movable, pages_that_leave_a_range_of_it_stay_in_the_zone)
{
	unsigned long first;

	movable_scene();
	space_init(&anon_space, SPACE_ANON);
	kassert(space_fill(&anon_space, GFP_HIGHUSER_MOVABLE, 300) == 300);
	for (unsigned long i = 0; i < 300; i++)
		memset(page_address(anon_space.page[i]), (int)(i & 0xff),
		       PAGE_SIZE);
	first = ALIGN_DOWN(zone_pfn(high, anon_space.page[0]), PAGEBLOCK_PAGES);
	EXPECT_EQUAL(alloc_contig_range(first, first + PAGEBLOCK_PAGES,
	                                MIGRATE_MOVABLE, GFP_KERNEL),
	             0);
	for (unsigned long i = 0; i < 300; i++) {
		unsigned long pfn = node_pfn(node, anon_space.page[i]);

		EXPECT_EQUAL(anon_space.page[i]->zone, ZONE_MOVABLE);
		EXPECT(pfn < first || pfn >= first + PAGEBLOCK_PAGES);
	}
	EXPECT(contig_scene_intact(&anon_space));
	EXPECT_EQUAL(low->free_pages, KERNEL_PAGES);
	free_contig_range(first, PAGEBLOCK_PAGES);
	space_clear(&anon_space);
	EXPECT_EQUAL(high->free_pages, MOVABLE_PAGES);
	return movable_end();
}

CASE(zone_movable, contiguous_pages_of_the_kernel_are_not_looked_for_there)
{
	const struct page *page;

	movable_scene();
	page = alloc_contig_pages(512, GFP_KERNEL);
	EXPECT(page != NULL && page->zone == ZONE_DMA32);
	EXPECT_EQUAL(high->free_pages, MOVABLE_PAGES);
	return movable_end();
}
