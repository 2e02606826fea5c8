/* SPDX-License-Identifier: MIT */
/*
 * mm/watermark.c -- marks, floors and reserves.
 *
 * Each zone has three marks; the pages below the lowest are a reserve for requests
 * that cannot wait.  Zone DMA32 of a 256 MB machine, 61440 pages:
 *
 *	high 720 ------ kswapd stops here
 *	low  600 ------ below it a request wakes kswapd (the fast pass ends)
 *	min  480 ------ GFP_KERNEL, GFP_NOWAIT stop here
 *	     240 ------ __GFP_HIGH that may sleep stops here: min - min/2
 *	     180 ------ GFP_ATOMIC stops here: half less a quarter of it
 *	       0 ------ __GFP_MEMALLOC stops here
 *
 * A request for a higher zone that falls back to a lower one leaves the lower
 * zone's lowmem reserve alone as well, with no discount:
 *
 *	pass iff free - (2^order - 1) > floor + lowmem_reserve[highest zone]
 *
 * where the free pages of HIGHATOMIC pageblocks count only for requests with some right
 * (mm/reclaim/highatomic.c).
 *
 * Source: Linux mm/page_alloc.c, the functions named in mm/watermark.h.
 */
#include "mm/watermark.h"

#include "kernel/core/panic.h"
#include "lib/math.h"
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"

/* The marks of MOVABLE (and of high memory) do not follow min_free_kbytes. */
#define MOVABLE_MIN_DIVISOR 1024
#define MOVABLE_MIN_LOWEST  32UL
#define MOVABLE_MIN_HIGHEST 128UL

unsigned long watermark_min_free_kbytes(unsigned long lowmem_kb)
{
	unsigned long kbytes = int_sqrt(lowmem_kb * 16);

	return clamp(kbytes, MIN_FREE_KBYTES_MIN, MIN_FREE_KBYTES_MAX);
}

static void setup_marks(struct zone *zone, unsigned long pages_min,
                        unsigned long lowmem, unsigned long scale)
{
	unsigned long share =
		lowmem == 0 ? 0 : pages_min * zone->managed / lowmem;
	unsigned long gap = max(share / 4, zone->managed * scale / 10000);
	unsigned long lowest = share;

	kassert(spin_is_mine(&zone->lock));
	kassert(zone->type > ZONE_NORMAL || zone->managed <= lowmem);
	if (zone->type == ZONE_MOVABLE)
		lowest = clamp(zone->managed / MOVABLE_MIN_DIVISOR,
		               MOVABLE_MIN_LOWEST, MOVABLE_MIN_HIGHEST);
	for (unsigned int mark = 0; mark < WMARK_COUNT; mark++)
		zone->watermark[mark] = lowest + mark * gap;
	WRITE_ONCE(zone->watermark_boost, 0);
}

static void setup_lowmem_reserve(struct node *node, enum zone_type type)
{
	const unsigned long ratio = node->lowmem_reserve_ratio[type];
	struct zone *zone = &node->zone[type];
	unsigned long above = 0;

	kassert(type < ZONE_COUNT);
	kassert(spin_is_mine(&zone->lock));
	for (unsigned int j = 0; j < ZONE_COUNT; j++) {
		zone->lowmem_reserve[j] = 0;
		if (j <= type)
			continue;
		above += node->zone[j].managed;
		if (ratio != 0 && zone->managed != 0)
			zone->lowmem_reserve[j] = above / ratio;
	}
}

void watermark_setup(struct node *node)
{
	unsigned long lowmem = node_lowmem(node);

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		bool enabled = spin_lock_irqsave(&zone->lock);

		setup_marks(zone, node->min_free_kbytes / 4, lowmem,
		            node->watermark_scale_factor);
		setup_lowmem_reserve(node, (enum zone_type)type);
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	pcp_setup(node);
}

bool watermark_has_block(const struct zone *zone, unsigned int order,
                         enum reserve_right right, bool cma)
{
	return buddy_has_block(zone, order) ||
	       (cma && zone->nonempty[MIGRATE_CMA] >> order != 0) ||
	       (zone->nonempty[MIGRATE_HIGHATOMIC] >> order != 0 &&
	        highatomic_flags(order, right) != 0);
}

bool watermark_ok_cma(const struct zone *zone, unsigned int order,
                      unsigned long mark, enum zone_type highest,
                      enum reserve_right right, bool cma)
{
	kassert(zone->type <= highest);
	return watermark_would_pass(
		       zone, order, zone->free_pages,
		       watermark_to_leave(zone, mark, highest, right, cma),
		       right, cma) &&
	       watermark_has_block(zone, order, right, cma);
}

bool watermark_ok(const struct zone *zone, unsigned int order,
                  unsigned long mark, enum zone_type highest,
                  enum reserve_right right)
{
	return watermark_ok_cma(zone, order, mark, highest, right, false);
}
