/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/route.c -- the way that a request would take now, rung by rung.
 *
 * Rungs are of two kinds.  A pass looks whether a zone has a block for the request: that
 * is known beforehand.  The others work, and their result is open; of them is known
 * whether the request may climb them, and if not, why.
 *
 *	shortcut fast . min ... again ................... lists . never_fail	passes
 *	              wake  early_compact  reclaim compact retry  kill	work
 *
 * So the answer is exact up to the first rung that works.
 *
 * No rule is written here a second time.  Whether a zone serves, whether a list may be used,
 * where a block is cut from, who may wait or kill: the functions of mm/reclaim/ladder.h and
 * mm/pageblock.h decide here as they do for a request.  The order of the rungs is that of
 * mm/slow_path.c; a host suite asks, then makes the request, and compares zone, rung
 * and source.
 *
 * Locking: none.
 */
#include "mm/reclaim/route.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "mm/exclusive/exclusive.h"
#include "mm/pageblock.h"
#include "mm/pcp_hot.h"
#include "mm/reclaim/ladder.h"

static void closed(struct route_step *step, const char *why)
{
	kassert(why != NULL);
	*step = (struct route_step){ .outcome = ROUTE_CLOSED, .why = why };
}

static void acts(struct route_step *step, const char *what)
{
	kassert(what != NULL);
	*step = (struct route_step){ .outcome = ROUTE_ACTS, .why = what };
}

/* ---- Passes -------------------------------------------------------------- */

/* Has this CPU's list of ZONE a block for the request? */
static bool list_has_block(const struct zone *zone,
                           const struct alloc_request *request)
{
	const unsigned int row = pcp_row(request->order);
	struct pcp_set *set = READ_ONCE(zone->pcp[arch_cpu_id()]);

	return set != NULL && row < PCP_ROWS &&
	       !list_empty(pcp_list(set, row, request->migratetype));
}

/* Where pageblock_take() would find a block in ZONE. */
static enum route_source source_in_zone(const struct zone *zone,
                                        const struct alloc_request *request,
                                        unsigned int flags)
{
	enum migratetype type =
		pageblock_request_type(zone->node, request->migratetype);
	enum migratetype list =
		pageblock_list(zone, request->order, type, flags);
	const struct page *page;
	unsigned int parts = 0;

	kassert(type < MIGRATE_PCPTYPES && list <= MIGRATE_TYPES);
	if (list == MIGRATE_HIGHATOMIC)
		return SOURCE_HIGHATOMIC;
	if (list < MIGRATE_TYPES)
		return list == MIGRATE_CMA ? SOURCE_CMA : SOURCE_OWN;
	if (pageblock_to_claim(zone, request->order, type, flags, &parts) !=
	    NULL)
		return SOURCE_CLAIM;
	page = pageblock_to_steal(zone, request->order, type, flags);
	if (page == NULL)
		return SOURCE_NONE;
	kassert(page->order >= request->order);
	return page->list_type == MIGRATE_HIGHATOMIC ? SOURCE_HIGHATOMIC
	                                             : SOURCE_STEAL;
}

/* As mm/page_alloc.c looks at one zone. */
static enum route_source source_of(const struct zone *zone,
                                   const struct pass *pass)
{
	const bool serves = zone_may_serve(zone, pass);

	kassert(zone->type <= pass->request->highest_zone);
	if (may_use_list(zone, pass, serves) &&
	    list_has_block(zone, pass->request))
		return SOURCE_LIST;
	return serves ? source_in_zone(zone, pass->request, pass->flags)
	              : SOURCE_NONE;
}

static void gives(struct route_step *step, struct zone *zone,
                  enum route_source source)
{
	kassert(zone != NULL && source != SOURCE_NONE);
	kassert(step->outcome == ROUTE_REFUSES);
	step->outcome = ROUTE_GIVES;
	step->zone = zone;
	step->source = source;
}

static void look_over_zones(struct node *node, const struct pass *pass,
                            struct route_step *step)
{
	for (int type = pass->request->highest_zone;
	     type >= ZONE_DMA && step->outcome != ROUTE_GIVES; type--) {
		struct zone *zone = &node->zone[type];
		enum route_source source = source_of(zone, pass);

		if (source != SOURCE_NONE)
			gives(step, zone, source);
	}
}

/* The parked pool; a request that may sleep fills it, but not on the fast pass. */
static void look_into_pool(struct node *node,
                           const struct alloc_request *request,
                           struct route_step *step)
{
	struct alloc_request asked = *request;
	struct zone *zone;

	kassert(request->exclusive);
	asked.last_right = step->right;
	asked.may_sleep = request->may_sleep && step->mark == WMARK_MIN;
	zone = exclusive_would_take_from(node, &asked);
	if (zone != NULL)
		gives(step, zone, SOURCE_POOL);
}

/* mm/page_alloc.c#page_pass, without taking anything. */
static void look(struct node *node, const struct alloc_request *request,
                 struct route_step *step, enum watermark mark,
                 enum reserve_right right)
{
	struct pass pass = pass_begin(node, request, mark, right);

	*step = (struct route_step){
		.outcome = ROUTE_REFUSES,
		.pass = true,
		.mark = mark,
		.right = right,
	};
	kassert(mark < WMARK_COUNT && right <= RESERVE_ALL);
	if (request->exclusive) {
		look_into_pool(node, request, step);
		return;
	}
	do
		look_over_zones(node, &pass, step);
	while (step->outcome != ROUTE_GIVES && pass_mixes_now(&pass));
}

/* ---- Before the slow path ------------------------------------------------ */

/* As mm/page_alloc.c#page_alloc_is_hot, in CONTEXT. */
static void route_shortcut(struct node *node, gfp_t gfp, unsigned int order,
                           const struct alloc_context *context,
                           struct route_step *step)
{
	const struct pcp_cpu *lists = this_cpu_lists();

	if (!gfp_is_hot(gfp))
		closed(step, "the mask has a flag that must be decoded");
	else if (gfp_hot_needs_thread(gfp) &&
	         (!context->can_sleep || context->noio || context->nofs))
		closed(step, "the mask means another thing in this context");
	else if (pcp_row(order) == PCP_ROWS)
		closed(step, "no list has blocks of this order");
	else if (lists == NULL || lists != node->pcp[arch_cpu_id()])
		closed(step, "it is closed: somebody watches all requests, or "
		             "there are no lists");
	else if (list_empty(pcp_hot_list(lists, gfp, order)))
		*step = (struct route_step){ .outcome = ROUTE_REFUSES };
	else {
		*step = (struct route_step){ .outcome = ROUTE_REFUSES };
		gives(step, lists->hot_set[gfp_hot_list(gfp)]->zone,
		      SOURCE_LIST);
	}
}

static void route_fast(struct node *node, const struct alloc_request *request,
                       struct route_step *step)
{
	if (!request->exclusive && fast_pass_is_barred(node, request))
		closed(step,
		       "__GFP_WRITE, and as many pages are dirty as may be");
	else
		look(node, request, step, WMARK_LOW, RESERVE_NONE);
}

/* ---- The slow path ------------------------------------------------------- */

static void route_wake(const struct climb *climb, struct route_step *step)
{
	if (!climb->request->wake_kswapd)
		closed(step, "no __GFP_KSWAPD_RECLAIM");
	else if (climb->node->wake_kswapd == NULL)
		closed(step, "there is no kswapd");
	else
		acts(step, "kswapd is woken");
}

static const char *why_no_compaction(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	if (request->order == 0)
		return "a single page needs no block";
	if (!request->may_sleep)
		return "it cannot wait: no __GFP_DIRECT_RECLAIM";
	if (!request->may_io)
		return "it may not start I/O";
	return "nothing compacts";
}

static void route_early(const struct climb *climb, struct route_step *step)
{
	if (may_compact_early(climb))
		acts(step, "moves pages, and looks again");
	else if (!may_compact(climb))
		closed(step, why_no_compaction(climb));
	else if (climb->request->last_right == RESERVE_ALL)
		closed(step, "it may have all of the reserve");
	else
		closed(step, "movable, or a victim: later");
}

static const char *why_no_waiting(const struct alloc_request *request)
{
	kassert(!request->may_sleep || request->in_reclaim ||
	        request->exclusive);
	if (!request->may_sleep)
		return "it cannot wait: no __GFP_DIRECT_RECLAIM";
	if (request->in_reclaim)
		return "it is reclaim that asks";
	return "it is not memory that is missing";
}

static const char *why_no_round(const struct climb *climb)
{
	kassert(climb->request->one_round ||
	        climb->request->order > PAGE_ALLOC_COSTLY_ORDER);
	if (climb->request->one_round)
		return "one round only: __GFP_NORETRY";
	if (!climb->request->retry_costly)
		return "one round only: the order is above 3, and no "
		       "__GFP_RETRY_MAYFAIL";
	return "one round only: the order is above 3, and it cannot compact";
}

/* Rungs 6 and 7. */
static void route_work(const struct climb *climb, struct route_step *reclaim,
                       struct route_step *compact)
{
	if (!may_wait(climb)) {
		closed(reclaim, why_no_waiting(climb->request));
		closed(compact, why_no_waiting(climb->request));
		return;
	}
	if (climb->node->recovery.reclaim == NULL)
		closed(reclaim, "nothing reclaims");
	else
		acts(reclaim, "reclaims pages, and looks again");
	if (!may_compact(climb))
		closed(compact, why_no_compaction(climb));
	else
		acts(compact, "moves pages, and looks again");
}

/* Has a zone HIGHATOMIC pageblocks, which are given up before a kill? */
static bool route_has_urgent_blocks(const struct climb *climb)
{
	for (int type = climb->request->highest_zone; type >= ZONE_DMA;
	     type--) {
		if (climb->node->zone[type].nr_reserved_highatomic > 0)
			return true;
	}
	return false;
}

static bool route_could_reclaim(const struct climb *climb)
{
	for (int type = climb->request->highest_zone; type >= ZONE_DMA;
	     type--) {
		if (zone_could_serve(climb, &climb->node->zone[type]))
			return true;
	}
	return false;
}

static void route_retry(const struct climb *climb, struct route_step *step)
{
	if (!may_wait(climb))
		closed(step, why_no_waiting(climb->request));
	else if (one_round_only(climb))
		closed(step, why_no_round(climb));
	else if (route_could_reclaim(climb))
		acts(step,
		     "begins again at 4, for 16 fruitless rounds at most: "
		     "what can be reclaimed would be enough");
	else if (route_has_urgent_blocks(climb))
		acts(step,
		     "gives up the blocks for urgent requests, and begins "
		     "again at 4");
	else
		closed(step, "all that can be reclaimed would not be enough");
}

static void route_lists(const struct climb *climb, struct route_step *step)
{
	unsigned long pages = 0;

	for (int type = climb->request->highest_zone; type >= ZONE_DMA; type--)
		pages += pcp_local_pages(&climb->node->zone[type]);
	if (pages > 0)
		acts(step,
		     "gives the pages of this CPU's lists back, and looks "
		     "again");
	else
		closed(step, "this CPU's lists are empty");
}

static const char *why_no_kill(const struct alloc_request *request)
{
	kassert(!request->may_kill);
	if (request->order > PAGE_ALLOC_COSTLY_ORDER)
		return "nobody is killed for a block of an order above 3";
	if (request->retry_costly)
		return "nobody is killed: __GFP_RETRY_MAYFAIL";
	if (request->only_here)
		return "nobody is killed: __GFP_THISNODE";
	return "nobody is killed for low memory";
}

static void route_kill(const struct climb *climb, struct route_step *step)
{
	const struct alloc_request *request = climb->request;

	if (!may_wait(climb))
		closed(step, why_no_waiting(request));
	else if (one_round_only(climb))
		closed(step, why_no_round(climb));
	else if (climb->node->recovery.oom == NULL)
		closed(step, "nobody can be killed");
	else if (!request->may_kill)
		closed(step, why_no_kill(request));
	else if (!request->may_fs)
		acts(step, "without __GFP_FS it kills nobody, and waits until "
		           "others free memory");
	else
		acts(step, "kills a thread, and begins again at 4");
}

static void route_never_fail(const struct climb *climb, struct route_step *step)
{
	if (!climb->request->never_fail) {
		closed(step, "it may fail: no __GFP_NOFAIL");
		return;
	}
	if (!must_not_fail(climb)) {
		closed(step, "it cannot wait, so it may fail");
		return;
	}
	look(climb->node, climb->request, step, WMARK_MIN, RESERVE_HALF);
	if (step->outcome != ROUTE_GIVES)
		acts(step, "begins again at 4, forever");
}

static void route_slow_path(struct climb *climb, struct alloc_route *route)
{
	struct route_step *step = route->step;

	route->waits = may_wait(climb);
	route->one_round = one_round_only(climb);
	route_wake(climb, &step[RUNG_WAKE]);
	look(climb->node, climb->request, &step[RUNG_MIN], WMARK_MIN,
	     climb->request->right);
	route_early(climb, &step[RUNG_EARLY_COMPACT]);
	climb_set_last_right(climb);
	look(climb->node, climb->request, &step[RUNG_AGAIN], WMARK_MIN,
	     climb->right);
	route_work(climb, &step[RUNG_RECLAIM], &step[RUNG_COMPACT]);
	route_retry(climb, &step[RUNG_RETRY]);
	route_lists(climb, &step[RUNG_LISTS]);
	route_kill(climb, &step[RUNG_KILL]);
	route_never_fail(climb, &step[RUNG_NEVER_FAIL]);
}

static enum alloc_rung first_that_helps(const struct alloc_route *route)
{
	enum alloc_rung rung = RUNG_SHORTCUT;

	for (; rung < RUNG_COUNT; rung++) {
		enum route_outcome outcome = route->step[rung].outcome;

		if (outcome == ROUTE_GIVES ||
		    (outcome == ROUTE_ACTS && rung != RUNG_WAKE))
			break;
	}
	return rung;
}

void alloc_route(struct node *node, gfp_t gfp, unsigned int order,
                 const struct alloc_context *context, struct alloc_route *route)
{
	struct climb climb = {
		.node = node,
		.request = &route->request,
		.priority = COMPACT_SYNC_LIGHT,
	};

	kassert(!in_nmi());
	route->rung = RUNG_COUNT;
	route->waits = false;
	route->one_round = false;
	route->verdict = gfp_decode(gfp, order, context, &route->request,
	                            route->why, sizeof(route->why));
	if (route->verdict != GFP_OK)
		return;
	route_shortcut(node, gfp, order, context, &route->step[RUNG_SHORTCUT]);
	route_fast(node, &route->request, &route->step[RUNG_FAST]);
	climb.right = route->request.right;
	if (no_zone_can_serve(&climb) || !may_climb(&climb)) {
		for (enum alloc_rung rung = RUNG_WAKE; rung < RUNG_COUNT;
		     rung++)
			closed(&route->step[rung],
			       route->request.exclusive
			               ? "it cannot fill the parked pool"
			               : "no zone that it may use has memory");
	} else {
		route_slow_path(&climb, route);
	}
	route->rung = first_that_helps(route);
	kassert(route->rung <= RUNG_COUNT && route->rung != RUNG_WAKE);
}
