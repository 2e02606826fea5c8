/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/capture.c -- a block that compaction makes is for the request that it was
 * made for.
 *
 *	free   m  ->  moved, freed
 *	[.] [m]       [. .]  of the order wanted: kept for the thread that freed it
 *
 * Without this the block would be on a free list as soon as its last page has moved, and
 * others would take it: the request has paid, and begins again.  So while a thread
 * compacts a zone for a request, mm/buddy.c#buddy_merge() asks at each step of a merge
 * whether the block is the one that the running thread waits for; then it merges no
 * further.  It may also be an interrupt on top of the thread that frees it.
 *
 * Not captured: a second block; one of another order; in a MOVABLE pageblock a block for
 * a request of another type, which would mix them, unless it is the whole pageblock; one
 * of an isolated or CMA pageblock; a corrupt one; one for a service thread.  And not order
 * 10: nothing merges further then.
 *
 * Invariant: zone->compact.captures is the number of threads with a capture of the zone,
 * so that freeing costs one test of one word where nobody compacts.
 *
 * Locking: zone->lock; thread->mm->capture is its thread's.
 *
 * Source: Linux mm/page_alloc.c: task_capc(), compaction_capture();
 * mm/compaction.c: compact_zone_order().
 */
#include "mm/reclaim/capture.h"

#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/page_prep.h"
#include "mm/pageblock.h"
#include "mm/task.h"

struct capture *capture_search(const struct zone *zone, const struct page *page,
                               unsigned int order)
{
	struct capture *capture = current_thread()->mm->capture;
	enum migratetype type;

	kassert(spin_is_mine(&zone->lock));
	if (capture == NULL || capture->zone != zone || capture->page != NULL ||
	    capture->request->order != order ||
	    thread_has_flags(current_thread(), THREAD_SERVICE))
		return NULL;
	type = pageblock_type(zone, zone_pfn(zone, page));
	/* Set aside (CMA) or being emptied (ISOLATE). */
	if (type >= MIGRATE_PCPTYPES && type != MIGRATE_HIGHATOMIC)
		return NULL;
	if (order < PAGEBLOCK_ORDER && type == MIGRATE_MOVABLE &&
	    capture->request->migratetype != MIGRATE_MOVABLE)
		return NULL;
	return page_prep_is_clean(page) ? capture : NULL;
}

void capture_begin(struct capture *capture, struct zone *zone,
                   const struct alloc_request *request)
{
	struct mm_task *task = current_thread()->mm;
	bool enabled;

	kassert(task->capture == NULL);
	*capture = (struct capture){ .zone = zone, .request = request };
	task->capture = capture;
	enabled = spin_lock_irqsave(&zone->lock);
	zone->compact.captures++;
	spin_unlock_irqrestore(&zone->lock, enabled);
}

struct page *capture_end(struct capture *capture)
{
	struct mm_task *task = current_thread()->mm;
	struct zone *zone = capture->zone;
	struct page *page;
	bool enabled;

	kassert(task->capture == capture);
	enabled = spin_lock_irqsave(&zone->lock);
	kassert(zone->compact.captures > 0);
	zone->compact.captures--;
	page = capture->page;
	if (page != NULL)
		page_prep_claim(zone, page, capture->request);
	spin_unlock_irqrestore(&zone->lock, enabled);
	task->capture = NULL;
	if (page != NULL)
		count_vm_events(zone->node, VMSTAT_pgalloc_dma + zone->type,
		                1UL << capture->request->order);
	return page;
}
