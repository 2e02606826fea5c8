/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/capture.h -- a block that compaction makes is for the request that it was
 * made for: mm/reclaim/capture.c.
 */
#ifndef MM_RECLAIM_CAPTURE_H
#define MM_RECLAIM_CAPTURE_H

#include "mm/node.h"

/* The block that a thread waits for which compacts ZONE for a request.  Field locks: (z)
 * zone->lock, (c) constant. */
struct capture {
	struct zone *zone;                   /* (c) */
	const struct alloc_request *request; /* (c) */
	struct page *page;                   /* (z) LOOSE; NULL: not yet */
};

/* The running thread takes the first block for REQUEST that it frees into ZONE, until
 * capture_end().  Takes zone->lock.  Thread context. */
void capture_begin(struct capture *capture, struct zone *zone,
                   const struct alloc_request *request);

/* The block that was captured, USED and counted as allocated, or NULL.  Takes
 * zone->lock. */
struct page *capture_end(struct capture *capture);

/* Does the running thread wait for the block PAGE of ORDER, which is on no list and
 * becomes free?  zone->lock held.  Linux: compaction_capture(). */
struct capture *capture_search(const struct zone *zone, const struct page *page,
                               unsigned int order);
static inline struct capture *
capture_of(const struct zone *zone, const struct page *page, unsigned int order)
{
	return zone->compact.captures == 0 ? NULL
	                                   : capture_search(zone, page, order);
}

#endif
