/* SPDX-License-Identifier: MIT */
/* mm/debug/headroom.c -- how much a zone has left for a kind of request; for reports. */
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

unsigned long watermark_headroom(const struct zone *zone, unsigned long mark,
                                 enum zone_type highest,
                                 enum reserve_right right)
{
	unsigned long leave =
		watermark_to_leave(zone, mark, highest, right, true);

	kassert(zone->type <= highest);
	if (highatomic_flags(0, right) == 0)
		leave = max(leave, zone->nr_free_highatomic);
	/* They are never there, not even for one that may take everything. */
	leave += zone->nr_free_cma;
	return zone->free_pages > leave ? zone->free_pages - leave : 0;
}
