/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/kswapd.h -- the thread that reclaims before it is urgent.
 */
#ifndef MM_RECLAIM_KSWAPD_H
#define MM_RECLAIM_KSWAPD_H

#include "mm/node.h"

/* A request of 2^ORDER pages whose highest zone is HIGHEST found NODE below its
 * low marks.  kswapd is woken if it sleeps and nobody has called it yet, unless the node is
 * balanced for such a request, or hopeless: then kcompactd is, if the request may not sleep and so cannot
 * compact for itself.  The wake_kswapd of struct node.  Any context but NMI. */
void wakeup_kswapd(struct node *node, unsigned int order,
                   enum zone_type highest, bool may_sleep);

/* Has kswapd been called for so much, and not begun?  Then another call changes nothing.  Any
 * context. */
static inline bool kswapd_expects(const struct reclaim_state *reclaim,
                                  unsigned int order, enum zone_type highest)
{
	enum zone_type asked = READ_ONCE(reclaim->kswapd_highest);

	kassert(highest < ZONE_COUNT && asked <= KSWAPD_NO_ZONE);
	return READ_ONCE(reclaim->kswapd_called) && asked >= highest &&
	       asked != KSWAPD_NO_ZONE &&
	       READ_ONCE(reclaim->kswapd_order) >= order;
}

/* Is it at work?  Not where there is none. */
bool kswapd_is_running(const struct node *node);

/* The function of the thread "kswapd0"; NODE is a struct node.  It never
 * returns. */
void kswapd_run(void *node);

/* ---- For tests ----------------------------------------------------------- */

/* State of kswapd from one step to the next; zeroed at first. */
struct kswapd {
	unsigned int asked_order;   /* it was last asked for */
	unsigned int compact_order; /* for kcompactd, before it sleeps */
	unsigned int reached_order; /* and has worked for */
	enum zone_type highest;
};

/* Sleep until there is work, then do it once: kswapd_run() is nothing but this
 * again and again. */
void kswapd_step(struct node *node, struct kswapd *kswapd);

/* Reclaim until some zone up to HIGHEST has more than its high mark free, for a
 * request of ORDER.  Returns the order it has really worked for: 0 once
 * 2 << ORDER pages came free.  THREAD_MEMALLOC is set. */
unsigned int kswapd_balance(struct node *node, unsigned int order,
                            enum zone_type highest);

/* Does some zone up to HIGHEST pass its high mark for 2^ORDER pages? */
bool node_is_balanced(struct node *node, unsigned int order,
                      enum zone_type highest);

#endif
