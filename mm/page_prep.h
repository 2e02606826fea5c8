/* SPDX-License-Identifier: MIT */
/*
 * mm/page_prep.h -- blocks between the buddy and the front door.  For mm/ itself.
 *
 * All functions but page_prep_report_bad(): zone->lock held; any context but NMI.
 */
#ifndef MM_PAGE_PREP_H
#define MM_PAGE_PREP_H

#include "mm/node.h"

/* The LOOSE block becomes USED, as REQUEST wants it, with one reference. */
void page_prep_claim(struct zone *zone, struct page *page,
                     const struct alloc_request *request);

/* The USED block becomes LOOSE. */
void page_prep_unclaim(struct zone *zone, struct page *page,
                       unsigned int order);

/*
 * Give a USED block whose references are gone to the buddy, on behalf of
 * CALLER.  If one of its pages is somebody's still (a mapping, or one of
 * PAGE_BITS_AT_FREE), the block is BAD: leaked, not free, to be reported.
 */
void page_prep_give(struct node *node, struct zone *zone, struct page *page,
                    unsigned int order, uintptr_t caller);

/* Drop a reference of a USED block that has one.  True: it was the last, and the
 * block is given to the buddy.  A saturated count stays as it is. */
bool page_prep_put(struct node *node, struct zone *zone, struct page *page,
                   uintptr_t caller);

/* A USED block that is not compound becomes two of the next smaller order; the
 * upper one has no reference. */
void page_prep_halve(struct page *page);

/* A LOOSE block from the buddy without a corrupt page, or NULL: there is none, or
 * the first few were corrupt. */
__must_check struct page *page_prep_take(struct node *node, struct zone *zone,
                                         unsigned int order);

/* The lowest page in the frames FIRST..LAST that is not corrupt, or NULL. */
__must_check struct page *page_prep_take_within(struct node *node,
                                                struct zone *zone,
                                                unsigned long first,
                                                unsigned long last);

/*
 * Report the corrupt pages that were found in ZONE.  Whoever has called
 * page_prep_give(), page_prep_take() or page_prep_take_within() calls this after it has
 * released zone->lock.  At most one test of one word if nothing was found.
 */
void page_prep_report_bad(struct node *node, struct zone *zone);

#endif
