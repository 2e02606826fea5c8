/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_guard.c -- guard pages behind blocks.
 *
 * Free pages are not mapped (mm/debug/page_debug.c), so a write behind a block faults if the
 * frame there is free.  That is luck.  A guard makes it certain: the request takes a block of the
 * next order, keeps the lower half, and the first page of the upper half stays unmapped for as
 * long as the block is in use.  The rest goes back:
 *
 *	order 3   |           block of order 2            |  G  | free|   free    |
 *
 * A guard is a USED page of order 0 with one reference and PAGE_GUARD, so it counts as a used
 * page, nobody can take it, and a free of it is refused.  It belongs to whatever block
 * ends in front of it: when that block is split, to its last part.
 *
 * A block has no guard
 *  - if the zone would not be above its LOW mark with the larger block, or has none: a detector
 *    does not make requests fail;
 *  - if it is movable: a guard cannot be moved, and would be in the way of compaction and of CMA;
 *  - if it is a pageblock or larger: the guard would spoil another pageblock;
 *  - if it comes from a bulk request, or from a HIGHATOMIC reserve.
 *
 * Invariants, checked by zone_check():
 *
 *  G1  A guard has order 0 and one reference, and is not in the direct map.
 *  G2  The frame in front of it lies in a block that is in use, or bad.
 *
 * Linux: debug_guardpage_minorder=N, set_page_guard() in expand().  There the upper halves
 * of a block that is split become guards as they are, if they are smaller than 2^N pages; so one
 * page costs 2^N of them, and a block that need not be split has none.  Its report does not
 * say whose guard it was.
 *
 * Locking: zone->lock.
 */
#include "mm/debug/page_guard.h"

#include "kernel/core/panic.h"
#include "mm/buddy.h"
#include "mm/page_state.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

/* ---- Taking -------------------------------------------------------------- */

/* Without the CMA pages: no request for a guard may use them. */
static bool page_guard_has_room(const struct zone *zone,
                                const struct alloc_request *request)
{
	kassert(request->order < PAGEBLOCK_ORDER);
	return watermark_ok(zone, request->order + 1,
	                    wmark_pages(zone, WMARK_LOW), request->highest_zone,
	                    RESERVE_NONE);
}

/* Free all of the LOOSE block at PAGE but its first page. */
static void page_guard_trim(struct zone *zone, struct page *page)
{
	kassert(page->state == PAGE_LOOSE);
	while (page->order > 0) {
		page_prep_halve(page);
		buddy_give(zone, page + (1UL << page->order), page->order);
	}
}

/* The LOOSE page becomes a guard. */
static void page_guard_set(struct zone *zone, struct page *guard)
{
	struct node *node = zone->node;

	kassert(guard->order == 0);
	/* It was free since the boot code gave it back. */
	if (!page_debug_hides(node, zone_pfn(zone, guard)))
		page_debug_close(&node->debug, guard);
	page_set_state(zone, guard, PAGE_LOOSE, PAGE_USED);
	guard->flags = PAGE_GUARD;
	guard->refcount = 1;
}

struct page *page_guard_take_on(struct zone *zone,
                                const struct alloc_request *request,
                                unsigned int flags)
{
	struct page *page = NULL;

	kassert(spin_is_mine(&zone->lock));
	if (!(flags & TAKE_HIGHATOMIC) && page_guard_has_room(zone, request))
		page = page_prep_take(zone->node, zone, request->order + 1,
		                      request->migratetype,
		                      flags & ~TAKE_HIGHATOMIC_LAST);
	if (page == NULL)
		return page_prep_take(zone->node, zone, request->order,
		                      request->migratetype, flags);
	page_prep_halve(page);
	page_guard_trim(zone, page + (1UL << request->order));
	page_guard_set(zone, page + (1UL << request->order));
	return page;
}

/* ---- Giving -------------------------------------------------------------- */

void page_guard_give(struct node *node, const struct page *page)
{
	struct page *guard =
		node_page(node, node_pfn(node, page) + (1UL << page->order));
	struct zone *zone = page_zone(node, page);

	kassert(page->state == PAGE_LOOSE);
	kassert(spin_is_mine(&zone->lock));
	if (guard == NULL || !page_is_guard(guard))
		return;
	kassert(page_zone(node, guard) == zone);
	guard->taker = page->taker;
	guard->caller = page->caller;
	page_prep_unclaim(zone, guard);
	buddy_give(zone, guard, 0);
}

/* ---- Checks and reports -------------------------------------------------- */

const char *page_guard_check(const struct zone *zone, const struct page *page)
{
	unsigned long pfn = zone_pfn(zone, page);
	const struct page *head = zone_block_head(zone, pfn - 1);

	kassert(page_is_guard(page));
	if (page->order != 0 || page->refcount != 1 ||
	    !page_debug_hides(zone->node, pfn))
		return "G1";
	if (head == NULL ||
	    (head->state != PAGE_USED && head->state != PAGE_BAD))
		return "G2";
	return NULL;
}

void page_guard_explain(const struct node *node, const struct page *guard,
                        struct fault *fault)
{
	const struct page *head = page_head(node, guard - 1);
	unsigned long pfn = node_pfn(node, head);

	kassert(guard > node->pages);
	fault->kind = FAULT_OVERRUN;
	fault->pfn = pfn;
	fault->area = (struct fault_area){
		.start = direct_map_base + (pfn << PAGE_SHIFT),
		.size = (size_t)(guard - head) * PAGE_SIZE,
		.taker = head->taker,
		.caller = page_caller(head),
	};
}
