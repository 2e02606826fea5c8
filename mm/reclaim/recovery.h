/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/recovery.h -- the operations of the slow path.
 *
 * Lower files reclaim memory, and the front door decides when each of them is called
 * (mm/slow_path.c).  Each may be absent (NULL): then that rung is skipped, and a node
 * without any fails a request that may wait immediately.
 *
 * All are called in the requesting thread, which may sleep, with no lock held.
 */
#ifndef MM_RECOVERY_H
#define MM_RECOVERY_H

#include "mm/gfp.h"

struct node;
struct zone;
struct page;

/* From the most thorough to the quickest (Linux's COMPACT_PRIO_...). */
enum compact_priority {
	COMPACT_SYNC_FULL,
	COMPACT_SYNC_LIGHT,
	COMPACT_ASYNC,
};

enum compact_result {
	COMPACT_SKIPPED,   /* not tried: too few free pages to move others to */
	COMPACT_DEFERRED,  /* not tried: it has failed too often lately */
	COMPACT_FAILED,    /* tried all there is */
	COMPACT_CONTENDED, /* ended early: too many others, or it was killed */
	COMPACT_SUCCESS,   /* there was a block of the order wanted */
};

struct recovery_ops {
	/* Reclaim pages as REQUEST allows, 32 if possible; how many it was. */
	unsigned long (*reclaim)(struct node *node,
	                         const struct alloc_request *request);
	/* How many pages of ZONE reclaim could still find; the free ones if there
	 * are none (zone_reclaimable_pages()).  So these count twice: they are
	 * tried before a thread is killed. */
	unsigned long (*reclaimable)(struct node *node, struct zone *zone);
	/* Move pages until a block of request->order is free.  *PAGE, NULL before:
	 * a block that was kept for the request. */
	enum compact_result (*compact)(struct node *node,
	                               const struct alloc_request *request,
	                               enum compact_priority priority,
	                               struct page **page);
	/* Kill a thread for its memory.  True: memory is on its way, from a
	 * victim of this call or of an earlier one. */
	bool (*oom)(struct node *node, const struct alloc_request *request);
	/* Let the caller wait if reclaim is in trouble. */
	void (*throttle)(struct node *node,
	                 const struct alloc_request *request);
	/* A request failed with interrupts off, at MIN with RIGHT: copy the data of
	 * its dump, for a thread to print.  False: not possible now. */
	bool (*dump_later)(struct node *node,
	                   const struct alloc_request *request,
	                   enum reserve_right right);
	/* Has the node as many dirty pages as it may? */
	bool (*too_dirty)(struct node *node);
};

#endif
