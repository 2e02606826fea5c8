/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_hotpath.c -- what a page of a CPU's list costs, in instructions.
 *
 * On a machine that counts instructions (QEMU with -icount, Bochs) the figures are
 * exact, and the same in each run.  Elsewhere the cases are skipped.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"
#include "mm/watermark.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(hotpath);

#define HOTPATH_ROUNDS 200U

/* Instructions of a pair at most.  The checked build also checks each addition and each
 * pointer. */
#ifdef CHECKED
#define HOTPATH_PAIR 5000U
#else
#define HOTPATH_PAIR 1000U
#endif

/* Instructions of a pair (an allocation, and its free), less those of the measuring.  The
 * shortest of many: interrupts come in between. */
static uint64_t hotpath_pair(gfp_t gfp, unsigned int order)
{
	uint64_t nothing = UINT64_MAX;
	uint64_t shortest = UINT64_MAX;

	for (unsigned int i = 0; i < HOTPATH_ROUNDS; i++) {
		uint64_t begin = arch_cycles();
		uint64_t middle = arch_cycles();
		struct page *page = alloc_pages(gfp, order);

		if (page == NULL)
			return UINT64_MAX;
		__free_pages(page, order);
		shortest = min(shortest, arch_cycles() - middle);
		nothing = min(nothing, middle - begin);
	}
	return (shortest - nothing) / irqsoff_ticks_per_instruction();
}

/* NULL, or a sentence: a pair takes more than MOST instructions.  Below a zone's high mark
 * a list keeps 4 batches, which on a small machine is less than a block: so the marks are
 * small meanwhile.  And the lists are empty, for one that is nearly full keeps no block. */
static const char *hotpath_at_most(const char *name, gfp_t gfp,
                                   unsigned int order, uint64_t most)
{
	struct node *node = main_node();
	uint32_t traced = node->trace.enabled;
	uint64_t count;

	WRITE_ONCE(node->trace.enabled, 0);
	pcp_shortcut_update();
	set_small_marks();
	pcp_drain_node(node);
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		WRITE_ONCE(node->zone[type].watermark_boost, 0);
	count = hotpath_pair(gfp, order);
	watermark_setup(node);
	WRITE_ONCE(node->trace.enabled, traced);
	pcp_shortcut_update();
	test_note("%s: %llu instructions", name, (unsigned long long)count);
	return count <= most ? NULL
	                     : test_failure("%s: %llu instructions, not %llu",
	                                    name, (unsigned long long)count,
	                                    (unsigned long long)most);
}

CASE(hotpath, an_order_0_pair_is_short)
{
	NEEDS_COUNT();
	return hotpath_at_most("order0_pair", GFP_KERNEL, 0, HOTPATH_PAIR);
}

CASE(hotpath, an_order_0_pair_by_gfp_atomic_is_short)
{
	NEEDS_COUNT();
	return hotpath_at_most("order0_pair_atomic", GFP_ATOMIC, 0,
	                       HOTPATH_PAIR);
}

CASE(hotpath, an_order_3_pair_is_short)
{
	NEEDS_COUNT();
	return hotpath_at_most("order3_pair", GFP_KERNEL, 3, HOTPATH_PAIR);
}

CASE(hotpath, an_order_9_pair_is_short)
{
	NEEDS_COUNT();
	if (main_node()->zone[ZONE_DMA32].managed < PCP_LARGE_ZONE)
		SKIP("a large zone");
	return hotpath_at_most("order9_pair", GFP_KERNEL | __GFP_COMP, 9,
	                       HOTPATH_PAIR);
}
