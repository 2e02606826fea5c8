/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim_throttle.c -- direct reclaim that is so fast that nothing is left for kswapd.
 *
 * Below half of the min marks a request waits until kswapd has freed pages, for the
 * reserve is what kswapd and the disk work with.  Services and threads that reclaim do
 * not wait, and neither does anybody when kswapd has given up.
 *
 * Locking: none.
 *
 * Source: Linux mm/vmscan.c: throttle_direct_reclaim(), allow_direct_reclaim().
 */
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/task.h"
#include "mm/watermark.h"

#define NOFS_WAIT 1000000 /* microseconds, as in Linux */

bool allow_direct_reclaim(struct node *node)
{
	unsigned long reserve = 0;
	unsigned long free = 0;

	if (READ_ONCE(node->reclaim.kswapd_failures) >= MAX_RECLAIM_RETRIES)
		return true;
	/* Nor is there anybody to wait for if kswapd has nothing to do. */
	if (node_is_balanced(node, 0, ZONE_NORMAL))
		return true;
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++) {
		struct zone *zone = &node->zone[type];

		if (zone->managed == 0 ||
		    zone_reclaimable_pages(node, zone) == 0)
			continue;
		reserve += wmark_pages(zone, WMARK_MIN);
		free += READ_ONCE(zone->free_pages);
	}
	return reserve == 0 || free > reserve / 2;
}

static bool is_allowed_or_killed(void *node)
{
	return thread_has_flags(current_thread(), THREAD_KILLED) ||
	       allow_direct_reclaim(node);
}

void throttle_direct_reclaim(struct node *node,
                             const struct alloc_request *request)
{
	struct thread *self = current_thread();

	kassert(request->may_sleep);
	if (thread_has_flags(self, THREAD_MEMALLOC | THREAD_SERVICE) ||
	    is_allowed_or_killed(node))
		return;
	count_vm_events(node, VMSTAT_pgscan_direct_throttle, 1);
	/* Memory comes back by those that others wait for. */
	kassert(!thread_has_flags(self, THREAD_MEMALLOC | THREAD_SERVICE));
	/* It may not have been told yet. */
	wakeup_kswapd(node, 0, ZONE_NORMAL, true);
	wait_event_timeout(&node->reclaim.pfmemalloc_wait, is_allowed_or_killed,
	                   node, request->may_fs ? FOREVER : NOFS_WAIT);
}
