/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/highatomic.c -- pageblocks that are kept for large urgent requests.
 *
 * A driver that needs eight neighbouring pages in its interrupt cannot wait until
 * somebody makes room.  When such a request had to go down to the MIN mark for its
 * block, the next one will probably have to as well: so the whole pageblock becomes
 * HIGHATOMIC.  From then on its free pages, and those that become free in it, are
 *
 *	taken first	by requests with RESERVE_ATOMIC for more than one page
 *	taken last	by those that cannot wait, for one page; by OOM victims
 *	not there	for others: they get none, and without any right to the
 *			reserve they do not even count them (mm/watermark.c)
 *
 * At most 1 % of a zone is kept, rounded up to whole pageblocks; nothing if that is less
 * than a pageblock.  If reclaim has made progress and there is still no page, one
 * pageblock is given up, but not the last of a zone; and before a thread is killed, one
 * after the other, the last included (mm/slow_path.c, rungs 6 and 9).
 *
 * Invariant H1: zone->nr_reserved_highatomic is 512 for each HIGHATOMIC pageblock.
 *
 * Locking: zone->lock.
 *
 * Source: Linux 6.12 mm/page_alloc.c, reserve_highatomic_pageblock(),
 * unreserve_highatomic_pageblock().
 */
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/pageblock.h"

/* Pages of the zone up to which pageblocks are kept. */
static unsigned long highatomic_limit(const struct zone *zone)
{
	unsigned long share = READ_ONCE(zone->managed) / 100;

	return share < PAGEBLOCK_PAGES ? 0 : ALIGN_UP(share, PAGEBLOCK_PAGES);
}

void highatomic_reserve(struct zone *zone, const struct page *page)
{
	unsigned long pfn = zone_pfn(zone, page);
	bool enabled;

	kassert(page->state == PAGE_USED && page->order > 0);
	if (READ_ONCE(zone->nr_reserved_highatomic) >= highatomic_limit(zone))
		return;
	enabled = pageblock_lock_settled(zone);
	if (zone->nr_reserved_highatomic < highatomic_limit(zone) &&
	    pageblock_type(zone, pfn) < MIGRATE_PCPTYPES &&
	    pageblock_is_whole(zone, ALIGN_DOWN(pfn, PAGEBLOCK_PAGES))) {
		pageblock_retype(zone, page, MIGRATE_HIGHATOMIC);
		zone->nr_reserved_highatomic +=
			max(PAGEBLOCK_PAGES, 1UL << page->order);
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	(void)pageblock_settle(zone);
}

/* zone->lock held. */
static bool unreserve_one(struct zone *zone, enum migratetype type)
{
	unsigned int orders = zone->nonempty[MIGRATE_HIGHATOMIC];
	struct page *page;
	unsigned long pages;

	if (orders == 0)
		return false;
	page = buddy_first(zone, (unsigned int)__builtin_ctz(orders),
	                   MIGRATE_HIGHATOMIC);
	pages = max(PAGEBLOCK_PAGES, 1UL << page->order);
	kassert(pages <= zone->nr_reserved_highatomic); /* H1 */
	zone->nr_reserved_highatomic -= pages;
	if (page->order < PAGEBLOCK_ORDER) {
		pageblock_retype(zone, page, type);
		return true;
	}
	/* Now it merges with its free buddy.  Linux leaves both until one is used. */
	page = buddy_take_block(zone, page, page->order);
	pageblock_retype(zone, page, type);
	buddy_give(zone, page, page->order);
	return true;
}

bool highatomic_unreserve(struct node *node,
                          const struct alloc_request *request, bool force)
{
	unsigned long kept = force ? 0 : PAGEBLOCK_PAGES;
	bool done = false;

	for (int at = request->highest_zone; !done && at >= ZONE_DMA; at--) {
		struct zone *zone = &node->zone[at];
		bool enabled;

		if (READ_ONCE(zone->nr_reserved_highatomic) <= kept)
			continue;
		enabled = pageblock_lock_settled(zone);
		done = unreserve_one(zone, pageblock_request_type(
						   node, request->migratetype));
		spin_unlock_irqrestore(&zone->lock, enabled);
		(void)pageblock_settle(zone);
	}
	return done;
}
