/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/watermark_boost.c -- marks that are raised for a while.
 *
 * An attempt to claim a part of a pageblock (mm/pageblock.c) raises all marks of its zone by
 * a pageblock, up to a limit:
 *
 *	attempt		1	2	3	4	high mark 720, factor 15000
 *	boost		512	1024	1080	1080
 *
 * wmark_pages() adds the boost.  kswapd reclaims as many pages and takes the boost away
 * (mm/reclaim/kswapd.c); so does watermark_setup().
 *
 * Locking: zone->lock; the boost is read without it.
 *
 * Source: Linux 6.12 mm/page_alloc.c, boost_watermark().
 */
#include "mm/node.h"
#include "mm/watermark.h"

unsigned long watermark_boost_limit(const struct zone *zone)
{
	unsigned long limit = zone->watermark[WMARK_HIGH] *
	                      zone->node->watermark_boost_factor / 10000;

	if (limit == 0 || 4 * PAGEBLOCK_PAGES > zone->managed)
		return 0;
	return max(limit, PAGEBLOCK_PAGES);
}

bool watermark_boost(struct zone *zone, unsigned int blocks)
{
	unsigned long limit = watermark_boost_limit(zone);

	kassert(spin_is_mine(&zone->lock));
	kassert(blocks > 0);
	if (limit == 0)
		return false;
	WRITE_ONCE(
		zone->watermark_boost,
		min(zone->watermark_boost + blocks * PAGEBLOCK_PAGES, limit));
	return true;
}

unsigned long watermark_set_boost_factor(struct node *node,
                                         unsigned long factor)
{
	unsigned long before = node->watermark_boost_factor;

	node->watermark_boost_factor = factor;
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		bool enabled = spin_lock_irqsave(&zone->lock);

		WRITE_ONCE(zone->watermark_boost,
		           min(zone->watermark_boost,
		               watermark_boost_limit(zone)));
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	return before;
}
