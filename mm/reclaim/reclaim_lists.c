/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim_lists.c -- some pages of one list.
 *
 * They are isolated: taken off their list, with a reference, up to 32 at a time.  Of an
 * inactive list each is freed or put back (reclaim_page.c); of an active list they
 * become inactive.
 *
 * Locking: none here.  Any number of threads reclaim at the same time, each with the
 * pages that it has isolated; a list whose pages are mostly isolated makes others wait.
 *
 * Source: Linux mm/vmscan.c: shrink_inactive_list(), shrink_active_list(),
 * too_many_isolated().
 */
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "mm/page_bits.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/reclaim_internal.h"

#define ISOLATED_WAIT 20000 /* microseconds, as in Linux */

/* ---- Inactive lists ------------------------------------------------------ */

static bool too_many_isolated(const struct scan *scan, const struct zone *zone,
                              enum lru_list list)
{
	unsigned long inactive = READ_ONCE(zone->lru.count[list]);

	if (scan->kswapd)
		return false;
	/* Threads with IO and FS wait earlier, so that restricted ones get through. */
	if (scan->may_io && scan->may_fs)
		inactive /= 8;
	return READ_ONCE(zone->lru.isolated[lru_kind_of(list)]) > inactive;
}

struct isolation {
	const struct scan *scan;
	const struct zone *zone;
	enum lru_list list;
};

static bool few_isolated(void *data)
{
	const struct isolation *isolation = data;

	return !too_many_isolated(isolation->scan, isolation->zone,
	                          isolation->list);
}

/* Others look at so many pages that few are left to look at: wait, once. */
static bool wait_for_isolated(const struct scan *scan, const struct zone *zone,
                              enum lru_list list)
{
	struct isolation isolation = { scan, zone, list };

	return wait_event_timeout(&scan->node->reclaim.isolated_wait,
	                          few_isolated, &isolation, ISOLATED_WAIT);
}

static void count_inactive(struct scan *scan, enum lru_kind kind,
                           unsigned long scanned, unsigned long reclaimed)
{
	struct node *node = scan->node;

	kassert(reclaimed <= scanned);
	count_vm_events(node,
	                scan->kswapd ? VMSTAT_pgscan_kswapd
	                             : VMSTAT_pgscan_direct,
	                scanned);
	count_vm_events(node,
	                scan->kswapd ? VMSTAT_pgsteal_kswapd
	                             : VMSTAT_pgsteal_direct,
	                reclaimed);
	count_vm_events(node,
	                kind == LRU_FILE ? VMSTAT_pgscan_file
	                                 : VMSTAT_pgscan_anon,
	                scanned);
	count_vm_events(node,
	                kind == LRU_FILE ? VMSTAT_pgsteal_file
	                                 : VMSTAT_pgsteal_anon,
	                reclaimed);
}

static struct page *unlink_first(struct list *pages)
{
	struct page *page = list_first(pages, struct page, link);

	if (page != NULL)
		list_remove(&page->link);
	return page;
}

void shrink_inactive(struct scan *scan, struct zone *zone, enum lru_list list,
                     unsigned long nr)
{
	enum lru_kind kind = lru_kind_of(list);
	unsigned long writes = scan->paged_out;
	unsigned long dirty = scan->dirty;
	struct list pages = LIST_INIT(pages);
	unsigned long reclaimed = 0;
	unsigned long taken;
	struct page *page;

	kassert(!lru_is_active(list) && nr > 0);
	if (!wait_for_isolated(scan, zone, list))
		return;
	taken = lru_isolate(zone, list, nr, &pages);
	/* All of them together. */
	held_take(HELD_PIN, &pages, RETURN_ADDRESS());
	while ((page = unlink_first(&pages)) != NULL)
		reclaimed += reclaim_page(scan, zone, page, kind);
	held_drop(HELD_PIN, &pages);
	if (taken == 0)
		return;
	kassert(reclaimed <= taken && taken <= nr);
	scan->taken += taken;
	scan->scanned += taken;
	scan->reclaimed += reclaimed;
	count_inactive(scan, kind, taken, reclaimed);
	trace_mm_vmscan_lru_shrink_inactive(&scan->node->trace, taken,
	                                    reclaimed, scan->priority,
	                                    kind == LRU_FILE);
	/* Nothing but dirty pages: the flusher writes more at a time. */
	if (kind == LRU_FILE && scan->dirty - dirty == taken)
		wakeup_flusher(scan->node);
	reclaim_note_cost(scan->node, kind, scan->paged_out - writes,
	                  taken - reclaimed);
	wake_up(&scan->node->reclaim.isolated_wait);
}

/* ---- Active lists -------------------------------------------------------- */

void shrink_active(struct scan *scan, struct zone *zone, enum lru_list list,
                   unsigned long nr)
{
	struct list pages = LIST_INIT(pages);
	unsigned long taken = lru_isolate(zone, list, nr, &pages);
	unsigned long deactivated = 0;
	struct page *page;

	kassert(lru_is_active(list) && list != LRU_UNEVICTABLE);
	kassert(taken <= nr && nr <= SWAP_CLUSTER_MAX);
	held_take(HELD_PIN, &pages, RETURN_ADDRESS());
	while ((page = unlink_first(&pages)) != NULL) {
		if (!page_has(page, PG_unevictable)) {
			page_clear(page, PG_active);
			deactivated++;
		}
		lru_putback(zone, page, lru_kind_of(list), true);
		reclaim_put_page(scan->node, page);
	}
	held_drop(HELD_PIN, &pages);
	count_vm_events(scan->node, VMSTAT_pgrefill, taken);
	count_vm_events(scan->node, VMSTAT_pgdeactivate, deactivated);
}

void reclaim_age_anon(struct scan *scan)
{
	kassert(scan->kswapd && scan->highest_zone < ZONE_COUNT);
	if (!reclaim_has_swap(scan->node))
		return;
	for (int type = scan->highest_zone; type >= ZONE_DMA; type--) {
		struct zone *zone = &scan->node->zone[type];

		if (inactive_is_low(zone, LRU_ANON))
			shrink_active(scan, zone, LRU_ACTIVE_ANON,
			              SWAP_CLUSTER_MAX);
	}
}
