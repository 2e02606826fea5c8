/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_guard.h -- guard pages behind blocks: debug_guardpage=on.
 *
 * A guard is the frame behind a block in use.  It is not mapped, so the first byte that is
 * written behind the block faults.  mm/debug/page_guard.c has the theory and the invariants.
 */
#ifndef MM_DEBUG_PAGE_GUARD_H
#define MM_DEBUG_PAGE_GUARD_H

#include "kernel/core/fault.h"
#include "mm/node.h"
#include "mm/page_prep.h"

/* Is REQUEST one that gets a guard while memory is not short?  Such a one neither takes a page
 * of this CPU's lists nor fills them.  Any context. */
static inline bool page_guard_wanted(const struct node *node,
                                     const struct alloc_request *request)
{
	return unlikely(node->debug.guard) &&
	       request->migratetype != MIGRATE_MOVABLE &&
	       request->order < PAGEBLOCK_ORDER;
}

/*
 * page_prep_take() for REQUEST, with FLAGS: a LOOSE block of its order, or NULL.  If a guard is
 * wanted and the zone has a larger block above its LOW mark, there is one behind it.
 * zone->lock held.
 */
struct page *page_guard_take_on(struct zone *zone,
                                const struct alloc_request *request,
                                unsigned int flags);
static inline struct page *page_guard_take(struct zone *zone,
                                           const struct alloc_request *request,
                                           unsigned int flags)
{
	if (page_guard_wanted(zone->node, request))
		return page_guard_take_on(zone, request, flags);
	return page_prep_take(zone->node, zone, request->order,
	                      request->migratetype, flags);
}

/* The LOOSE block at PAGE is about to be free, by page->taker at page_caller(): a guard behind
 * it is free, too.  zone->lock held. */
void page_guard_give(struct node *node, const struct page *page);

/* Is PAGE a guard?  A guess, if its zone's lock is not held.  Any context. */
static inline bool page_is_guard(const struct page *page)
{
	return READ_ONCE(page->state) == PAGE_USED &&
	       (READ_ONCE(page->flags) & PAGE_GUARD) != 0;
}

/* NULL, or the invariant that the guard PAGE breaks: G1, G2.  zone->lock held. */
const char *page_guard_check(const struct zone *zone, const struct page *page);

/* FAULT was an access to GUARD: fill in its kind, and the block in front.  Any context. */
void page_guard_explain(const struct node *node, const struct page *guard,
                        struct fault *fault);

#endif
