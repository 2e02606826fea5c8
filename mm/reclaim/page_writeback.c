/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/page_writeback.c -- how many pages may be dirty.
 *
 * A dirty page cannot be reclaimed before the disk has it, and a disk is slow.
 * If all of memory were dirty, every allocation would wait for the disk.  So
 * writers are held up before that, at a share of the pages that could be dirty:
 *
 *	0          background                    limit
 *	|-------------|--------------|-------------|------------- dirtyable
 *	   not until     the flusher   the flusher    writers wait
 *	   it is old     writes        writes         until here ^ the middle
 *	                             ^
 *
 * 64 MiB, all of it free, marks of 300 pages: 16000 dirtyable, the limit is 3201
 * pages, background 1601, and a writer that was stopped goes on at 2401.
 *
 * The same limit decides where pages come from.  A request with __GFP_WRITE is
 * for a page that will be dirty; a node above its limit does not serve it
 * immediately (mm/page_alloc.c#fast_pass), so it goes to another node, or, as here,
 * wakes kswapd and is served by the slow path, which does not ask again.
 *
 * Locking: none.  The counts are read one after the other, and are about right.
 *
 * Source: Linux mm/page-writeback.c: node_dirtyable_memory(), node_dirty_ok(),
 * domain_dirty_limits(), balance_dirty_pages().  Linux lets writers wait a time
 * computed from the disk's speed, so that they hardly notice the limit; here they
 * stop and go.
 */
#include "mm/reclaim/page_writeback.h"

#include "kernel/core/context.h"
#include "kernel/core/sched.h"
#include "mm/reclaim/flusher.h"
#include "mm/watermark.h"

/* ---- Limits -------------------------------------------------------------- */

/* Pages of ZONE that pages of files cannot use: Linux's totalreserve_pages. */
static unsigned long reserve_of(const struct zone *zone)
{
	unsigned long largest = 0;

	kassert(zone->type < ZONE_COUNT);
	for (unsigned int type = zone->type; type < ZONE_COUNT; type++)
		largest = max(largest, zone->lowmem_reserve[type]);
	return min(largest + wmark_pages(zone, WMARK_HIGH), zone->managed);
}

static unsigned long dirtyable_pages(const struct node *node)
{
	unsigned long free = node_free(node);
	unsigned long reserve = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		reserve += reserve_of(&node->zone[type]);
	return free - min(free, reserve) +
	       node_lru_count(node, LRU_INACTIVE_FILE) +
	       node_lru_count(node, LRU_ACTIVE_FILE);
}

struct dirty_limits dirty_limits(const struct node *node)
{
	const struct writeback_state *writeback = &node->writeback;
	unsigned long dirtyable = dirtyable_pages(node);
	struct dirty_limits limits = {
		.dirtyable = dirtyable,
		.background = dirtyable * writeback->background_ratio / 100 + 1,
		.limit = dirtyable * writeback->dirty_ratio / 100 + 1,
	};

	if (limits.background >= limits.limit)
		limits.background = limits.limit / 2;
	kassert(limits.background < limits.limit);
	return limits;
}

unsigned long dirty_pages(const struct node *node)
{
	return node_file_dirty(node) + node_writeback(node);
}

bool node_too_dirty(struct node *node)
{
	return dirty_pages(node) > dirty_limits(node).limit;
}

/* ---- Writers ------------------------------------------------------------- */

struct pause {
	struct node *node;
	unsigned long written; /* when it began */
};

static bool is_far_below(void *data)
{
	const struct pause *pause = data;
	struct dirty_limits limits = dirty_limits(pause->node);

	return dirty_pages(pause->node) <=
	               (limits.limit + limits.background) / 2 ||
	       thread_has_flags(current_thread(), THREAD_KILLED);
}

/* False: nothing was written meanwhile, or there is nothing to wait for. */
static bool wait_for_the_disk(struct node *node)
{
	struct writeback_state *writeback = &node->writeback;
	struct pause pause = { node, READ_ONCE(writeback->written) };

	kassert(!in_interrupt());
	vmstat_add(&node->stat, VMSTAT_dirty_throttle, 1);
	if (wait_event_timeout(&writeback->throttled, is_far_below, &pause,
	                       DIRTY_MAX_PAUSE))
		return false;
	return READ_ONCE(writeback->written) != pause.written;
}

void balance_dirty_pages(struct node *node)
{
	bool goes_on = true;

	if (node_file_dirty(node) > dirty_limits(node).background)
		wakeup_flusher(node);
	while (goes_on && node_too_dirty(node)) {
		goes_on = wait_for_the_disk(node);
		wakeup_flusher(node);
	}
}

void writeback_ended(struct node *node)
{
	__atomic_fetch_add(&node->writeback.written, 1, __ATOMIC_RELAXED);
	wake_up(&node->writeback.throttled);
}
