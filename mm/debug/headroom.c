/* SPDX-License-Identifier: MIT */
/* mm/debug/headroom.c -- how much a zone has left for a kind of request; for reports. */
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

unsigned long watermark_headroom(const struct zone *zone, unsigned long mark,
                                 enum zone_type highest,
                                 enum reserve_right right)
{
	unsigned long leave = 0;

	kassert(zone->type <= highest);
	kassert(right <= RESERVE_ALL);
	if (right != RESERVE_ALL)
		leave = watermark_floor(mark, right) +
		        zone->lowmem_reserve[highest];
	if (right == RESERVE_NONE)
		leave += zone->nr_free_highatomic;
	if (highatomic_flags(0, right) == 0)
		leave = max(leave, zone->nr_free_highatomic);
	leave += zone->nr_free_cma;
	return zone->free_pages > leave ? zone->free_pages - leave : 0;
}
