/* SPDX-License-Identifier: MIT */
/*
 * mm/contig/ -- memory in one piece, larger or in a place other than the buddy gives.
 *
 *	page_isolation.h	pageblocks whose free pages nobody gets: this file
 *	contig.h		a range of frames is emptied and taken
 *	cma.h			a range that is kept for this, and lent meanwhile
 *
 * mm/contig/page_isolation.c has the theory.  Linux: mm/page_isolation.c.
 */
#ifndef MM_CONTIG_PAGE_ISOLATION_H
#define MM_CONTIG_PAGE_ISOLATION_H

#include "mm/zone.h"

/*
 * All pageblocks of ZONE that the frames START..END-1 touch become ISOLATE: what is free
 * in them, and becomes free from now on, is not for requests and not counted as free.
 * TYPE is the one for undo_isolate_page_range().  0, or -EBUSY: one lies partly
 * outside the zone, is isolated already, or has a page that cannot move, anywhere in it; then
 * those before it are of TYPE again.  Thread context; takes zone->lock in slices.  Linux's
 * name.
 */
__must_check int start_isolate_page_range(struct zone *zone,
                                          unsigned long start,
                                          unsigned long end,
                                          enum migratetype type);

/* The same pageblocks, isolated ones, become of TYPE, whatever they were before.  Thread
 * context; takes zone->lock. */
void undo_isolate_page_range(struct zone *zone, unsigned long start,
                             unsigned long end, enum migratetype type);

/* 0: all frames START..END-1 of ZONE are free and isolated.  -EBUSY: not.  Thread
 * context; takes zone->lock in slices. */
__must_check int test_pages_isolated(struct zone *zone, unsigned long start,
                                     unsigned long end);

/* Are there pages in all frames START..END-1, which ZONE contains: none is reserved, or a
 * hole?  Takes zone->lock in slices. */
bool isolation_is_memory(struct zone *zone, unsigned long start,
                         unsigned long end);

#endif
