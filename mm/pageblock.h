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

/* The same of PAGE, one of the zone's. */
static inline struct pageblock *pageblock_at(const struct zone *zone,
                                             const struct page *page)
{
	size_t number = ((uintptr_t)page - zone->blocks_from) /
	                (PAGEBLOCK_PAGES * sizeof(*page));

	return &zone->blocks[number];
}

static inline enum migratetype pageblock_type_of(const struct zone *zone,
                                                 const struct page *page)
{
	return (enum migratetype)pageblock_at(zone, page)->type;
}

/* A page of the lru comes (1) to a pageblock or goes (-1).  zone->lru.lock held. */
static inline void pageblock_count_movable(const struct zone *zone,
                                           unsigned long pfn, int change)
{
	struct pageblock *block = pageblock_of(zone, pfn);

	kassert(spin_is_mine(&zone->lru.lock));
	kassert(change > 0 || block->movable > 0);
	WRITE_ONCE(block->movable, (uint16_t)(block->movable + change));
}

/* Where a request looks when its own lists are empty: the types, in order. */
extern const enum migratetype fallbacks[MIGRATE_PCPTYPES][MIGRATE_PCPTYPES - 1];

enum take_flag {
	/* No steal, and claims of whole pageblocks only. */
	TAKE_NO_FRAGMENT = 1 << 0,
	TAKE_WAKES = 1 << 1,           /* a boosted mark may wake kswapd */
	TAKE_HIGHATOMIC = 1 << 2,      /* from HIGHATOMIC blocks first */
	TAKE_HIGHATOMIC_LAST = 1 << 3, /* if there is nothing else */
	/* From the lists of its type only; nothing while CMA pages are to go first. */
	TAKE_OWN_TYPE = 1 << 4,
};

/* The flags of a request of ORDER with RIGHT; 0: no page of a HIGHATOMIC block. */
static inline unsigned int highatomic_flags(unsigned int order,
                                            enum reserve_right right)
{
	switch (right) {
	case RESERVE_ATOMIC:
		return order > 0 ? TAKE_HIGHATOMIC : TAKE_HIGHATOMIC_LAST;
	case RESERVE_NOWAIT:
		return order > 0 ? 0 : TAKE_HIGHATOMIC_LAST;
	case RESERVE_VICTIM:
		return TAKE_HIGHATOMIC_LAST;
	case RESERVE_NONE:
	case RESERVE_HALF:
	case RESERVE_ALL:
		break;
	}
	return 0;
}

/* PAGE, in use, was taken by a request with TAKE_HIGHATOMIC: its pageblocks become
 * HIGHATOMIC if the zone has less than its share of them.  Takes zone->lock. */
void highatomic_reserve(struct zone *zone, const struct page *page);

/*
 * Make one HIGHATOMIC pageblock with a free page (or two that are free as one block), in
 * a zone that REQUEST may use, one of its type.  Not the last of a zone, unless FORCE.
 * False: there is none.  Takes zone->lock.  Linux: unreserve_highatomic_pageblock().
 */
bool highatomic_unreserve(struct node *node,
                          const struct alloc_request *request, bool force);

/* Is a pageblock of ZONE of another type than some of its free pages yet? */
static inline bool pageblock_is_unsettled(const struct zone *zone)
{
	return READ_ONCE(zone->retype_pfn) < READ_ONCE(zone->retype_end);
}

/* Without zone->lock: move these pages, in slices.  False: there were none. */
bool pageblock_settle(struct zone *zone);

/* Take zone->lock at a moment when no pageblock is unsettled. */
bool pageblock_lock_settled(struct zone *zone);

/* The pageblocks in which the block PAGE lies, free or in use, become of TYPE.  They must be
 * whole, and none unsettled; call pageblock_settle() after the lock is released. */
void pageblock_retype(struct zone *zone, const struct page *page,
                      enum migratetype type);

/* The pageblock at frame FIRST alone; no free block reaches beyond it. */
void pageblock_set_type(struct zone *zone, unsigned long first,
                        enum migratetype type);

/* Does all of the pageblock at frame FIRST lie in ZONE? */
static inline bool pageblock_is_whole(const struct zone *zone,
                                      unsigned long first)
{
	return zone_contains(zone, first) &&
	       zone_contains(zone, first + PAGEBLOCK_PAGES - 1);
}

/*
 * Take a block of 2^ORDER pages for pages of TYPE, LOOSE, or NULL: from free pages of
 * its type; else, movable ones, in a CMA pageblock; else by claiming a pageblock of another
 * type; else by stealing the one block.  NULL and pageblock_is_unsettled(): a claim has begun;
 * call pageblock_settle() after the lock is released, and ask again.  Linux: __rmqueue().
 */
__must_check struct page *pageblock_take(struct zone *zone, unsigned int order,
                                         enum migratetype type,
                                         unsigned int flags);

/*
 * The steps of pageblock_take(): the lists that it takes from, MIGRATE_TYPES for none of
 * them; the free block that it claims, or NULL, after it looked at *PARTS (added) that are
 * less than a pageblock; the one that it steals from, which may be of a HIGHATOMIC one,
 * or NULL.  A guess without the lock.
 */
enum migratetype pageblock_list(const struct zone *zone, unsigned int order,
                                enum migratetype type, unsigned int flags);
struct page *pageblock_to_claim(const struct zone *zone, unsigned int order,
                                enum migratetype type, unsigned int flags,
                                unsigned int *parts);
struct page *pageblock_to_steal(const struct zone *zone, unsigned int order,
                                enum migratetype type, unsigned int flags);

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
