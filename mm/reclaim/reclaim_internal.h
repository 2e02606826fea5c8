/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim_internal.h -- what the files of reclaim and kswapd share.
 */
#ifndef MM_RECLAIM_RECLAIM_INTERNAL_H
#define MM_RECLAIM_RECLAIM_INTERNAL_H

#include "mm/reclaim/reclaim.h"

/* One run of reclaim: what it may do, and what it has done.  (Linux:
 * struct scan_control.) */
struct scan {
	struct node *node;
	gfp_t mask; /* for shrinkers */
	bool may_io;
	bool may_fs;
	bool kswapd; /* not a request's own reclaim */
	bool gently; /* neither write nor swap */
	unsigned int order;
	enum zone_type highest_zone;
	unsigned long wanted; /* pages to reclaim */
	int priority;

	/* Active lists are shortened although they are not too long. */
	bool force_deactivate;
	bool skipped_deactivate; /* and would have been, but for that */

	unsigned long scanned;   /* pages looked at */
	unsigned long reclaimed; /* pages freed, those of shrinkers included */

	/* Of one round of shrink_node(). */
	unsigned long taken;     /* pages isolated */
	unsigned long writeback; /* of these, under writeback */
	unsigned long immediate; /* of these, met for the second time */
	unsigned long paged_out; /* writes begun */
	unsigned long dirty;     /* pages met dirty, since it began */
};

/*
 * Decide about PAGE, which is isolated and has a reference of the caller's: free it
 * (true), or put it back on a list.  Either way it is not the caller's any more.
 */
bool reclaim_page(struct scan *scan, struct zone *zone, struct page *page,
                  enum lru_kind kind);

/* Drop a reference from lru_isolate(); was it the last one? */
bool reclaim_put_page(struct node *node, struct page *page);

/* Does anonymous memory have anywhere to go? */
bool reclaim_has_swap(const struct node *node);

/* Are there fewer inactive pages of KIND than there should be?  From 1 to 1 below
 * 1 GiB of both to 1 to 10 at 10 GiB. */
bool inactive_is_low(const struct zone *zone, enum lru_kind kind);

/* Of a list of KIND, PART out of WHOLE is looked at. */
struct fraction {
	unsigned long part[LRU_KINDS];
	unsigned long whole; /* > 0 */
};

struct fraction balance_kinds(const struct scan *scan, const struct zone *zone);

/* Remember that reclaiming KIND brought ROTATED pages back, and WRITES. */
void reclaim_note_cost(struct node *node, enum lru_kind kind,
                       unsigned long writes, unsigned long rotated);

/* Look at up to NR pages of an inactive list, and free those that can be freed.
 * Waits, once, while others have isolated too much of it. */
void shrink_inactive(struct scan *scan, struct zone *zone, enum lru_list list,
                     unsigned long nr);

/* The NR oldest active pages become inactive, whatever their use: they have the time
 * until they reach the back there to be used again. */
void shrink_active(struct scan *scan, struct zone *zone, enum lru_list list,
                   unsigned long nr);

/* One round over the zones of SCAN, and the shrinkers, at SCAN->priority. */
void shrink_node(struct scan *scan);

/* Shorten the active lists of anonymous pages that are too long; without swap
 * nothing. */
void reclaim_age_anon(struct scan *scan);

/* May direct reclaim go on, or must it be throttled? */
bool allow_direct_reclaim(struct node *node);

#endif
