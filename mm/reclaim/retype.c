/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/retype.c -- a pageblock changes its type, a few free blocks at a time.
 *
 * A pageblock may be free in 256 pieces, and each has to change its list: 46,000
 * instructions.  So the type changes first, and the pieces follow, with zone->lock released
 * after each RETYPE_BLOCKS of them:
 *
 *	frames      first     retype_pfn               retype_end
 *	              | moved     | perhaps still on the list |
 *	              |           | of the old type           |
 *
 * Both parts are right for all others.  A free block knows its list
 * (page->list_type), so it can be taken from either; what is freed, split off or merged
 * goes to the list of the new type.  A zone has one pageblock that changes: another has to
 * wait, and who comes first moves the rest of it.  So a claim (mm/pageblock.c), which finds
 * zone->lock held, only begins, and the request goes on when it has released the lock:
 * pageblock_settle(), then it looks again.
 *
 * A block of a pageblock or more is one piece and is moved immediately.
 *
 * Locking: zone->lock, in slices.
 *
 * Source: Linux 6.12 mm/page_alloc.c, __move_freepages_block(), which moves all 512 pages
 * with interrupts off.
 */
#include "mm/buddy.h"
#include "mm/pageblock.h"

/* Blocks that change lists, and frames that are passed, with interrupts off. */
#define RETYPE_BLOCKS 6U
#define RETYPE_FRAMES 128U

void pageblock_set_type(struct zone *zone, unsigned long first,
                        enum migratetype type)
{
	struct pageblock *block = pageblock_of(zone, first);

	kassert(spin_is_mine(&zone->lock));
	kassert(pageblock_is_whole(zone, first));
	block->type = (uint8_t)type;
	if (block->free == 0)
		return;
	kassert(!pageblock_is_unsettled(zone));
	WRITE_ONCE(zone->retype_pfn, first);
	WRITE_ONCE(zone->retype_end, first + PAGEBLOCK_PAGES);
}

void pageblock_retype(struct zone *zone, const struct page *page,
                      enum migratetype type)
{
	unsigned long pfn = zone_pfn(zone, page);
	unsigned long first = ALIGN_DOWN(pfn, PAGEBLOCK_PAGES);
	bool whole = page->state == PAGE_FREE && page->order >= PAGEBLOCK_ORDER;

	kassert(spin_is_mine(&zone->lock));
	if (whole)
		buddy_change_list(zone, zone_page(zone, pfn), type);
	for (; first < pfn + (1UL << page->order); first += PAGEBLOCK_PAGES) {
		if (whole)
			pageblock_of(zone, first)->type = (uint8_t)type;
		else
			pageblock_set_type(zone, first, type);
	}
}

/* One slice.  Frames inside a block are passed like pages in use: only heads are FREE. */
static void retype_some(struct zone *zone)
{
	unsigned long end = zone->retype_end;
	unsigned long pfn = zone->retype_pfn;
	unsigned int blocks = 0;

	kassert(spin_is_mine(&zone->lock));
	for (unsigned int i = 0;
	     i < RETYPE_FRAMES && blocks < RETYPE_BLOCKS && pfn < end; i++) {
		struct page *page = zone_page(zone, pfn);
		enum migratetype type = pageblock_type(zone, pfn);

		if (page->state != PAGE_FREE) {
			pfn++;
			continue;
		}
		if (page->list_type != type) {
			buddy_change_list(zone, page, type);
			blocks++;
		}
		pfn += 1UL << page->order;
	}
	WRITE_ONCE(zone->retype_pfn, pfn);
}

bool pageblock_settle(struct zone *zone)
{
	bool unsettled = pageblock_is_unsettled(zone);

	while (pageblock_is_unsettled(zone)) {
		bool enabled = spin_lock_irqsave(&zone->lock);

		retype_some(zone);
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	return unsettled;
}

bool pageblock_lock_settled(struct zone *zone)
{
	for (;;) {
		bool enabled;

		(void)pageblock_settle(zone);
		enabled = spin_lock_irqsave(&zone->lock);
		if (!pageblock_is_unsettled(zone))
			return enabled;
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
}
