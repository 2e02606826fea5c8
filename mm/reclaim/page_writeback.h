/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/page_writeback.h -- how many pages may be dirty, and who waits if they are
 * more.
 *
 * Linux's mm/page-writeback.c has the same names and figures.
 */
#ifndef MM_RECLAIM_PAGE_WRITEBACK_H
#define MM_RECLAIM_PAGE_WRITEBACK_H

#include "mm/node.h"

/* A writer waits so long at a time, at most. */
#define DIRTY_MAX_PAUSE 200000UL

struct dirty_limits {
	unsigned long dirtyable;  /* pages that could be dirty */
	unsigned long background; /* above: the flusher writes */
	unsigned long limit;      /* above: writers wait */
};

/*
 * The limits of NODE at this moment, in pages:
 *
 *	dirtyable = free - reserve + pages of files on the lru
 *	limit = dirtyable * dirty_ratio / 100 + 1
 *	background = dirtyable * background_ratio / 100 + 1, below the limit
 *
 * reserve is what the marks and lowmem_reserve keep from such a page.  Any
 * context.
 */
struct dirty_limits dirty_limits(const struct node *node);

/* Pages that count against them: dirty ones of files, and all on their way to a
 * disk. */
unsigned long dirty_pages(const struct node *node);

/* For recovery_ops.too_dirty: are they more than the limit?  Any context. */
bool node_too_dirty(struct node *node);

/*
 * The caller has made pages of files dirty.  Above the background limit the
 * flusher is called; above the limit the caller waits until it is half-way back
 * to the background limit, has been killed, or the disk has written nothing for
 * DIRTY_MAX_PAUSE: a disk that fails does not stop its writers.  Thread context,
 * holding nothing that the flusher could need.
 */
void balance_dirty_pages(struct node *node);

/* A write of a page has ended.  Any context but NMI. */
void writeback_ended(struct node *node);

#endif
