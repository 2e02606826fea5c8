/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim_balance.c -- how much of which list.
 *
 * How many anonymous pages and how many pages of files: by swappiness, 60 to 140
 * at first, and by what reclaiming each kind has cost lately (pages that came
 * back on a list, writes).  Without swap, no anonymous ones; with swap, and next
 * to nothing but them, no files: else somebody would be killed while swap has
 * room.
 *
 * Locking: none.  The counts are those of a moment.
 *
 * Source: Linux mm/vmscan.c: get_scan_count(), prepare_scan_control(),
 * inactive_is_low(); mm/swap.c: lru_note_cost().
 */
#include "kernel/core/panic.h"
#include "lib/math.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/watermark.h"

void reclaim_set_swap(struct node *node, unsigned long (*free)(void))
{
	node->reclaim.free_swap = free;
}

bool reclaim_has_swap(const struct node *node)
{
	return node->reclaim.free_swap != NULL && node->reclaim.free_swap() > 0;
}

unsigned long zone_reclaimable_pages(struct node *node, struct zone *zone)
{
	unsigned long pages = READ_ONCE(zone->lru.count[LRU_INACTIVE_FILE]) +
	                      READ_ONCE(zone->lru.count[LRU_ACTIVE_FILE]);

	kassert(zone->node == node);
	if (reclaim_has_swap(node))
		pages += READ_ONCE(zone->lru.count[LRU_INACTIVE_ANON]) +
		         READ_ONCE(zone->lru.count[LRU_ACTIVE_ANON]);
	return pages > 0 ? pages : READ_ONCE(zone->free_pages);
}

bool inactive_is_low(const struct zone *zone, enum lru_kind kind)
{
	enum lru_list list =
		kind == LRU_FILE ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
	unsigned long inactive = READ_ONCE(zone->lru.count[list]);
	unsigned long active = READ_ONCE(zone->lru.count[list + 1]);
	unsigned long gigabytes = (inactive + active) / (GIB / PAGE_SIZE);
	unsigned long ratio = gigabytes > 0 ? int_sqrt(10 * gigabytes) : 1;

	return inactive * ratio < active;
}

static unsigned long high_marks(const struct node *node)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].managed > 0)
			sum += wmark_pages(&node->zone[type], WMARK_HIGH);
	}
	return sum;
}

/* Is hardly anything left but anonymous pages, and are there some to look at?
 * Then files are left alone, and anonymous pages are not, whatever swappiness
 * says. */
static bool file_is_tiny(const struct scan *scan, const struct zone *zone)
{
	const struct node *node = scan->node;
	unsigned long inactive = READ_ONCE(zone->lru.count[LRU_INACTIVE_ANON]);
	unsigned long others = node_free(node) +
	                       node_lru_count(node, LRU_INACTIVE_FILE) +
	                       node_lru_count(node, LRU_ACTIVE_FILE);

	kassert(scan->priority >= 0 && scan->priority <= DEF_PRIORITY);
	if (scan->force_deactivate || inactive_is_low(zone, LRU_ANON))
		return false;
	return others <= high_marks(node) && inactive >> scan->priority > 0;
}

struct fraction balance_kinds(const struct scan *scan, const struct zone *zone)
{
	const struct node *node = scan->node;
	unsigned long cost[LRU_KINDS];
	unsigned long total;

	kassert(node->swappiness <= 200);
	if (!reclaim_has_swap(node) || scan->gently)
		return (struct fraction){ .part = { 0, 1 }, .whole = 1 };
	if (scan->priority == 0 && node->swappiness > 0)
		return (struct fraction){ .part = { 1, 1 }, .whole = 1 };
	if (file_is_tiny(scan, zone))
		return (struct fraction){ .part = { 1, 0 }, .whole = 1 };
	for (unsigned int kind = 0; kind < LRU_KINDS; kind++)
		cost[kind] = READ_ONCE(node->reclaim.cost[kind]);
	/* Neither kind counts for more than twice the other. */
	total = cost[LRU_ANON] + cost[LRU_FILE];
	cost[LRU_ANON] += total;
	cost[LRU_FILE] += total;
	total = cost[LRU_ANON] + cost[LRU_FILE] + 1;
	cost[LRU_ANON] = node->swappiness * total / (cost[LRU_ANON] + 1);
	cost[LRU_FILE] =
		(200 - node->swappiness) * total / (cost[LRU_FILE] + 1);
	return (struct fraction){ .part = { cost[LRU_ANON], cost[LRU_FILE] },
		                  .whole = cost[LRU_ANON] + cost[LRU_FILE] };
}

void reclaim_note_cost(struct node *node, enum lru_kind kind,
                       unsigned long writes, unsigned long rotated)
{
	unsigned long *cost = node->reclaim.cost;
	unsigned long pages = 0;

	kassert(kind < LRU_KINDS && writes <= SWAP_CLUSTER_MAX);
	__atomic_fetch_add(&cost[kind], writes * SWAP_CLUSTER_MAX + rotated,
	                   __ATOMIC_RELAXED);
	for (unsigned int list = 0; list < LRU_UNEVICTABLE; list++)
		pages += node_lru_count(node, (enum lru_list)list);
	if (READ_ONCE(cost[LRU_ANON]) + READ_ONCE(cost[LRU_FILE]) <= pages / 4)
		return;
	/* Old costs fade. */
	WRITE_ONCE(cost[LRU_ANON], cost[LRU_ANON] / 2);
	WRITE_ONCE(cost[LRU_FILE], cost[LRU_FILE] / 2);
}
