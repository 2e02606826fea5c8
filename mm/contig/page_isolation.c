/* SPDX-License-Identifier: MIT */
/*
 * mm/contig/page_isolation.c -- pageblocks whose free pages nobody gets.
 *
 * To take a certain range of frames one must empty it, and while the last pages leave, the
 * first ones would be given away again.  So its pageblocks become ISOLATE first:
 *
 *	type		M	M	M		I	M	M
 *	pages		m.m.m...mm.mmmmm	........mm.mmmmm
 *	free_pages	5	1	...	not counted	1	...
 *	requests get	any of them		none of them
 *
 * No request takes from the free lists of ISOLATE (pageblock_take() does not look there), a page
 * that is freed goes where its pageblock belongs, and the watermarks do not count what no
 * request can get.  The pages have a column of the accounting: isolated.
 *
 * A pageblock that has a page which cannot move is not isolated: it could never be emptied.
 * That is looked at before, and once more afterwards, for in between somebody may have
 * taken a page there.
 *
 *	can stay, and so is refused	reserved memory, holes, exclusive and bad
 *					pages; used ones that are on no list of
 *					reclaim, except in ZONE_MOVABLE
 *	is no obstacle			free pages, those in flight, pages on a list of
 *					reclaim
 *
 * A CMA pageblock (mm/contig/cma.c) is for CMA's callers without a look, and for no others.
 *
 * A free block of two pageblocks is cut, and just one of them changes.  Free pageblocks of
 * which one is ISOLATE do not merge (B3); when they are both of one kind again, they do.
 *
 * Invariant B7 (mm/buddy.c): isolated_pages is the number of pages on the ISOLATE lists.
 *
 * Locking: zone->lock for a few pages at a time; to change the type of a pageblock for all
 * of its pages.
 *
 * Source: Linux 6.12 mm/page_isolation.c: set_migratetype_isolate(),
 * unset_migratetype_isolate(), has_unmovable_pages(), __test_page_isolated_in_pageblock().
 */
#include "mm/contig/page_isolation.h"

#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"

/* Blocks that are looked at with interrupts off. */
#define ISOLATION_SLICE 16U

/* ---- Looking at the pages of a range ------------------------------------- */

/* Is the block HEAD, or the frame in no block (NULL), as it should be?  zone->lock held. */
typedef bool isolation_look(const struct zone *zone, const struct page *head);

static unsigned long isolation_next(const struct zone *zone,
                                    const struct page *head, unsigned long pfn)
{
	if (head == NULL)
		return pfn + 1;
	kassert(head->order <= MAX_ORDER);
	return zone_pfn(zone, head) + (1UL << head->order);
}

/* Does LOOK say yes to all blocks in the frames START..END-1?  In slices. */
static bool isolation_all(struct zone *zone, unsigned long start,
                          unsigned long end, isolation_look *look)
{
	bool good = true;

	kassert(zone_contains(zone, start) && zone_contains(zone, end - 1));
	while (good && start < end) {
		bool enabled = spin_lock_irqsave(&zone->lock);

		for (unsigned int i = 0;
		     i < ISOLATION_SLICE && good && start < end; i++) {
			const struct page *head = zone_block_head(zone, start);

			good = look(zone, head);
			start = isolation_next(zone, head, start);
		}
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	return good;
}

static bool isolation_look_memory(const struct zone *zone __unused,
                                  const struct page *head)
{
	return head != NULL;
}

/* May the block leave, or is it free? */
static bool isolation_look_movable(const struct zone *zone,
                                   const struct page *head)
{
	if (head == NULL)
		return false;
	switch ((enum page_state)head->state) {
	case PAGE_FREE:
	case PAGE_PCP:
	case PAGE_LOOSE:
		return true;
	case PAGE_USED:
		return zone->type == ZONE_MOVABLE || page_has(head, PG_lru);
	case PAGE_NONE:
	case PAGE_PARKED:
	case PAGE_OWNED:
	case PAGE_HANDOVER:
	case PAGE_BAD:
	case PAGE_STATE_COUNT:
		break;
	}
	return false;
}

static bool isolation_look_isolated(const struct zone *zone,
                                    const struct page *head)
{
	return head != NULL && head->state == PAGE_FREE &&
	       pageblock_type(zone, zone_pfn(zone, head)) == MIGRATE_ISOLATE;
}

bool isolation_is_memory(struct zone *zone, unsigned long start,
                         unsigned long end)
{
	return isolation_all(zone, start, end, isolation_look_memory);
}

int test_pages_isolated(struct zone *zone, unsigned long start,
                        unsigned long end)
{
	return isolation_all(zone, start, end, isolation_look_isolated)
	               ? 0
	               : -EBUSY;
}

/* ---- One pageblock ------------------------------------------------------- */

/* The pages of HIGHATOMIC pageblocks are counted (H1). */
static void isolation_count_highatomic(struct zone *zone, enum migratetype from,
                                       enum migratetype to)
{
	if (from == MIGRATE_HIGHATOMIC) {
		kassert(zone->nr_reserved_highatomic >= PAGEBLOCK_PAGES);
		zone->nr_reserved_highatomic -= PAGEBLOCK_PAGES;
	}
	if (to == MIGRATE_HIGHATOMIC)
		zone->nr_reserved_highatomic += PAGEBLOCK_PAGES;
}

/* The pageblock at FIRST, and no other, becomes of TYPE.  If it is free in one piece, it
 * merges with its neighbour if it may now.  zone->lock held. */
static void isolation_change(struct zone *zone, unsigned long first,
                             enum migratetype type)
{
	struct page *head = zone_block_head(zone, first);

	kassert(spin_is_mine(&zone->lock));
	kassert(first % PAGEBLOCK_PAGES == 0);
	isolation_count_highatomic(zone, pageblock_type(zone, first), type);
	if (head == NULL || head->state != PAGE_FREE ||
	    head->order < PAGEBLOCK_ORDER) {
		pageblock_set_type(zone, first, type);
		return;
	}
	head = buddy_take_around(zone, head, PAGEBLOCK_ORDER, first);
	pageblock_set_type(zone, first, type);
	buddy_give(zone, head, PAGEBLOCK_ORDER);
}

/* If the pageblock is (ISOLATED) or is not isolated, it becomes of TO.  Its type before. */
static enum migratetype isolation_switch(struct zone *zone, unsigned long first,
                                         bool isolated, enum migratetype to)
{
	bool enabled = pageblock_lock_settled(zone);
	enum migratetype was = pageblock_type(zone, first);

	kassert(first % PAGEBLOCK_PAGES == 0 && to < MIGRATE_TYPES);
	if ((was == MIGRATE_ISOLATE) == isolated)
		isolation_change(zone, first, to);
	spin_unlock_irqrestore(&zone->lock, enabled);
	(void)pageblock_settle(zone);
	return was;
}

/* A CMA pageblock holds pages that can move, by its type, and is for CMA alone.  The pages of
 * the other types are looked at. */
static bool isolation_can_empty(struct zone *zone, unsigned long first,
                                enum migratetype type)
{
	bool cma = pageblock_type(zone, first) == MIGRATE_CMA;

	kassert(type == MIGRATE_MOVABLE || type == MIGRATE_CMA);
	if (cma)
		return type == MIGRATE_CMA;
	return isolation_all(zone, first, first + PAGEBLOCK_PAGES,
	                     isolation_look_movable);
}

static int isolate_pageblock(struct zone *zone, unsigned long first,
                             enum migratetype type)
{
	enum migratetype was;

	if (!pageblock_is_whole(zone, first) ||
	    !isolation_can_empty(zone, first, type))
		return -EBUSY;
	was = isolation_switch(zone, first, false, MIGRATE_ISOLATE);
	if (was == MIGRATE_ISOLATE)
		return -EBUSY;
	if (was == MIGRATE_CMA || isolation_can_empty(zone, first, type))
		return 0;
	(void)isolation_switch(zone, first, true, was);
	return -EBUSY;
}

/* ---- A range ------------------------------------------------------------- */

void undo_isolate_page_range(struct zone *zone, unsigned long start,
                             unsigned long end, enum migratetype type)
{
	kassert(type != MIGRATE_ISOLATE && type != MIGRATE_HIGHATOMIC);
	for (unsigned long first = ALIGN_DOWN(start, PAGEBLOCK_PAGES);
	     first < end; first += PAGEBLOCK_PAGES)
		(void)isolation_switch(zone, first, true, type);
}

int start_isolate_page_range(struct zone *zone, unsigned long start,
                             unsigned long end, enum migratetype type)
{
	unsigned long first = ALIGN_DOWN(start, PAGEBLOCK_PAGES);

	kassert(start < end);
	for (unsigned long at = first; at < end; at += PAGEBLOCK_PAGES) {
		if (isolate_pageblock(zone, at, type) == 0)
			continue;
		if (at > first)
			undo_isolate_page_range(zone, first, at, type);
		return -EBUSY;
	}
	return 0;
}
