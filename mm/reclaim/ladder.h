/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/ladder.h -- the decisions on the rungs of a request.
 *
 * The functions that mm/page_alloc.c and mm/slow_path.c ask on their way, and that
 * mm/debug/route.c asks to tell that way beforehand.  None of them changes anything.
 * Any context but NMI, no lock unless noted: the answer may be outdated on return.
 */
#ifndef MM_LADDER_H
#define MM_LADDER_H

#include "mm/debug/page_guard.h"
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

/* ---- A pass over the zones: mm/page_alloc.c ------------------------------ */

/* A pass looks at one zone after the other, for the same. */
struct pass {
	const struct alloc_request *request;
	enum watermark mark;
	enum reserve_right right;
	bool boost_counts;
	bool cma;           /* CMA pages are for it, too */
	unsigned int flags; /* enum take_flag */
};

/* Does a pass at MARK begin in NORMAL?  Then it tries the zones below before it mixes
 * pages of two types.  Linux: alloc_flags_nofragment(). */
static inline bool mixes_last(const struct node *node,
                              const struct alloc_request *request,
                              enum watermark mark)
{
	if (mark != WMARK_LOW)
		return false;
	if (request->highest_zone == ZONE_MOVABLE &&
	    node->zone[ZONE_MOVABLE].managed > 0)
		return false;
	return request->highest_zone >= ZONE_NORMAL &&
	       node->zone[ZONE_NORMAL].managed > 0;
}

static inline struct pass pass_begin(const struct node *node,
                                     const struct alloc_request *request,
                                     enum watermark mark,
                                     enum reserve_right right)
{
	kassert(mark < WMARK_COUNT && right <= RESERVE_ALL);
	return (struct pass){
		.request = request,
		.mark = mark,
		.right = right,
		.boost_counts =
			watermark_boost_counts(request->order, mark, right),
		.cma = request_may_use_cma(node, request),
		.flags = highatomic_flags(request->order, right) |
		         (request->wake_kswapd ? TAKE_WAKES : 0U) |
		         (mixes_last(node, request, mark) ? TAKE_NO_FRAGMENT
		                                          : 0U),
	};
}

/* No zone has a page: does the pass begin again, and mix pages of two types? */
static inline bool pass_mixes_now(struct pass *pass)
{
	bool before = !(pass->flags & TAKE_NO_FRAGMENT);

	pass->flags &= ~TAKE_NO_FRAGMENT;
	return !before;
}

/* Has ZONE the pages?  (zone->lock held, or a guess.) */
static inline bool zone_may_serve(const struct zone *zone,
                                  const struct pass *pass)
{
	const struct alloc_request *request = pass->request;
	unsigned long boost =
		pass->boost_counts ? READ_ONCE(zone->watermark_boost) : 0;

	kassert(zone->type <= request->highest_zone);
	return zone->managed > 0 &&
	       watermark_would_pass(
		       zone, request->order, READ_ONCE(zone->free_pages),
		       watermark_to_leave(
			       zone, zone->watermark[pass->mark] + boost,
			       request->highest_zone, pass->right, pass->cma),
		       pass->right, pass->cma);
}

/* May the request have a page of this CPU's list?  That has left the zone's free count, so
 * no mark is looked at; but a request from a higher zone must leave the lowmem reserve alone
 * (SERVES: zone_may_serve()), and one that gets a guard needs neighbouring pages. */
static inline bool may_use_list(const struct zone *zone,
                                const struct pass *pass, bool serves)
{
	if ((pass->flags & TAKE_HIGHATOMIC) ||
	    page_guard_wanted(zone->node, pass->request))
		return false;
	return serves || pass->right == RESERVE_ALL ||
	       zone->lowmem_reserve[pass->request->highest_zone] == 0;
}

/* No page that will be dirtied from the fast pass of a node with too many dirty ones. */
bool fast_pass_is_barred(struct node *node,
                         const struct alloc_request *request);

/* ---- The slow path: mm/slow_path.c --------------------------------------- */

/* A request on the ladder. */
struct climb {
	struct node *node;
	const struct alloc_request *request;
	struct page *page;
	enum reserve_right right; /* of this round */
	bool as_victim;           /* it is that of an OOM victim */
	unsigned long reclaimed;  /* in this round */
	unsigned int no_progress; /* fruitless rounds so far */
	enum compact_priority priority;
	enum compact_result compacted; /* result of the last compaction */
	unsigned int compact_retries;
	bool killed; /* rung 11: memory is on its way */
	bool waits;  /* the watchdog counts */
};

/* Is it of use to enter the slow path?  An exclusive page comes from the parked pool: a
 * request that cannot fill it, or an owner with a full window, fails when the pool is
 * empty. */
bool may_climb(const struct climb *climb);

/* No zone that the request may use has memory, nor ever will.  Not for NOFAIL, which
 * never gets NULL: it waits, as in Linux, and the watchdog reports it. */
bool no_zone_can_serve(const struct climb *climb);

/* May it compact at all (rungs 3, 7 and 10); and before it reclaims anything (rung 3)? */
bool may_compact(const struct climb *climb);
bool may_compact_early(const struct climb *climb);

/* Rung 4: set its right from now on, and whether it is that of a victim. */
void climb_set_last_right(struct climb *climb);

/* Rung 5.  Waiting does not help an exclusive request that fails for another reason. */
bool may_wait(const struct climb *climb);

/* Rung 8. */
bool one_round_only(const struct climb *climb);

/* Rung 9: pages of ZONE that reclaim could find; would they, made free, be enough?  A
 * request without a mark has found no page at all, and is judged by the whole of MIN. */
unsigned long reclaimable_pages(struct node *node, struct zone *zone);
bool zone_could_serve(const struct climb *climb, struct zone *zone);

/* Rung 13: may it neither fail nor be refused to wait? */
bool must_not_fail(const struct climb *climb);

#endif
