/* SPDX-License-Identifier: MIT */
/* mm/debug/extfrag.c -- how fragmented the free memory of a zone is, for one order. */
#include "mm/debug/extfrag.h"

#include "kernel/core/panic.h"

struct extfrag extfrag_read(struct zone *zone, unsigned int order)
{
	struct extfrag found = { .order = order };
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert(order <= MAX_ORDER);
	for (unsigned int at = 0; at <= MAX_ORDER; at++) {
		unsigned long count = zone->free_area[at].count;

		found.pages += count << at;
		found.blocks += count;
		if (at >= order)
			found.suitable += count << (at - order);
	}
	kassert(found.pages == zone->free_pages + zone->isolated_pages);
	spin_unlock_irqrestore(&zone->lock, enabled);
	return found;
}

long extfrag_index(const struct extfrag *free)
{
	unsigned long wanted = 1UL << free->order;

	if (free->blocks == 0)
		return 0;
	if (free->suitable > 0)
		return -1000;
	return 1000 -
	       (long)((1000 + free->pages * 1000 / wanted) / free->blocks);
}

unsigned long extfrag_unusable(const struct extfrag *free)
{
	unsigned long usable = free->suitable << free->order;

	kassert(usable <= free->pages);
	if (free->pages == 0)
		return 1000;
	return (free->pages - usable) * 1000 / free->pages;
}
