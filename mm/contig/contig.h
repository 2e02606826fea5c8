/* SPDX-License-Identifier: MIT */
/*
 * mm/contig/contig.h -- a range of frames is emptied and taken.
 *
 * Theory and locks: mm/contig/contig.c.  All functions: thread context, for they may sleep
 * even if the mask does not allow reclaim; no lock held.  They work on main_node().
 */
#ifndef MM_CONTIG_CONTIG_H
#define MM_CONTIG_CONTIG_H

#include "mm/node.h"

/*
 * Take the frames START..END-1: pages that can move leave, and then all of them are the
 * caller's, as single pages with one reference each; with __GFP_COMP as one compound block.
 * Their pageblocks are of TYPE afterwards, whatever comes of it.
 *
 *	0		they are taken
 *	-EINVAL		MASK has a flag that makes no sense here (contig_gfp.h); the range is
 *			empty, or not in one zone; or with __GFP_COMP, with a report: free
 *			memory around the range is one block with it, or the range is not
 *			2^order frames at a multiple of it
 *	-EBUSY		a pageblock of it cannot be isolated, a page does not move, or
 *			is corrupt
 *	-ENOMEM		there is no page to move to
 *	-EINTR		the thread is being killed
 *
 * Linux's name.
 */
__must_check int alloc_contig_range(unsigned long start, unsigned long end,
                                    enum migratetype type, gfp_t mask);

/*
 * Take COUNT neighbouring frames at a multiple of COUNT: the first place that can be emptied
 * in the zones that MASK names, from the highest down.  The first page; or NULL: there is no
 * such place, or the thread is being killed.
 */
__must_check struct page *alloc_contig_pages(unsigned long count, gfp_t mask);

/* Give COUNT pages from frame PFN on back, or one compound block of exactly COUNT pages.
 * It is reported if a page has other references than the caller's. */
void free_contig_range(unsigned long pfn, unsigned long count);

#endif
