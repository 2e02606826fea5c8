/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim.c -- taking pages back from owners that can do without them.
 *
 *	reclaim_try_to_free_pages()	a request's own (direct) reclaim
 *	kswapd_balance()		kswapd's: mm/reclaim/kswapd.c
 *	    shrink_node()		one round, at a priority 12 .. 0
 *	        shrink_zone()		size >> priority pages of each list, in the
 *					proportion of mm/reclaim/reclaim_balance.c
 *	            shrink_inactive()	32 at a time: mm/reclaim/reclaim_lists.c
 *	            shrink_active()	if the inactive list is too short
 *	        shrink_slab()		the same share of others' objects
 *
 * A priority is how hard it is tried.  A list of 10000 pages: 2 are looked at in
 * the first round, 9 more at priority 10, all of them at priority 0.  So a
 * reclaim that finds pages easily looks at few, and one that finds nothing has in
 * the end looked at all.
 *
 * Pages count as reclaimed when they were freed, by reclaim or by a shrinker, and
 * only then.
 *
 * Locking: none here.  Any number of threads reclaim at the same time, each with the
 * pages that it has isolated.  A thread that reclaims has THREAD_MEMALLOC set (by
 * mm/slow_path.c, rung 6; by kswapd forever): its allocations meanwhile come from
 * the reserve and do not reclaim (rung 5).
 *
 * Source: Linux mm/vmscan.c: do_try_to_free_pages(), shrink_lruvec(), shrink_node().
 */
#include "mm/reclaim/reclaim.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/reclaim/shrinker.h"
#include "mm/scope.h"
#include "mm/task.h"

/* Microseconds, as in Linux. */
#define WRITEBACK_WAIT 100000

/* ---- One round ----------------------------------------------------------- */

static bool may_deactivate(const struct scan *scan, const struct zone *zone,
                           enum lru_kind kind)
{
	return scan->force_deactivate || inactive_is_low(zone, kind);
}

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
static void wait_for_writeback(const struct scan *scan)
{
	struct node *node = scan->node;
	struct written written = { node, READ_ONCE(node->reclaim.written) };

	/* Others may hold what the write needs to end. */
	kassert(scan->may_io && scan->may_fs);
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
		wait_for_writeback(scan);
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
		wait_for_writeback(scan);
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
	/* It gives up after a look at everything, not before. */
	kassert(scan->priority < 0);
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
