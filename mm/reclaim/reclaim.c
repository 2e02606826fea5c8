/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim.c -- taking pages back from owners that can do without them.
 *
 *	reclaim_try_to_free_pages()	a request's own (direct) reclaim
 *	kswapd_balance()		kswapd's: mm/reclaim/kswapd.c
 *	    shrink_node()		one round, at a priority 12 .. 0
 *	        shrink_zone()		size >> priority pages of each list
 *	            shrink_inactive()	32 at a time: mm/reclaim/reclaim_page.c
 *	            shrink_active()	if the inactive list is too short
 *	        shrink_slab()		the same share of others' objects
 *
 * A priority is how hard it is tried.  A list of 10000 pages: 2 are looked at in
 * the first round, 9 more at priority 10, all of them at priority 0.  So a
 * reclaim that finds pages easily looks at few, and one that finds nothing has in
 * the end looked at all.
 *
 * How many anonymous pages and how many pages of files: by swappiness, 60 to 140
 * at first, and by what reclaiming each kind has cost lately (pages that came
 * back on a list, writes).  Without swap, no anonymous ones; with swap, and next
 * to nothing but them, no files: else somebody would be killed while swap has
 * room.
 *
 * Pages count as reclaimed when they were freed, by reclaim or by a shrinker, and
 * only then.
 *
 * Locking: none here.  Any number of threads reclaim at the same time, each with the
 * pages that it has isolated.  A thread that reclaims has THREAD_MEMALLOC set (by
 * mm/slow_path.c, rung 6; by kswapd forever): its allocations meanwhile come from
 * the reserve and do not reclaim (rung 5).
 *
 * Source: Linux mm/vmscan.c: do_try_to_free_pages(), shrink_lruvec(),
 * get_scan_count(), prepare_scan_control(), inactive_is_low(),
 * throttle_direct_reclaim().
 */
#include "mm/reclaim/reclaim.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/math.h"
#include "mm/page_bits.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/reclaim/shrinker.h"
#include "mm/scope.h"
#include "mm/task.h"

/* Microseconds, as in Linux: a tenth, a fiftieth, and a whole second. */
#define WRITEBACK_WAIT 100000
#define ISOLATED_WAIT  20000
#define NOFS_WAIT      1000000

void reclaim_set_swap(struct node *node, unsigned long (*free)(void))
{
	node->reclaim.free_swap = free;
}

static bool has_swap(const struct node *node)
{
	return node->reclaim.free_swap != NULL && node->reclaim.free_swap() > 0;
}

unsigned long zone_reclaimable_pages(struct node *node, struct zone *zone)
{
	unsigned long pages = READ_ONCE(zone->lru.count[LRU_INACTIVE_FILE]) +
	                      READ_ONCE(zone->lru.count[LRU_ACTIVE_FILE]);

	kassert(zone->node == node);
	if (has_swap(node))
		pages += READ_ONCE(zone->lru.count[LRU_INACTIVE_ANON]) +
		         READ_ONCE(zone->lru.count[LRU_ACTIVE_ANON]);
	return pages > 0 ? pages : READ_ONCE(zone->free_pages);
}

/* ---- How much of which list ---------------------------------------------- */

/* Are there fewer inactive pages of KIND than there should be?  From 1 to 1 below
 * 1 GiB of both to 1 to 10 at 10 GiB. */
static bool inactive_is_low(const struct zone *zone, enum lru_kind kind)
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
			sum += node->zone[type].watermark[WMARK_HIGH];
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

	if (scan->force_deactivate || inactive_is_low(zone, LRU_ANON))
		return false;
	return others <= high_marks(node) && inactive >> scan->priority > 0;
}

/* Of a list of KIND, PART out of WHOLE is looked at. */
struct fraction {
	unsigned long part[LRU_KINDS];
	unsigned long whole;
};

static struct fraction balance_kinds(const struct scan *scan,
                                     const struct zone *zone)
{
	const struct node *node = scan->node;
	unsigned long cost[LRU_KINDS];
	unsigned long total;

	kassert(node->swappiness <= 200);
	if (!has_swap(node))
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

/* Remember that reclaiming KIND brought ROTATED pages back, and WRITES. */
static void note_cost(struct node *node, enum lru_kind kind,
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

static void shrink_inactive(struct scan *scan, struct zone *zone,
                            enum lru_list list, unsigned long nr)
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
	note_cost(scan->node, kind, scan->paged_out - writes,
	          taken - reclaimed);
	wake_up(&scan->node->reclaim.isolated_wait);
}

/* ---- Active lists -------------------------------------------------------- */

/* The oldest active pages become inactive, whatever their use: they have the time
 * until they reach the back there to be used again. */
static void shrink_active(struct scan *scan, struct zone *zone,
                          enum lru_list list, unsigned long nr)
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

static bool may_deactivate(const struct scan *scan, const struct zone *zone,
                           enum lru_kind kind)
{
	return scan->force_deactivate || inactive_is_low(zone, kind);
}

void reclaim_age_anon(struct scan *scan)
{
	kassert(scan->kswapd && scan->highest_zone < ZONE_COUNT);
	if (!has_swap(scan->node))
		return;
	for (int type = scan->highest_zone; type >= ZONE_DMA; type--) {
		struct zone *zone = &scan->node->zone[type];

		if (inactive_is_low(zone, LRU_ANON))
			shrink_active(scan, zone, LRU_ACTIVE_ANON,
			              SWAP_CLUSTER_MAX);
	}
}

/* ---- One round ----------------------------------------------------------- */

static void shrink_list(struct scan *scan, struct zone *zone,
                        enum lru_list list, unsigned long nr)
{
	if (!lru_is_active(list))
		shrink_inactive(scan, zone, list, nr);
	else if (may_deactivate(scan, zone, lru_kind_of(list)))
		shrink_active(scan, zone, list, nr);
	else
		scan->skipped_deactivate = true;
}

/* Its share of each list, 32 pages of one after the other, until enough pages are
 * reclaimed. */
static void shrink_zone(struct scan *scan, struct zone *zone)
{
	struct fraction fraction = balance_kinds(scan, zone);
	unsigned long left[LRU_UNEVICTABLE];
	unsigned long sum = 0;

	kassert(fraction.whole > 0);
	kassert(scan->priority >= 0 && scan->priority <= DEF_PRIORITY);
	for (unsigned int list = 0; list < LRU_UNEVICTABLE; list++) {
		unsigned long size = READ_ONCE(zone->lru.count[list]);

		left[list] = (size >> scan->priority) *
		             fraction.part[lru_kind_of((enum lru_list)list)] /
		             fraction.whole;
		sum += left[list];
	}
	while (sum > 0 && scan->reclaimed < scan->wanted) {
		for (unsigned int list = 0; list < LRU_UNEVICTABLE; list++) {
			unsigned long nr = min(left[list], SWAP_CLUSTER_MAX);

			kassert(sum >= nr);
			left[list] -= nr;
			sum -= nr;
			if (nr > 0)
				shrink_list(scan, zone, (enum lru_list)list,
				            nr);
		}
	}
}

struct written {
	struct node *node;
	unsigned long before;
};

static bool much_is_written(void *data)
{
	const struct written *written = data;
	unsigned long now = READ_ONCE(written->node->reclaim.written);

	return now - written->before >= SWAP_CLUSTER_MAX ||
	       node_writeback(written->node) == 0;
}

/* Until the disk has caught up: some writes, or a tenth of a second. */
static void wait_for_writeback(struct node *node)
{
	struct written written = { node, READ_ONCE(node->reclaim.written) };

	wait_event_timeout(&node->reclaim.writeback_wait, much_is_written,
	                   &written, WRITEBACK_WAIT);
}

/* kswapd has met pages that it wanted written before: it is too fast for the
 * disk. */
static void note_flood(struct scan *scan)
{
	kassert(scan->immediate <= scan->writeback);
	kassert(scan->writeback <= scan->taken);
	if (!scan->kswapd)
		return;
	if (scan->taken > 0 && scan->writeback == scan->taken)
		scan->node->reclaim.writeback_flood = true;
	if (scan->immediate > 0)
		wait_for_writeback(scan->node);
}

void shrink_node(struct scan *scan)
{
	struct thread *self = current_thread();
	unsigned long before = scan->reclaimed;

	kassert(scan->highest_zone < ZONE_COUNT);

	scan->taken = 0;
	scan->writeback = 0;
	scan->immediate = 0;
	self->mm->reclaimed = 0;
	for (int type = scan->highest_zone; type >= ZONE_DMA; type--)
		shrink_zone(scan, &scan->node->zone[type]);
	shrink_slab(scan->node, scan->mask, scan->priority);
	scan->reclaimed += self->mm->reclaimed;
	note_flood(scan);
	/* There is hope. */
	if (scan->reclaimed > before)
		WRITE_ONCE(scan->node->reclaim.kswapd_failures, 0);
}

/* ---- Direct reclaim ------------------------------------------------------ */

static void count_stall(struct node *node, enum zone_type highest)
{
	static const enum vmstat_event event[ZONE_COUNT] = {
		[ZONE_DMA] = VMSTAT_allocstall_dma,
		[ZONE_DMA32] = VMSTAT_allocstall_dma32,
		[ZONE_NORMAL] = VMSTAT_allocstall_normal,
		[ZONE_MOVABLE] = VMSTAT_allocstall_movable,
	};

	kassert(highest < ZONE_COUNT);
	count_vm_events(node, event[highest], 1);
}

/* Before the last round, and nothing reclaimed: what is on its way to the disk
 * becomes free when it ends.  Without this, all that can be reclaimed may be
 * under way, and somebody is killed for the time that a disk takes.  For NOFS and
 * NOIO nobody is killed, and they may hold what the write needs to end. */
static void wait_if_fruitless(struct scan *scan)
{
	if (scan->priority == 1 && scan->reclaimed == 0 && scan->may_io &&
	    scan->may_fs)
		wait_for_writeback(scan->node);
}

static void shrink_by_priority(struct scan *scan)
{
	for (scan->priority = DEF_PRIORITY; scan->priority >= 0;
	     scan->priority--) {
		shrink_node(scan);
		if (scan->reclaimed >= scan->wanted)
			return;
		wait_if_fruitless(scan);
	}
}

/* The code that reclaim calls, however deep, has no more rights than the request:
 * the thread's flags say so.  Returns the flags that were set. */
static unsigned int begin_direct(const struct alloc_request *request)
{
	if (!request->may_io)
		return memalloc_noio_save();
	return request->may_fs ? 0 : memalloc_nofs_save();
}

static void end_direct(const struct alloc_request *request, unsigned int scope)
{
	if (!request->may_io)
		memalloc_noio_restore(scope);
	else if (!request->may_fs)
		memalloc_nofs_restore(scope);
}

unsigned long reclaim_try_to_free_pages(struct node *node,
                                        const struct alloc_request *request)
{
	struct scan scan = {
		.node = node,
		.mask = request->gfp,
		.may_io = request->may_io,
		.may_fs = request->may_fs,
		.order = request->order,
		.highest_zone = request->highest_zone,
		.wanted = SWAP_CLUSTER_MAX,
	};
	unsigned int scope;

	kassert(thread_has_flags(current_thread(), THREAD_MEMALLOC));
	kassert(request->may_sleep && request->order <= MAX_ORDER);
	scope = begin_direct(request);
	count_stall(node, request->highest_zone);
	shrink_by_priority(&scan);
	/* Everything inactive is in use: look at what is protected, too. */
	if (scan.reclaimed == 0 && scan.skipped_deactivate) {
		scan.force_deactivate = true;
		shrink_by_priority(&scan);
	}
	end_direct(request, scope);
	return scan.reclaimed;
}

/* ---- What it does to others ---------------------------------------------- */

void reclaim_enters_fs(struct node *node)
{
	const struct thread *self = current_thread();

	if (!thread_has_flags(self, THREAD_MEMALLOC))
		return;
	count_vm_events(node, VMSTAT_reclaim_fs, 1);
	if (thread_has_flags(self, THREAD_MEMALLOC_NOFS | THREAD_MEMALLOC_NOIO))
		count_vm_events(node, VMSTAT_reclaim_fs_nofs, 1);
}

void reclaim_begins_io(struct node *node)
{
	const struct thread *self = current_thread();

	if (in_interrupt() || self == NULL ||
	    !thread_has_flags(self, THREAD_MEMALLOC) ||
	    thread_has_flags(self, THREAD_KSWAPD))
		return;
	count_vm_events(node, VMSTAT_reclaim_io, 1);
	if (thread_has_flags(self, THREAD_MEMALLOC_NOIO))
		count_vm_events(node, VMSTAT_reclaim_io_noio, 1);
}

/* ---- Throttling ---------------------------------------------------------- */

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
		reserve += zone->watermark[WMARK_MIN];
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

	if (thread_has_flags(self, THREAD_MEMALLOC | THREAD_SERVICE) ||
	    is_allowed_or_killed(node))
		return;
	count_vm_events(node, VMSTAT_pgscan_direct_throttle, 1);
	/* It may not have been told yet. */
	wakeup_kswapd(node, 0, ZONE_NORMAL);
	wait_event_timeout(&node->reclaim.pfmemalloc_wait, is_allowed_or_killed,
	                   node, request->may_fs ? FOREVER : NOFS_WAIT);
}
