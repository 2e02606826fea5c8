/* SPDX-License-Identifier: MIT */
/*
 * mm/buddy.h -- the binary buddy allocator of one zone.
 *
 * All functions: zone->lock held, any context but NMI.  Blocks handed out are
 * LOOSE, and so are blocks given back.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "mm/zone.h"

/* The other half of the block of ORDER+1 that frame PFN's block is part of. */
static inline unsigned long buddy_pfn(unsigned long pfn, unsigned int order)
{
	return pfn ^ (1UL << order);
}

/* The head of that block of ORDER+1. */
static inline unsigned long buddy_parent(unsigned long pfn, unsigned int order)
{
	return pfn & ~(1UL << order);
}

/*
 * Take a block of exactly 2^ORDER pages out of the smallest free block of TYPE that is
 * large enough; the lowest part is taken, the upper halves go back to the
 * lists.  NULL if no block is that large.  O(MAX_ORDER), whatever ORDER.
 */
__must_check struct page *buddy_take(struct zone *zone, unsigned int order,
                                     enum migratetype type);

/* The same out of the free block PAGE, of ORDER or more. */
struct page *buddy_take_block(struct zone *zone, struct page *page,
                              unsigned int order);

/* The block of ORDER in the free block PAGE that frame PFN lies in. */
struct page *buddy_take_around(struct zone *zone, struct page *page,
                               unsigned int order, unsigned long pfn);

/* The pages on the lists of TYPE. */
unsigned long buddy_pages_of(const struct zone *zone, enum migratetype type);

/* The first block of the list of ORDER and TYPE, or NULL. */
struct page *buddy_first(const struct zone *zone, unsigned int order,
                         enum migratetype type);

/* Move the free block PAGE to the end of the list of TYPE, its pageblock's type before the
 * lock is released. */
void buddy_change_list(struct zone *zone, struct page *page,
                       enum migratetype type);

/* Do free blocks merge whose pageblocks have the types A and B?  Linux:
 * migratetype_is_mergeable(). */
static inline bool buddy_types_merge(enum migratetype a, enum migratetype b)
{
	return a == b || (a < MIGRATE_PCPTYPES && b < MIGRATE_PCPTYPES);
}

/* The lowest free frame in FIRST..LAST in no HIGHATOMIC or ISOLATE pageblock, or -1UL.
 * Without zone->lock: a guess. */
unsigned long buddy_find_within(const struct zone *zone, unsigned long first,
                                unsigned long last);

/*
 * Take that frame's page; NULL if there is none.  Visits at most the blocks between
 * FIRST and LAST.
 */
__must_check struct page *
buddy_take_within(struct zone *zone, unsigned long first, unsigned long last);

/* Free a block and merge it with its free buddies.  Linux: __free_one_page(). */
void buddy_give(struct zone *zone, struct page *page, unsigned int order);

/* The free buddy with which the block at PAGE, of ORDER, merges; NULL: none. */
struct page *buddy_mergeable(const struct zone *zone, const struct page *page,
                             unsigned int order);

/* Is there a free block of 2^ORDER pages or more, of a type that requests are for? */
static inline bool buddy_has_block(const struct zone *zone, unsigned int order)
{
	return (zone->nonempty[MIGRATE_UNMOVABLE] |
	        zone->nonempty[MIGRATE_MOVABLE] |
	        zone->nonempty[MIGRATE_RECLAIMABLE]) >>
	               order !=
	       0;
}

/*
 * Check the lists and their sum: B1, B2, B3 and B5 to B7 of mm/buddy.c; zone_check() checks
 * B4, and whether a free block is missing on the lists.  NULL, or an error message in
 * BUFFER.  Takes zone->lock in slices (mm/debug/check.h); LOCKED: no other code runs.
 */
const char *buddy_check(struct zone *zone, bool locked, char *buffer,
                        size_t size);

/* The same without the sum of the lists. */
const char *buddy_check_lists(struct zone *zone, bool locked, char *buffer,
                              size_t size);

#endif
