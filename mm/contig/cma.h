/* SPDX-License-Identifier: MIT */
/*
 * mm/contig/cma.h -- a range of frames that is kept for contiguous requests, and lent to
 * movable pages meanwhile.
 *
 * Theory and locks: mm/contig/cma.c.  Thread context, no lock held.
 */
#ifndef MM_CONTIG_CMA_H
#define MM_CONTIG_CMA_H

#include "kernel/core/mutex.h"
#include "lib/bitmap.h"
#include "mm/node.h"

struct cma {
	struct node *node;
	unsigned long base_pfn;
	unsigned long count;  /* frames; 0: there is no area */
	unsigned int order;   /* a bit stands for 2^order frames */
	unsigned long *taken; /* bits, under the lock */
	struct mutex lock;
};

/* Words of memory that an area of COUNT frames needs for its bits. */
#define CMA_LONGS(count) BITMAP_LONGS(count)

/*
 * The COUNT frames from BASE_PFN on, whole pageblocks that are present and in no block yet,
 * become CMA pageblocks of NODE, and free.  TAKEN has CMA_LONGS(COUNT >> ORDER) words,
 * cleared.  0; or -EINVAL if they do not lie in one zone: then they are free like other
 * memory, and *CMA is no area.  At boot.  Linux: cma_activate_area().
 */
__must_check int cma_init_area(struct cma *cma, struct node *node,
                               unsigned long base_pfn, unsigned long count,
                               unsigned int order, unsigned long *taken);

/*
 * Take COUNT frames of the area, which begin at a multiple of 2^ALIGN: the first place that
 * is not taken and can be emptied.  The first of the pages, single ones with a reference
 * each, or NULL.  Waits for other calls.  Linux's name.
 */
__must_check struct page *cma_alloc(struct cma *cma, unsigned long count,
                                    unsigned int align, bool no_warn);

/* Give back the COUNT pages from PAGES on, which cma_alloc() gave.  False, and nothing is
 * done: they are not all pages of the area that are taken. */
bool cma_release(struct cma *cma, const struct page *pages,
                 unsigned long count);

/* Frames of the area that are taken. */
unsigned long cma_taken(struct cma *cma);

#endif
