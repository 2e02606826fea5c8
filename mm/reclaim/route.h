/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/route.h -- the way that a request would take now, rung by rung.
 */
#ifndef MM_ROUTE_H
#define MM_ROUTE_H

#include "mm/node.h"

/* From the top; the numbers are those of mm/slow_path.c. */
enum alloc_rung {
	RUNG_SHORTCUT,      /* this CPU's list, without decoding the mask */
	RUNG_FAST,          /* zones above LOW */
	RUNG_WAKE,          /* 1 */
	RUNG_MIN,           /* 2 */
	RUNG_EARLY_COMPACT, /* 3 */
	RUNG_AGAIN,         /* 4 */
	RUNG_RECLAIM,       /* 6 */
	RUNG_COMPACT,       /* 7 */
	RUNG_RETRY,         /* 9, 10 */
	RUNG_LISTS,         /* before 11, and 13 */
	RUNG_KILL,          /* 11 */
	RUNG_NEVER_FAIL,    /* 13 */
	RUNG_COUNT,
};

enum route_outcome {
	ROUTE_GIVES,   /* pages are here for it */
	ROUTE_REFUSES, /* it looks, and there is nothing for it */
	ROUTE_ACTS,   /* it would do something for pages, with an open result */
	ROUTE_CLOSED, /* it may not, or has no reason to */
};

/* Where a pass finds its block: mm/pageblock.c. */
enum route_source {
	SOURCE_NONE,
	SOURCE_LIST,       /* this CPU's list */
	SOURCE_OWN,        /* free blocks of its type */
	SOURCE_CMA,        /* of a CMA pageblock */
	SOURCE_HIGHATOMIC, /* of a HIGHATOMIC pageblock */
	SOURCE_CLAIM,      /* a pageblock of another type becomes its own */
	SOURCE_STEAL,      /* a block of another type's pageblock */
	SOURCE_POOL,       /* the parked pool of exclusive pages */
};

struct route_step {
	enum route_outcome outcome;
	const char *why;   /* CLOSED, ACTS: the reason, what it does; or NULL */
	struct zone *zone; /* GIVES */
	enum route_source source;
	bool pass; /* the zones are looked at, at MARK with RIGHT */
	enum watermark mark;
	enum reserve_right right;
};

struct alloc_route {
	struct alloc_request request;
	enum gfp_verdict verdict;
	char why[256]; /* if it is not GFP_OK; then there are no steps */
	struct route_step step[RUNG_COUNT];
	bool waits;     /* may_wait(): may it climb rungs 6 to 12? */
	bool one_round; /* one_round_only(): not 9 to 12 */
	/*
	 * The first rung that gives, or acts (but for waking kswapd, which works beside
	 * the request); RUNG_COUNT: neither, the request fails.
	 */
	enum alloc_rung rung;
};

/*
 * The way of a request with GFP for 2^ORDER pages of NODE in CONTEXT: that of the caller,
 * or an interrupt's.  Nothing is taken or changed.  The functions that decide are those of
 * the ladder (mm/reclaim/ladder.h), so as long as nobody takes or frees a page, the request
 * gets what is written here.  Not foreseen are failures by fault injection, and blocks that
 * turn out to be corrupt; and a block that gets a guard (mm/debug/page_guard.h) may have
 * another source.  Thread context.
 */
void alloc_route(struct node *node, gfp_t gfp, unsigned int order,
                 const struct alloc_context *context,
                 struct alloc_route *route);

/* The zone that would give, or NULL. */
static inline struct zone *alloc_route_zone(const struct alloc_route *route)
{
	return route->verdict == GFP_OK && route->rung < RUNG_COUNT
	               ? route->step[route->rung].zone
	               : NULL;
}

#endif
