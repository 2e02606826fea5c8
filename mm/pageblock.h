/* SPDX-License-Identifier: MIT */
/*
 * mm/pageblock.h -- mobility: pages that cannot move stay together.
 *
 * A pageblock is 512 neighbouring frames, the size of a huge page.  Each has a type
 * (mm/gfp.h#migratetype), and a request takes pages out of pageblocks of its type as
 * long as it can: mm/pageblock.c.
 *
 * All functions: zone->lock held unless they say otherwise; any context but NMI.
 */
#ifndef MM_PAGEBLOCK_H
#define MM_PAGEBLOCK_H

#include "mm/zone.h"

/* Is the type of pages that REQUESTED is given: UNMOVABLE where grouping is off. */
enum migratetype pageblock_request_type(const struct node *node,
                                        enum migratetype requested);

/*
 * Turn grouping by mobility off in NODE if it has less managed memory above its high
 * marks than 6 pageblocks for all zones together, on if it has more (Linux:
 * build_all_zonelists(); it has six types).  At boot; takes no lock.
 */
void pageblock_group_by_mobility(struct node *node);

/* Pageblocks of ZONE, those at its ends included that it shares with others. */
static inline unsigned long pageblock_count(const struct zone *zone)
{
	if (zone->spanned == 0)
		return 0;
	return (zone->start_pfn + zone->spanned - 1) / PAGEBLOCK_PAGES -
	       zone->start_pfn / PAGEBLOCK_PAGES + 1;
}

/* The pageblock of frame PFN, which zone_contains(). */
static inline struct pageblock *pageblock_of(const struct zone *zone,
                                             unsigned long pfn)
{
	kassert(zone_contains(zone, pfn));
	return &zone->blocks[pfn / PAGEBLOCK_PAGES -
	                     zone->start_pfn / PAGEBLOCK_PAGES];
}

static inline enum migratetype pageblock_type(const struct zone *zone,
                                              unsigned long pfn)
{
	return (enum migratetype)pageblock_of(zone, pfn)->type;
}

/* A page of the lru comes (1) to a pageblock or goes (-1).  Takes no lock. */
static inline void pageblock_count_movable(const struct zone *zone,
                                           unsigned long pfn, int change)
{
	kassert(change > 0 || READ_ONCE(pageblock_of(zone, pfn)->movable) > 0);
	__atomic_fetch_add(&pageblock_of(zone, pfn)->movable, (uint16_t)change,
	                   __ATOMIC_RELAXED);
}

enum take_flag {
	TAKE_NO_FRAGMENT =
		1 << 0,      /* no steal, and claims of whole pageblocks only */
	TAKE_WAKES = 1 << 1, /* a boosted mark may wake kswapd */
};

/*
 * Take a block of 2^ORDER pages for pages of TYPE, LOOSE, or NULL: from free pages of
 * its type; else by claiming a pageblock of another type; else by stealing the one
 * block.  Linux: __rmqueue().
 */
__must_check struct page *pageblock_take(struct zone *zone, unsigned int order,
                                         enum migratetype type,
                                         unsigned int flags);

/* Is there a block of ORDER for TYPE, on its own lists or in a pageblock that it may
 * claim? */
bool pageblock_has_block(const struct zone *zone, unsigned int order,
                         enum migratetype type);

/*
 * NULL, or a sentence in BUFFER about the first invariant of a pageblock of ZONE that is
 * broken.  Takes zone->lock and zone->lru.lock, one after the other, for one pageblock at
 * a time.
 */
const char *pageblock_check(struct zone *zone, char *buffer, size_t size);

#endif
