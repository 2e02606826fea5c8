/* SPDX-License-Identifier: MIT */
/*
 * mm/pageblock.c -- mobility: pages that cannot move stay together.
 *
 * A page of a slab stays where it is until it is freed; a page of a file or of a
 * process can be reclaimed, or moved.  If the two kinds mix, one unmovable page in
 * each 2 MiB is enough to make every large request fail, however much is free:
 *
 *	mixed		mmmUmmmm mmmmmmmm mmmmUmmm mmmmmmUm	no large block, ever
 *	grouped		UUUU.... mmmmmmmm mmmmmmmm mmmmmmmm	three, once m is gone
 *
 * So each pageblock of 512 frames has a type, and there are
 * free lists for each type.  All begin MOVABLE.  A request whose own lists are empty
 * looks at those of the other types, in a fixed order (fallbacks), and does one of two
 * things:
 *
 *	claim	make the whole pageblock its own.  Searched from the largest block down,
 *		for a large free block means that the pageblock is nearly unused.  A block of
 *		a pageblock or more is retyped as it is.  A smaller one only if at
 *		least half of its pageblock would be of the new type: free pages, and
 *		used ones that look like it.  A request for movable pages does not
 *		claim for less than 16 pages: its pages can be moved later.
 *	steal	take just one block, the smallest.  The pageblock keeps its type, so the
 *		page returns to its lists when it is freed.
 *
 * A pageblock never goes back because it became empty.  It changes again when another
 * type claims it, or when a free block of two pageblocks is merged: then the half that
 * was free takes the type of the one that is freed (mm/buddy.c#buddy_give).
 *
 * An attempt to claim less than a pageblock is a sign of fragmentation.  It raises the
 * zone's marks for a while (watermark_boost()), so that kswapd frees some pages
 * and fewer requests have to fall back.
 *
 * Invariants, besides those of the buddy (mm/debug/pageblock_check.c):
 *
 *  P1  pageblock->free is the number of free pages in it.
 *  P2  pageblock->movable is the number of its pages on the lists of reclaim.
 *
 * Locking: zone->lock; pageblock->movable changes under zone->lru.lock, and is read
 * without it: a claim may be decided by a number that is a moment old.
 *
 * Source: Linux 6.12 mm/page_alloc.c, __rmqueue(), __rmqueue_claim(),
 * try_to_claim_block(), __rmqueue_steal(), find_suitable_fallback().
 */
#include "mm/pageblock.h"

#include "kernel/core/panic.h"
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/watermark.h"

/* A movable request claims from free blocks of this order on. */
#define CLAIM_ORDER    (PAGEBLOCK_ORDER / 2)

/* Pages of a pageblock that must be free or alike. */
#define CLAIM_MAJORITY (PAGEBLOCK_PAGES / 2)

const enum migratetype fallbacks[MIGRATE_PCPTYPES][MIGRATE_PCPTYPES - 1] = {
	[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
	[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
};

/* ---- Claiming ------------------------------------------------------------ */

/* The first type with a free block of exactly ORDER to which TYPE falls back;
 * MIGRATE_TYPES: none. */
static enum migratetype fallback_with_block(const struct zone *zone,
                                            unsigned int order,
                                            enum migratetype type)
{
	kassert(order <= MAX_ORDER && type < MIGRATE_PCPTYPES);
	for (unsigned int i = 0; i < MIGRATE_PCPTYPES - 1; i++) {
		if (zone->nonempty[fallbacks[type][i]] >> order & 1)
			return fallbacks[type][i];
	}
	return MIGRATE_TYPES;
}

/* The orders from LEAST on, one bit each, in which the types to which TYPE falls back have
 * free blocks. */
static unsigned int fallback_orders(const struct zone *zone, unsigned int least,
                                    enum migratetype type)
{
	unsigned int orders = 0;

	for (unsigned int i = 0; i < MIGRATE_PCPTYPES - 1; i++)
		orders |= zone->nonempty[fallbacks[type][i]];
	return orders >> least << least;
}

/* Linux: should_try_claim_block(). */
static bool may_claim(const struct zone *zone, unsigned int order,
                      enum migratetype type)
{
	return order >= CLAIM_ORDER || type != MIGRATE_MOVABLE ||
	       zone->node->no_mobility;
}

/* Pages in use of a pageblock of type OLD that would fit into one of type NEW. */
static unsigned long pages_alike(const struct pageblock *block,
                                 enum migratetype new)
{
	unsigned long movable = READ_ONCE(block->movable);
	unsigned long rest = PAGEBLOCK_PAGES - block->free;

	kassert(block->free <= PAGEBLOCK_PAGES);
	kassert(block->type != new);
	if (new == MIGRATE_MOVABLE)
		return movable;
	if (block->type != MIGRATE_MOVABLE)
		return 0;
	return rest > movable ? rest - movable : 0;
}

/* One block of ORDER out of a free block of HAVE, a pageblock or more. */
static struct page *claim_whole(struct zone *zone, struct page *page,
                                unsigned int have, unsigned int order,
                                enum migratetype type)
{
	kassert(have >= PAGEBLOCK_ORDER && page->order == have);
	kassert(pageblock_type(zone, zone_pfn(zone, page)) != type);
	pageblock_retype(zone, page, type);
	return buddy_take_block(zone, page, order);
}

/* Does enough of the pageblock of the free block PAGE fit TYPE?  Linux:
 * try_to_claim_block(). */
static bool is_claimable(const struct zone *zone, const struct page *page,
                         enum migratetype type)
{
	unsigned long first = ALIGN_DOWN(zone_pfn(zone, page), PAGEBLOCK_PAGES);
	const struct pageblock *block;

	if (!pageblock_is_whole(zone, first))
		return false;
	block = pageblock_of(zone, first);
	return block->free + pages_alike(block, type) >= CLAIM_MAJORITY ||
	       zone->node->no_mobility;
}

struct page *pageblock_to_claim(const struct zone *zone, unsigned int order,
                                enum migratetype type, unsigned int flags,
                                unsigned int *parts)
{
	unsigned int least = order;

	if (flags & TAKE_NO_FRAGMENT)
		least = max(order, PAGEBLOCK_ORDER + 0U);
	for (unsigned int large = fallback_orders(zone, least, type);
	     large != 0;) {
		unsigned int at = 31 - (unsigned int)__builtin_clz(large);
		struct page *page;

		if (!may_claim(zone, at, type))
			return NULL;
		large &= ~(1U << at);
		page = buddy_first(zone, at,
		                   fallback_with_block(zone, at, type));
		if (at >= PAGEBLOCK_ORDER)
			return page;
		if (pageblock_is_unsettled(zone))
			return NULL;
		++*parts;
		if (is_claimable(zone, page, type))
			return page;
	}
	return NULL;
}

/* NULL for a part of a pageblock: that is unsettled now. */
static struct page *pageblock_claim(struct zone *zone, unsigned int order,
                                    enum migratetype type, unsigned int flags)
{
	unsigned int parts = 0;
	struct page *page =
		pageblock_to_claim(zone, order, type, flags, &parts);

	if (parts > 0 && watermark_boost(zone, parts) && (flags & TAKE_WAKES))
		zone->boosted = true;
	if (page == NULL)
		return NULL;
	if (page->order >= PAGEBLOCK_ORDER)
		return claim_whole(zone, page, page->order, order, type);
	kassert(parts > 0);
	pageblock_retype(zone, page, type);
	return NULL;
}

bool pageblock_has_block(const struct zone *zone, unsigned int order,
                         enum migratetype type)
{
	unsigned int claimable = fallback_orders(zone, order, type);

	if (zone->nonempty[type] >> order != 0)
		return true;
	if (type == MIGRATE_MOVABLE &&
	    zone->nonempty[MIGRATE_CMA] >> order != 0)
		return true;
	if (!may_claim(zone, 0, type))
		claimable = claimable >> CLAIM_ORDER << CLAIM_ORDER;
	return claimable != 0;
}

/* ---- Stealing ------------------------------------------------------------ */

struct page *pageblock_to_steal(const struct zone *zone, unsigned int order,
                                enum migratetype type, unsigned int flags)
{
	unsigned int large = flags & TAKE_NO_FRAGMENT
	                             ? 0
	                             : fallback_orders(zone, order, type);
	enum migratetype list = MIGRATE_HIGHATOMIC;

	if (large != 0)
		list = fallback_with_block(
			zone, (unsigned int)__builtin_ctz(large), type);
	else if (flags & TAKE_HIGHATOMIC_LAST)
		large = zone->nonempty[list] >> order << order;
	return large == 0
	               ? NULL
	               : buddy_first(zone, (unsigned int)__builtin_ctz(large),
	                             list);
}

/* Are CMA pages the first to go to a request for TYPE?  If more than half of all free pages
 * are.  Linux: __rmqueue(). */
static bool pageblock_cma_first(const struct zone *zone, enum migratetype type)
{
	kassert(type < MIGRATE_PCPTYPES);
	return type == MIGRATE_MOVABLE &&
	       zone->nr_free_cma > zone->free_pages / 2;
}

/* There is none of its type. */
static struct page *pageblock_take_others(struct zone *zone, unsigned int order,
                                          enum migratetype type,
                                          unsigned int flags)
{
	struct page *page = pageblock_claim(zone, order, type, flags);

	if (page != NULL || pageblock_is_unsettled(zone))
		return page;
	page = pageblock_to_steal(zone, order, type, flags);
	return page == NULL ? NULL : buddy_take_block(zone, page, order);
}

enum migratetype pageblock_list(const struct zone *zone, unsigned int order,
                                enum migratetype type, unsigned int flags)
{
	const bool atomic = zone->nonempty[MIGRATE_HIGHATOMIC] >> order != 0;
	const bool cma = type == MIGRATE_MOVABLE &&
	                 zone->nonempty[MIGRATE_CMA] >> order != 0;

	if (atomic && (flags & TAKE_HIGHATOMIC))
		return MIGRATE_HIGHATOMIC;
	if (cma && pageblock_cma_first(zone, type))
		return MIGRATE_CMA;
	if (zone->nonempty[type] >> order != 0)
		return type;
	return cma ? MIGRATE_CMA : MIGRATE_TYPES;
}

struct page *pageblock_take(struct zone *zone, unsigned int order,
                            enum migratetype type, unsigned int flags)
{
	enum migratetype list;

	kassert(spin_is_mine(&zone->lock));
	kassert(type < MIGRATE_PCPTYPES);
	if (flags & TAKE_OWN_TYPE)
		return pageblock_cma_first(zone, type)
		               ? NULL
		               : buddy_take(zone, order, type);
	list = pageblock_list(zone, order, type, flags);
	return list < MIGRATE_TYPES
	               ? buddy_take(zone, order, list)
	               : pageblock_take_others(zone, order, type, flags);
}
