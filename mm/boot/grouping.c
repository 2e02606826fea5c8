/* SPDX-License-Identifier: MIT */
/*
 * mm/boot/grouping.c -- are pages grouped by mobility at all?
 *
 * A machine whose memory is less than a pageblock for each type has nothing to group: then
 * all requests count as UNMOVABLE (mm/pageblock.h#pageblock_request_type).
 *
 * Source: Linux 6.12 mm/page_alloc.c, build_all_zonelists().
 */
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

/* MIGRATE_TYPES of Linux with CMA and isolation. */
#define GROUPING_TYPES 6UL

void pageblock_group_by_mobility(struct node *node)
{
	unsigned long pages = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];
		unsigned long high = wmark_pages(zone, WMARK_HIGH);

		kassert(zone->node == node);
		pages += zone->managed > high ? zone->managed - high : 0;
	}
	node->no_mobility = pages < PAGEBLOCK_PAGES * GROUPING_TYPES;
}
